"""New fields, written into the files of a living feature, in the copy of the tree."""

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from app.cli.console import CommandError
from app.cli.scaffold import kinds
from app.cli.scaffold.addition import Addition, reaches
from app.cli.scaffold.applying_columns import columns_of
from app.cli.scaffold.attribute import Attribute
from app.cli.scaffold.changes import Changes
from app.cli.scaffold.columns import Columns
from app.cli.scaffold.entity import Entity
from app.cli.scaffold.fields import Field
from app.cli.scaffold.filling import as_text
from app.cli.scaffold.grafting import Graft
from app.cli.scaffold.grafting_model import graft_model, graft_other_side
from app.cli.scaffold.grafting_schemas import Schemas, answers_of, graft_schemas, schemas_of
from app.cli.scaffold.grafting_service import graft_calls, graft_router, graft_service
from app.cli.scaffold.grafting_tests import graft_answers, graft_factory, graft_tests
from app.cli.scaffold.project import Model, Project
from app.cli.scaffold.rendering import AS_TIGHT, render, ruff, unique_sentence
from app.cli.scaffold.sides import side_of
from app.cli.scaffold.tidying import Tidiness
from app.cli.scaffold.workshop import FailedError, Workshop
from app.core.text import fold


@dataclass(frozen=True)
class Factories(Project):
    """The project, whose tests may lack factories: tests that need one are left out."""

    of: str = ""  # the test module that would import them
    missing: set[str] = field(default_factory=set, hash=False)

    def factory(self, model: Model) -> str:
        try:
            module = super().factory(model)
        except CommandError:
            module = "tests.factories"
            self.missing.add(f"make_{model.singular}")
        if module != self.of and self._is_of_no_use(model, module):
            self.missing.add(f"make_{model.singular}")
        return module

    def _is_of_no_use(self, model: Model, module: str) -> bool:
        """Whether it needs arguments, or the two modules would import each other."""
        source = (self.root / f"{module.replace('.', '/')}.py").read_text("utf-8")
        found = re.search(rf"^def make_{model.singular}\((.*)", source, re.MULTILINE)
        needs = found is not None and re.match(r"\w+(: [^=,]+)?,", found[1]) is not None
        return needs or reaches(self.root, module, self.of, "tests.")


