"""What every table has: safe printing, moments, versions, text by code point, unique keys."""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import MetaData, String, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.orm.exc import StaleDataError

from app.api.deps import SessionDep
from app.core.columns import utcnow
from app.core.database import database
from app.core.routing import APIRouter
from app.models.base import (
    NAMING,
    Base,
    SearchMixin,
    SoftDeleteMixin,
    TimestampMixin,
    UuidMixin,
    unique_key,
)
from app.models.token import Token, TokenKind
from app.models.user import User
from tests.databases import BACKEND, serve
from tests.factories import make_user
from tests.support import Counter, stored, writing


class Own(Base):
    """Tables of this module, in a metadata that no migration compares."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Gadget(Own, UuidMixin, TimestampMixin, SoftDeleteMixin, SearchMixin):
    __tablename__ = "gadgets"
    searched = ("name", "maker")

    name: Mapped[str] = mapped_column(String(50))
    name_key: Mapped[str | None] = unique_key("name", 50)
    code: Mapped[str | None] = mapped_column(String(50), unique=True)
    maker: Mapped[str | None] = mapped_column(String(50))
    secret: Mapped[str] = mapped_column(String(50), default="s3cret", info={"hidden": True})
    built_at: Mapped[datetime | None]


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    Own.metadata.create_all(database.engine)
    yield
    Own.metadata.drop_all(database.engine)


@pytest.fixture(autouse=True)
def no_gadgets() -> Iterator[None]:
    yield
    with database.engine.begin() as connection:
        connection.execute(Gadget.__table__.delete())


def build(**values: Any) -> Gadget:
    with writing() as db:
        gadget = Gadget(**{"name": "lamp"} | values)
        db.add(gadget)
        db.commit()
    return gadget


# --- Printing --------------------------------------------------------------------------------


def test_printing_a_row_shows_neither_secrets_nor_what_only_the_database_needs() -> None:
    user = make_user(username="ana")
    token = Token(user_id=user.id, kind=TokenKind.REFRESH, token_hash="0123abcd")
    for row, hidden in ((user, "hashed_password"), (token, "token_hash"), (build(), "secret")):
        shown = f"{row!r} {row} {row.to_dict()}"
        assert hidden not in shown
        assert str(getattr(row, hidden)) not in shown
        assert "search_text" not in shown
        assert "_key" not in shown
    assert repr(user).startswith(f"User(id={user.id}, username='ana', ")
    assert user.to_dict()["username"] == "ana"
    assert user.to_dict()["version"] == 1


def test_printing_a_row_asks_nothing_of_the_database(
    count_statements: Callable[[], Counter],
) -> None:
    user = make_user()
    with writing() as db:
        row = db.get(User, user.id)
        db.expire(row)
        with count_statements() as statements:
            assert repr(row) == "User()"
    assert statements == []


# --- Moments ---------------------------------------------------------------------------------


def test_a_moment_comes_back_in_utc_with_its_microseconds() -> None:
    moments = (
        datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=-3))),
        datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    )
    for number, moment in enumerate(moments):
        gadget = build(name=f"clock {number}", built_at=moment)
        with writing() as db:
            found = db.scalar(select(Gadget.built_at).where(Gadget.id == gadget.id))
            assert db.scalar(select(Gadget.id).where(Gadget.built_at == moment)) == gadget.id
        assert found == moment
        assert found.tzinfo is UTC


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(StatementError, match="without a time zone"):
        build(built_at=datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake


def test_the_databases_own_moments_sort_among_those_of_python() -> None:
    """A row that was inserted by hand gets its moments from the database."""
    build(name="before", created_at=utcnow() - timedelta(seconds=2))
    statement = """INSERT INTO gadgets (id, name, secret, search_text, version)
        VALUES ('00000000000000000000000000000001', 'by hand', '', '', 1)"""
    with database.engine.begin() as connection:
        connection.exec_driver_sql(statement)
    build(name="after", created_at=utcnow() + timedelta(seconds=2))
    rows = stored_by_time()
    assert [row.name for row in rows] == ["before", "by hand", "after"]
    moment = rows[1].created_at
    assert abs(moment - utcnow()) < timedelta(seconds=2)
    assert moment.microsecond or BACKEND == "sqlite"  # which counts in milliseconds
    with writing() as db:
        assert db.scalar(select(Gadget.name).where(Gadget.created_at == moment)) == "by hand"


def stored_by_time() -> list[Gadget]:
    with writing() as db:
        return list(db.scalars(select(Gadget).order_by(Gadget.created_at)))


# --- Text ------------------------------------------------------------------------------------


def test_text_is_unique_and_sorted_by_code_point() -> None:
    codes = ["u1", "U1", "ú1", "Ú1", "u10", "u2", "_", "-", "~", "ß", "ss", "é", "z", "漢", "😀"]
    for number, code in enumerate(codes):
        build(name=f"gadget {number}", code=code)
    with writing() as db:
        found = db.scalars(select(Gadget.code).order_by(Gadget.code)).all()
        assert db.scalars(select(Gadget.code).where(Gadget.code == "U1")).all() == ["U1"]
    assert found == sorted(codes)
    with pytest.raises(IntegrityError):
        build(name="twice", code="u1")


@pytest.mark.skipif(BACKEND == "sqlite", reason="SQLite compares bytes and has no other way")
def test_every_text_column_has_the_collation_by_code_point() -> None:
    with database.engine.connect() as connection:
        schema = "current_schema()" if BACKEND == "postgresql" else "DATABASE()"
        found = connection.exec_driver_sql(f"""SELECT DISTINCT collation_name
            FROM information_schema.columns
            WHERE table_schema = {schema} AND table_name IN ('users', 'tokens', 'gadgets')
            AND data_type IN ('character varying', 'varchar', 'text')""")
        assert found.scalars().all() == ["C" if BACKEND == "postgresql" else "utf8mb4_bin"]


def test_a_unique_key_ignores_case_and_is_free_after_a_soft_delete() -> None:
    first = build(name="Straße")
    with pytest.raises(IntegrityError):
        build(name="STRASSE")
    with writing() as db:
        db.merge(first).deleted_at = utcnow()
        db.commit()
    second = build(name="STRASSE")
    assert not second.is_deleted
    with writing() as db:
        row = db.get(Gadget, first.id)
        assert row.is_deleted
        assert row.name_key is None
        row.deleted_at = None
        with pytest.raises(IntegrityError):
            db.commit()


def test_the_text_for_searching_is_folded_and_follows_the_row() -> None:
    gadget = build(name="Árvore ÇÃO", maker=None)
    assert gadget.search_text == "arvore cao\n"
    with writing() as db:
        row = db.get(Gadget, gadget.id)
        row.maker = "Straße"
        db.commit()
        assert row.search_text == "arvore cao\nstrasse"


# --- Rows ------------------------------------------------------------------------------------


def test_ids_that_cannot_be_guessed_are_uuids() -> None:
    one, other = build(name="one"), build(name="other")
    assert isinstance(one.id, uuid.UUID)
    assert one.id != other.id
    with writing() as db:
        assert db.get(Gadget, one.id).name == "one"


def test_defaults_are_not_shared_between_rows() -> None:
    one, other = make_user(), make_user()
    one.settings["theme"] = "dark"
    assert other.settings == make_user().settings == {"theme": "system", "language": "en"}


def test_each_change_raises_the_version_and_moves_updated_at() -> None:
    gadget = build(updated_at=utcnow() - timedelta(hours=1))
    assert gadget.version == 1
    with writing() as db:
        row = db.get(Gadget, gadget.id)
        for maker, version in (("Ana", 2), ("Ana", 2), ("Eva", 3)):
            row.maker = maker
            db.commit()
            assert row.version == version
        assert abs(row.updated_at - utcnow()) < timedelta(minutes=1)
        assert row.created_at == gadget.created_at


def test_of_two_changes_of_one_version_the_second_fails() -> None:
    gadget = build()
    with writing() as db:
        row = db.get(Gadget, gadget.id)
        db.execute(text("UPDATE gadgets SET version = 2"))
        row.maker = "Ana"
        with pytest.raises(StaleDataError):
            db.commit()


@pytest.mark.parametrize(("rivals", "status", "bio"), [(1, 200, "mine"), (9, 409, None)])
def test_a_request_that_met_a_rival_runs_again_as_a_whole(
    rivals: int, status: int, bio: str | None
) -> None:
    user, attempts, router = make_user(), list[int](), APIRouter()

    @router.put("/bio")
    def change(db: SessionDep) -> None:
        row = db.get_one(User, user.id)
        attempts.append(row.version)
        if len(attempts) <= rivals:
            db.execute(text("UPDATE users SET version = version + 1"))
        row.bio = "mine"
        db.commit()

    assert serve(router).put("/bio").status_code == status
    assert len(attempts) == min(rivals + 1, 3)
    assert stored(User)[0].bio == bio


def test_every_row_has_a_version() -> None:
    assert inspect(User).version_id_col is not None
