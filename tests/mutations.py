"""A small library of shelves and volumes, and what careless hands do to it: a patch for each rule.

The features are what `new` writes today, so a rule that the generator breaks shows here as well.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.cli.scaffold.describing import describe
from app.cli.scaffold.making import write_files, write_sides
from app.cli.scaffold.project import Project
from app.cli.scaffold.workshop import Workshop
from tests.servers import copy_tree

SHELF = ["name:str:200:unique", "description:text:optional"]
VOLUME = ["title:str:200", "price:decimal", "starts_at:datetime", "shelf:ref", "shelves:many"]

LID = """from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, IdMixin, TimestampMixin


class Lid(Base, IdMixin, TimestampMixin):
    __tablename__ = "lids"

    note: Mapped[str | None] = mapped_column(String(50))
"""
ODDMENT = """from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import Base, IdMixin


class Crate(Base, IdMixin):
    __tablename__ = "crates"

    bins: Mapped[list["Bin"]] = relationship(
        foreign_keys="Bin.crate_id", back_populates="crate", passive_deletes=True
    )
    spares: Mapped[list["Bin"]] = relationship(
        foreign_keys="Bin.spare_id", back_populates="spare", passive_deletes=True
    )
    thirds: Mapped[list["Bin"]] = relationship(
        foreign_keys="Bin.third_id", back_populates="third", passive_deletes=True
    )


class Bin(Base, IdMixin):
    __tablename__ = "bins"

    code: Mapped[str] = mapped_column(String(20))
    label: Mapped[str | None] = mapped_column(String(50))
    crate_id: Mapped[int] = mapped_column(ForeignKey("crates.id", ondelete="CASCADE"), index=True)
    spare_id: Mapped[int] = mapped_column(ForeignKey("crates.id", ondelete="RESTRICT"), index=True)
    third_id: Mapped[int] = mapped_column(ForeignKey("crates.id", ondelete="CASCADE"), index=True)

    crate: Mapped[Crate] = relationship(foreign_keys=[crate_id], back_populates="bins")
    spare: Mapped[Crate] = relationship(foreign_keys=[spare_id], back_populates="spares")
    third: Mapped[Crate] = relationship(foreign_keys=[third_id], back_populates="thirds")


class Own(DeclarativeBase):
    pass