class Building:
    """Writes the fields into the copy, file by file."""

    def __init__(self, addition: Addition, values: dict[str, Any], shop: Workshop) -> None:
        self.addition, self.values, self.shop = addition, values, shop
        self.schemas = Schemas()
        self.unguarded: list[str] = []  # methods that do not ask whose it is what a row refers to
        of = f"tests.test_{addition.model.table}"
        self.project = Factories(addition.project.root, of=of)
        self.donors = self._render(addition.entity)
        self.edited: dict[Path, None] = {}

    def _render(self, entity: Entity) -> dict[str, str]:
        """What `new` would write for an entity, by kind of file."""
        folder = self.shop.root / "addition"
        files = render(self.project, entity)
        kinds = {path: kind for kind, path in self.project.files(entity.names).items()}
        places = {kinds[path]: folder / path.relative_to(self.project.root) for path in files}
        for path, text in files.items():
            place = places[kinds[path]]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8", newline="\n")
        ruff(self.shop.root, list(places.values()), *AS_TIGHT)
        found = {kind: place.read_text("utf-8") for kind, place in places.items()}
        shutil.rmtree(folder)
        return found

    def changes(self) -> Changes:
        self.write()
        migration = self._migration()
        changes = Changes(self.project.root)
        *first, last = self.edited
        for path in [*([migration] if migration else []), *first, last]:
            changes.add(path, self.shop.here(path).read_bytes())
        return changes

    def write(self) -> None:
        tidiness = Tidiness(self.shop.root, [self.shop.here(path) for path in self._paths()])
        self._write()
        tidiness.restore()

    # --- Files

    def _paths(self) -> list[Path]:
        """Those that may be edited."""
        feature, root = self.addition.feature, self.project.root
        targets = [each.target for each in self.addition.entity.relations if each.target]
        found = [*feature.files, *(_home(root, each.module) for each in targets)]
        if self.addition.asked:
            found.append(_home(root, self._factory_module()))
        return [path for path in dict.fromkeys(found) if path.exists()]

    def _factory_module(self) -> str:
        return self.addition.project.factory(self.addition.model)

    def _write(self) -> None:
        addition = self.addition
        service = self._graft("service")
        schemas = schemas_of(service, addition)
        graft = self._graft("schemas")
        answers = answers_of(graft, addition, schemas)
        graft_schemas(graft, addition, schemas)
        model = self._graft("model")
        graft_model(model, addition)
        self._save("model", model.result())
        self._write_sides()
        self._save("schemas", graft.result())
        self.unguarded = graft_service(
            service, addition, self._plain_service(), bool(schemas.create)
        )
        self._save("service", service.result())
        self._write_tests(answers)
        if addition.asked:
            self._write_seeds()
        router = self._graft("router")
        self._save("router", graft_router(router, addition, unique_sentence(addition.entity)))
        self.schemas = schemas

    def _graft(self, kind: str, path: Path | None = None) -> Graft:
        path = path or self.addition.path(kind)
        return Graft(self._shown(path), self._text(path), self.donors[kind])

    def _shown(self, path: Path) -> str:
        return path.relative_to(self.project.root).as_posix()

    def _text(self, path: Path) -> str:
        """With the line ends of its owner: `read_text` would take those of Windows away."""
        return self.shop.here(path).read_bytes().decode()

    def _save(self, kind: str, text: str, path: Path | None = None) -> None:
        path = path or self.addition.path(kind)
        if text != self._text(path):
            self.shop.here(path).write_bytes(text.encode())
            self.edited[path] = None

    def _plain_service(self) -> Graft | None:
        """The service of a feature like this one that has nothing `many`."""
        entity = self.addition.entity
        if not entity.manys:
            return None
        some = Attribute(Field("some_number", "int"), entity.names)
        return Graft("", self._render(replace(entity, attributes=(some,)))["service"])

    def _write_sides(self) -> None:
        """What the others list the rows by that refer to them."""
        names = self.addition.model.names
        for each in self.addition.entity.relations:
            side = side_of(each)
            if side is None:
                continue
            path = _home(self.project.root, side.owner_module)
            imports = f"from {self.addition.model.module} import {names.cls}\n"
            imports += "from sqlalchemy.orm import Mapped, relationship\n"
            graft = Graft(self._shown(path), self._text(path), imports)
            graft_other_side(graft, self.addition, each, side.code)
            self._save("", graft.result(), path)

    def _write_tests(self, answers: list[set[str]]) -> None:
        graft = self._graft("tests")
        graft_tests(graft, self.addition, self.project.missing, asked=not self.unguarded)
        self._save("tests", graft.result())
        if self.addition.asked:
            path = _home(self.project.root, self._factory_module())
            if path != self.addition.path("tests"):
                graft = self._graft("tests", path)
                graft_factory(graft, self.addition)
                self._save("tests", graft.result(), path)
        for path in self.addition.feature.files:
            if path.parent.name == "tests":
                graft = Graft(self._shown(path), self._text(path))
                graft_answers(graft, self.addition, answers)
                self._save("tests", graft.result(), path)

    def _write_seeds(self) -> None:
        model = self.addition.model
        path = self.project.root / f"app/cli/seeds/{model.table}.py"
        if path.exists():
            graft = Graft(self._shown(path), self._text(path), LITERALS)
            asked = {
                each.name: kinds.source(self.values[each.name]) for each in self.addition.asked
            }
            graft_calls(graft, model.cls, asked)
            self._save("", graft.result(), path)

    # --- Migration

    def _migration(self) -> Path | None:
        addition = self.addition
        names = [each.field.name for each in addition.entity.attributes]
        values = {name: as_text(value) for name, value in self.values.items()}
        found = [fold(values[each.name]) for each in addition.searched if each.name in values]
        if addition.searched and not addition.is_searched:
            values["search_text"] = "\n".join(found)
        columns = Columns(
            message=_message(names, addition.model.table),
            table=addition.model.table,
            names=columns_of(addition),
            tables=[each.between for each in addition.entity.manys],
            values=values,
            temporary=[each.name for each in addition.asked]
            + (["search_text"] if "search_text" in values else []),
            found_by="".join(f"\n{each}" for each in found) if addition.is_searched else "",
        )
        versions = self.shop.root / "alembic/versions"
        before = set(versions.glob("*.py"))
        try:
            self.shop.ask("columns", columns.dumped())
        except FailedError as failed:
            raise CommandError(f"The migration cannot be made. {failed.reason()}") from None
        (path,) = set(versions.glob("*.py")) - before
        ruff(self.shop.root, [path], *AS_TIGHT)
        return self.project.root / path.relative_to(self.shop.root)


def _message(names: list[str], table: str) -> str:
    """What the migration says it does, in one line."""
    what = " and ".join(names)
    return f"add {what if len(what) <= 45 else f'{len(names)} fields'} to {table}"


# What the values of new columns may need.
LITERALS = """\
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID
"""


def _home(root: Path, module: str) -> Path:
    return root / (module.replace(".", "/") + ".py")