"""
SECOND = '''"""lids get a note"""

import sqlalchemy as sa
from alembic import op

revision = "second"
down_revision = "{first}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("lids", sa.Column("note", sa.String(length=50), nullable=True))


def downgrade() -> None:
    op.drop_column("lids", "note")
'''

TABLES = {"shelves", "volumes", "volume_shelves", "lids", "crates", "bins"}
FIRST = "alembic/versions/2998_12_31_0000_a_library.py"
SECOND_FILE = "alembic/versions/2999_01_01_0000_lids_get_a_note.py"


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=ana", "-c", "user.email=ana@example.com")
    command = ["git", *who, *arguments]
    subprocess.run(command, cwd=root, capture_output=True, check=True)


def write_library(root: Path) -> None:
    """Copy the tree to `root` and write the features into it, with two migrations."""
    copy_tree(root)
    shop = Workshop(root, root)
    for name, fields in (("shelf", SHELF), ("volume", VOLUME)):
        project = Project(root)
        entity = describe(project, name, fields, write="staff")
        write_files(project, entity, shop)
        write_sides(project, entity, shop)
    (root / "app/models/lid.py").write_text(LID, "utf-8")
    (root / "app/models/oddment.py").write_text(ODDMENT, "utf-8")
    try:
        first = shop.migration("add", "a library", TABLES)
    finally:
        shop.end()
    text = first.read_text("utf-8")
    column = [line for line in text.splitlines() if '"note"' in line or "'note'" in line]
    first.write_text(text.replace(column[0] + "\n", ""), "utf-8")
    first.rename(root / FIRST)
    revision = text.partition("revision = ")[2].splitlines()[0].strip("'\"")
    (root / SECOND_FILE).write_text(SECOND.replace("{first}", revision), "utf-8")
    git(root, "init")
    # The two migrations are not: nobody else can have applied them.
    git(root, "add", "--all", "--", ".", *(f":!{name}" for name in (FIRST, SECOND_FILE)))
    git(root, "commit", "--message", "a library")


# --- What careless hands do -------------------------------------------------------------------


@dataclass(frozen=True)
class Patch:
    """edits: (file, what is there, what is there instead); an empty text appends or makes the file.

    at: (file, text of the line) that `check` has to name; by default, the first line that is new.
    """

    rule: str
    edits: tuple[tuple[str, str, str], ...]
    at: tuple[tuple[str, str], ...] = ()

    def apply(self, root: Path) -> None:
        for file, old, new in self.edits:
            path = root / file
            text = path.read_text("utf-8") if path.exists() else ""
            assert old in text, f"{self.rule}: {file} has no {old!r}"
            path.write_text(text.replace(old, new) if old else text + new, "utf-8")

    def places(self, root: Path) -> set[tuple[str, str, int]]:
        """Rule, file and line of the faults that it makes."""
        file, _, new = self.edits[0]
        first = next((line for line in new.splitlines() if line.strip()), "")
        return {
            (self.rule, name, _line_of(root / name, text))
            for name, text in self.at or [(file, first)]
        }


def _line_of(path: Path, text: str) -> int:
    if not text:
        return 1
    lines = path.read_text("utf-8").splitlines()
    whole = (number for number, line in enumerate(lines, 1) if text.strip() == line.strip())
    part = (number for number, line in enumerate(lines, 1) if text in line)
    return next(whole, 0) or next(part)


def patch(
    rule: str, file: str, old: str, new: str, *more: tuple[str, str, str], at: str | None = None
) -> Patch:
    return Patch(rule, ((file, old, new), *more), () if at is None else ((file, at),))


BIN, LIDS = "app/models/oddment.py", "app/models/lid.py"
MODEL, SHELF_MODEL = "app/models/volume.py", "app/models/shelf.py"
SCHEMAS, SHELF_SCHEMAS = "app/schemas/volume.py", "app/schemas/shelf.py"
SERVICE, SHELF_SERVICE = "app/services/volume_service.py", "app/services/shelf_service.py"
ROUTER, SHELF_ROUTER = "app/api/volumes.py", "app/api/shelves.py"
TESTS, SHELF_TESTS = "tests/test_volumes.py", "tests/test_shelves.py"
MOMENTS = """    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    sa.Column('updated_at', sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
"""
OF_SHELVES = "    sa.Column('description', sa.Text(), nullable=True),\n"
INDEX = "        batch_op.create_index(batch_op.f('ix_{0}_{1}'), ['{1}'], unique=False)\n"

# All of these at once, in one tree: each breaks a line of its own.
PATCHES = (
    patch(
        "R01",
        BIN,
        "",
        '\n\nclass Loose(Own):\n    __tablename__ = "loose"\n\n    id: Mapped[int] = mapped_column(primary_key=True)\n',
        at="class Loose",
    ),
    patch("R02", BIN, "label: Mapped[str | None] = mapped", "label = mapped"),
    patch(
        "R03",
        LIDS,
        '__tablename__ = "lids"',
        '__tablename__ = "lid"',
        (FIRST, "'lids'", "'lid'"),
        (FIRST, "pk_lids", "pk_lid"),
        (FIRST, "ix_lids_", "ix_lid_"),
        (SECOND_FILE, '"lids"', '"lid"'),
    ),
    patch(
        "R04",
        SHELF_MODEL,
        "class Shelf(Base, IdMixin, TimestampMixin, SearchMixin)",
        "class Shelf(Base, IdMixin, SearchMixin)",
        (FIRST, OF_SHELVES + MOMENTS, OF_SHELVES),
        (FIRST, INDEX.format("shelves", "created_at"), ""),
        (SHELF_SCHEMAS, "    created_at: datetime\n    updated_at: datetime\n", ""),
        (
            SHELF_SCHEMAS,
            'sortable("name", "created_at", default="-created_at")',
            'sortable("name", default="name")',
        ),
    ),
    patch(
        "R05",
        BIN,
        "code: Mapped[str] = mapped_column(String(20))",
        "code: Mapped[str]",
        (FIRST, "'code', sa.String(length=20)", "'code', sa.String()"),
    ),
    patch("R06", LIDS, "", "    color: Mapped[str | None] = mapped_column(String(20))\n"),
    patch(
        "R07",
        SECOND_FILE,
        "def downgrade() -> None:\n",
        "def downgrade() -> None:\n    return\n",
    ),
    patch(
        "R09",
        "alembic/versions/2026_11_20_1900_users_and_tokens.py",
        "def upgrade() -> None:\n",
        'def upgrade() -> None:\n    op.execute("SELECT 1")\n',
        at="SELECT 1",
    ),
    patch(
        "R10",
        FIRST,
        "import sqlalchemy as sa\n",
        "import sqlalchemy as sa\nfrom app.core.text import fold\n",
        at="import fold",
    ),
    patch("R11", SERVICE, "    @staticmethod\n    def get_volume(", "    def get_volume("),
    patch(
        "R12",
        SERVICE,
        "list_volumes(db: Session, params: VolumeParams)",
        "list_volumes(params: VolumeParams, db: Session)",
    ),
    patch(
        "R13",
        SERVICE,
        "from app.core.columns",
        "from fastapi import HTTPException\nfrom app.core.columns",
        at="import HTTPException",
    ),
    patch(
        "R14",
        SERVICE,
        "        return save(db, Volume(**values))\n",
        "        volume = save(db, Volume(**values))\n        return save(db, volume, price=1)\n",
        at="price=1",
    ),
    patch(
        "R15",
        SHELF_SERVICE,
        "        return save(db, shelf, **data.changes())\n",
        "        shelf.name = data.name\n        db.flush()\n        return shelf\n",
        at="def update_shelf",
    ),
    patch(
        "R16",
        SERVICE,
        "",
        "\n\ndef _in_its_own() -> int:\n    with session_scope() as own:\n        return own.scalar(1)\n",
        at="session_scope() as own",
    ),
    patch(
        "R17",
        SERVICE,
        "",
        "\n\ndef _first(db: Session) -> Any:\n    return db.query(Volume).first()\n",
        at="db.query",
    ),
    Patch("R18", (("app/schemas/lid.py", "", '"""Lids."""\n'),), ((LIDS, ""),)),
    patch(
        "R19",
        SHELF_ROUTER,
        "from app.core.routing import APIRouter",
        "from fastapi import APIRouter",
    ),
    patch(
        "R20",
        ROUTER,
        "def get_volume(db: SessionDep,",
        "def get_volume(db: Annotated[Session, Depends(get_db)],",
        (
            ROUTER,
            "from fastapi import Query\n",
            "from fastapi import Depends, Query\nfrom sqlalchemy.orm import Session\n\nfrom app.core.database import get_db\n",
        ),
    ),
    patch(
        "R21",
        SHELF_ROUTER,
        '@router.get("/{shelf_id}", response_model=ShelfRead)\ndef get_shelf(db: SessionDep, shelf_id: Id) -> Shelf:',
        '@router.get("/{shelf_id}")\ndef get_shelf(db: SessionDep, shelf_id: Id):',
        at="def get_shelf",
    ),
    patch(
        "R22",
        ROUTER,
        "    VolumeService.delete_volume(db, volume_id, if_match)",
        "    if volume_id:\n        VolumeService.delete_volume(db, volume_id, if_match)",
    ),
    patch("R23", SHELF_ROUTER, "\ndef list_shelves(", "\nasync def list_shelves("),
    patch(
        "R24",
        SHELF_ROUTER,
        '@router.delete("/{shelf_id}", status_code=204)',
        '@router.delete("/{shelf_id}")',
        at="def delete_shelf",
    ),
    patch(
        "R25",
        ROUTER,
        '@router.get("/{volume_id}",',
        '@router.get("/{volume_id}/",',
        (TESTS, '("GET", "/volumes/{volume_id}",', '("GET", "/volumes/{volume_id}/",'),
        at="def get_volume",
    ),
    Patch(
        "R26",
        ((SCHEMAS, "class VolumeUpdate(UpdateSchema)", "class VolumeUpdate(InputSchema)"),),
        ((ROUTER, "def update_volume"),),
    ),
    patch(
        "R27",
        SCHEMAS,
        "class VolumeCreate(InputSchema):\n    title: VolumeTitle\n",
        'class VolumeCreate(InputSchema):\n    title: Annotated[str, line(300), Field(examples=["x"])]\n',
        at="line(300)",
    ),
    patch("R28", SHELF_SCHEMAS, "    description: str | None\n", "    description: str\n"),
    patch(
        "R29",
        SCHEMAS,
        "    id: int\n    title: str\n",
        "    id: int\n    title: VolumeTitle  # with its rules\n",
        at="with its rules",
    ),
    patch(
        "R30",
        SHELF_SCHEMAS,
        "    id: int\n    name: str\n",
        "    id: int\n    name: str\n    name_key: str | None\n",
        at="name_key",
    ),
    patch(
        "R31",
        SCHEMAS,
        "    shelf_ids: VolumeShelves = []\n",
        "    shelf_ids: VolumeShelves = []\n    edition: int = 1\n",
        at="edition",
    ),
    Patch("R32", ((SHELF_TESTS, "\ndef test_", "\ndef check_"),), ((SHELF_ROUTER, ""),)),
    Patch(
        "R33",
        ((TESTS, '    ("DELETE", "/volumes/{volume_id}", "staff"),\n', ""),),
        ((ROUTER, "def delete_volume"),),
    ),
    patch(
        "R36",
        BIN,
        'crate_id: Mapped[int] = mapped_column(ForeignKey("crates.id", ondelete="CASCADE"), index=True)',
        'crate_id: Mapped[int] = mapped_column(ForeignKey("crates.id", ondelete="CASCADE"))',
        (FIRST, INDEX.format("bins", "crate_id"), ""),
    ),
    patch(
        "R37",
        MODEL,
        "price: Mapped[Decimal] = mapped_column(index=True)",
        "price: Mapped[Decimal]",
        (FIRST, INDEX.format("volumes", "price"), ""),
    ),
    Patch(
        "R38",
        (
            (
                SHELF_SERVICE,
                "        return paginate(",
                '        if params.q == "x":\n            raise ConflictError("no")\n        return paginate(',
            ),
            (
                SHELF_SERVICE,
                "from app.models",
                "from app.core.errors import ConflictError\nfrom app.models",
            ),
        ),
        ((SHELF_ROUTER, "def list_shelves"),),
    ),
    patch(
        "R40",
        SERVICE,
        "",
        "\n\ndef _quiet() -> None:\n    try:\n        print()\n    except Exception:\n        pass\n",
        at="except Exception",
    ),
    patch(
        "R41",
        SERVICE,
        "",
        '\n\ndef _loud() -> None:\n    raise ValueError("no")\n',
        at="raise ValueError",
    ),
    patch(
        "R42",
        SHELF_SERVICE,
        "        return save(db, Shelf(**data.model_dump()))",
        '        taken = db.scalar(select(Shelf).where(Shelf.name == data.name))\n        if taken is not None:\n            raise ConflictError("taken")\n        return save(db, Shelf(**data.model_dump()))',
        at="if taken is not None",
    ),
    patch(
        "R43",
        SHELF_ROUTER,
        '    """Replace a shelf as a whole. What is left out goes back to its default."""\n',
        "",
        at="def replace_shelf",
    ),
    patch(
        "R44",
        SHELF_SCHEMAS,
        'line(200), Field(examples=["My shelf"])]',
        "line(200)]",
        at="    name: ShelfName",
    ),
    patch("R45", ROUTER, '"""Volumes."""\n', "", at=""),
    patch(
        "R46",
        BIN,
        '    third: Mapped[Crate] = relationship(foreign_keys=[third_id], back_populates="thirds")\n',
        "",
        (
            BIN,
            '    thirds: Mapped[list["Bin"]] = relationship(\n        foreign_keys="Bin.third_id", back_populates="third", passive_deletes=True\n    )\n',
            "",
        ),
        at="third_id: Mapped",
    ),
    patch(
        "R47",
        BIN,
        'ForeignKey("crates.id", ondelete="RESTRICT")',
        'ForeignKey("crates.id")',
        (FIRST, ", ondelete='RESTRICT'", ""),
        at="spare_id: Mapped",
    ),
    patch(
        "R48",
        BIN,
        '    bins: Mapped[list["Bin"]] = relationship(\n        foreign_keys="Bin.crate_id", back_populates="crate", passive_deletes=True',
        '    bins: Mapped[list["Bin"]] = relationship(\n        foreign_keys="Bin.crate_id", back_populates="crate"',
    ),
    patch(
        "R49",
        SERVICE,
        "select(Volume).options(*SHOWN), params",
        "select(Volume), params",
        at="def list_volumes",
    ),
    patch(
        "R50",
        SERVICE,
        "",
        '\n\ndef _named(db: Session, name: str) -> Any:\n    return db.execute(f"DELETE FROM volumes WHERE title = {name}")\n',
        at="DELETE FROM volumes",
    ),
    patch(
        "R51",
        SERVICE,
        "",
        '\n\ndef _everything(db: Session) -> Any:\n    return db.execute("SELECT * FROM volumes")\n',
        at="SELECT * FROM",
    ),
    patch(
        "R52",
        SERVICE,
        "",
        "\n\n@lru_cache\ndef _cached(db: Session) -> int:\n    return len(db.new)\n",
        (
            SERVICE,
            "from typing import Any\n",
            "from functools import lru_cache\nfrom typing import Any\n",
        ),
        at="def _cached",
    ),
    patch("R54", "notes.txt", "", "key: " + "AKIA" + "ABCDEFGHIJKLMNOP\n"),
    patch(
        "R55",
        SHELF_SERVICE,
        "",
        "\n    @staticmethod\n    def all_shelves(db: Session) -> list[Shelf]:\n        return list(db.scalars(select(Shelf)))\n",
        at="list(db.scalars",
    ),
    patch(
        "R56",
        ROUTER,
        "def replace_volume(\n    db: SessionDep, _: Staff,",
        "def replace_volume(\n    db: SessionDep,",
        at="def replace_volume",
    ),
    Patch(
        "R57",
        (
            (
                SHELF_SERVICE,
                "        return get_or_404(db, Shelf, shelf_id)\n",
                "        db.commit()\n        return get_or_404(db, Shelf, shelf_id)\n",
            ),
        ),
        ((SHELF_ROUTER, "def get_shelf"),),
    ),
    patch(
        "R58",
        SHELF_SCHEMAS,
        "from app.schemas.base import (",
        "from app.services.text_of import nothing\nfrom app.schemas.base import (",
        ("app/services/text_of.py", "", "nothing = 1\n"),
    ),
    patch(
        "R59",
        SHELF_SERVICE,
        "    def delete_shelf(db: Session, shelf_id: int, if_match: Versions) -> None:",
        "    def delete_shelf(db: Session, shelf_id: int, if_match: Versions, user: int) -> None:",
    ),
    patch("R99", SERVICE, "", "\n# check: R07 because nobody breaks it here\n"),
)

# These keep others from being judged, so each has a tree to itself.
ALONE = (
    patch("R07", SECOND_FILE, 'add_column("lids"', 'add_column("no_lids"', at='"no_lids"'),
    patch(
        "R00",
        ROUTER,
        "from app.schemas.base import Id, Page",
        "from app.schemas.bases import Id, Page",
    ),
    patch(
        "R08",
        "alembic/versions/2999_02_02_0000_beside.py",
        "",
        SECOND.replace("second", "beside")
        .replace("{first}", "0001")
        .replace("get a note", "beside"),
        at="down_revision",
    ),
)
