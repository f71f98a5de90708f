"""What `add-field` is told, as the description of an entity that has nothing but the new fields."""

import ast
import re
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from app.cli.console import CommandError
from app.cli.scaffold import kinds
from app.cli.scaffold.attribute import Attribute
from app.cli.scaffold.describing import find_target, is_guarded
from app.cli.scaffold.entity import Entity
from app.cli.scaffold.features import Feature, find_feature, imported
from app.cli.scaffold.fields import Field, parse_fields
from app.cli.scaffold.project import Model, Project


@dataclass(frozen=True)
class Addition:
    """New fields of a living feature."""

    project: Project
    feature: Feature
    entity: Entity  # of the new fields, with the options of the living one
    there: tuple[Field, ...]  # what it has already
    typed: dict[str, str]  # the words of the command line, by the name of the field
    keys: tuple[tuple[str, str], ...]  # the foreign keys that it has already: column and table

    @property
    def model(self) -> Model:
        return self.feature.model

    def path(self, kind: str) -> Path:
        return self.project.files(self.model.names)[kind]

    @cached_property
    def is_searched(self) -> bool:
        return "SearchMixin" in self.model.bases

    @cached_property
    def searched(self) -> list[Attribute]:
        """Those that `q` is to look into.

        A feature whose text is not searched stays so: that was somebody's decision.
        """
        texts = any("str" in annotation for annotation in self.model.members.values())
        return self.entity.searched if self.is_searched or not texts else []

    @cached_property
    def asked(self) -> list[Attribute]:
        """Those that the rows of the table have no value for."""
        return [each for each in self.entity.columns if each.field.required]

    def is_behind(self, attribute: Attribute) -> bool:
        """Whether the model that it refers to imports this one, so that this one cannot do so."""
        target = attribute.target
        return target is not None and reaches(self.project.root, target.module, self.model.module)


def read_addition(project: Project, typed: str, fields: list[str]) -> Addition:
    """What the words of a command line say, or a CommandError."""
    if not fields:
        raise CommandError("Name the fields to add: python run.py add-field book price:decimal")
    feature = _find(project, typed)
    parsed = parse_fields(fields)
    new, there = [], []
    for field, attribute in zip(parsed, _attributes(project, feature.model, parsed), strict=True):
        if is_there(feature, attribute):
            there.append(field)
        else:
            _check(project, feature.model, attribute)
            new.append(attribute)
    model = feature.model
    tests = project.files(model.names)["tests"].read_text("utf-8")
    entity = Entity(
        model.names,
        tuple(new),
        _write(model, tests),
        owned=model.private,
        soft_delete="SoftDeleteMixin" in model.bases,
        uuid=model.has_uuid,
        sends_own=bool(re.search(rf"def new_{model.singular}\(\s*user\b", tests)),
    )
    words = dict(zip((each.name for each in parsed), fields, strict=True))
    return Addition(project, feature, entity, tuple(there), words, tuple(_keys(project, model)))


def _find(project: Project, typed: str) -> Feature:
    try:
        return find_feature(project, typed)
    except CommandError:
        model = project.find(typed)
        if model is None:
            raise
        for kind, path in project.files(model.names).items():
            if not path.exists():
                shown = path.relative_to(project.root).as_posix()
                home = f"{model.module.replace('.', '/')}.py"
                raise CommandError(
                    f"{model.cls} is no feature of its own: looked for its {kind} in {shown}. "
                    f"Write the column into {home}, and then: alembic revision --autogenerate"
                ) from None
        raise


def _write(model: Model, tests: str) -> str:
    """Who may write, as the ACCESS rows of its tests say."""
    found = re.search(rf'\("POST", "/{model.names.url}", "(\w+)"\)', tests)
    return found[1] if found else "user"


# --- Fields ------------------------------------------------------------------------------------


def _attributes(project: Project, model: Model, fields: tuple[Field, ...]) -> tuple[Attribute, ...]:
    tables = _references(project, model)
    members = {each.cls: set(each.members) for each in project.models}
    plain: list[Attribute] = []
    for field in fields:
        kinds.check_numbers(field)
        linked = field.type in ("ref", "many")
        target = find_target(project, model.names, field) if linked else None
        guarded = is_guarded(field, target, model.private)
        plain.append(
            Attribute(field, model.names, target, own_uuid=model.has_uuid, guarded=guarded)
        )
        if field.default is not None:
            kinds.read_default(field, model.names.words)
    tables += [each.table for each in plain if each.is_ref]
    found: list[Attribute] = []
    for each in plain:
        several = each.is_ref and tables.count(each.table) > 1
        alone = each.other_side not in members[each.target_cls]
        attribute = replace(each, alone=alone, several=several)
        if each.is_ref or each.is_many:
            members[each.target_cls].add(attribute.other_side)
        found.append(attribute)
    return tuple(found)


def _references(project: Project, model: Model) -> list[str]:
    """The tables that its columns refer to."""
    return [table for _, table in _keys(project, model)]


def _keys(project: Project, model: Model) -> list[tuple[str, str]]:
    """Its foreign keys, as columns and tables."""
    source = (project.root / (model.module.replace(".", "/") + ".py")).read_text("utf-8")
    found = []
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == model.cls:
            for each in node.body:
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    table = re.search(r"ForeignKey\(\s*'(\w+)\.", ast.unparse(each))
                    found += [(each.target.id, table[1])] if table else []
    return found


def is_there(feature: Feature, attribute: Attribute) -> bool:
    """Whether the model has the field. A CommandError when it has another one of the name."""
    members, cls = feature.model.members, feature.model.cls
    if attribute.is_many:
        if attribute.relation not in members:
            return False
        if attribute.target_cls in members[attribute.relation]:
            return True
        raise CommandError(f"{cls} has a {attribute.relation} already, and of something else.")
    if attribute.name not in members:
        return False
    (found,) = [
        ast.unparse(each)
        for node in ast.parse(feature.source).body
        if isinstance(node, ast.ClassDef) and node.name == cls
        for each in node.body
        if getattr(getattr(each, "target", each), "id", getattr(each, "name", "")) == attribute.name
    ][:1]
    wanted = f"{attribute.name}: Mapped[{attribute.model_type}]"
    if attribute.column_arguments:
        wanted += f" = mapped_column({attribute.column_arguments})"
    if ast.unparse(ast.parse(wanted)) == found:
        return True
    raise CommandError(
        f"{cls} has a {attribute.name} already, and another one: {found.splitlines()[0]}"
    )


def _check(project: Project, model: Model, attribute: Attribute) -> None:
    names, members = model.names, model.members
    if attribute.name in (names.singular, names.plural):
        raise CommandError(f"{attribute.name} is the entity's own name. Take another one.")
    taken = {attribute.relation} if attribute.is_ref or attribute.is_many else set()
    taken |= {f"{attribute.name}_key"} if attribute.keyed else set()
    for name in sorted(taken & set(members)):
        raise CommandError(f"{model.cls} has something called {name} already.")
    if attribute.field.unique and attribute.field.required:
        better = f"{attribute.field.name}:{attribute.field.type}:unique:optional"
        raise CommandError(
            f"{attribute.name}: rows that are there would all have the same, and it is unique. "
            f"Make it optional, give each row its own, and make it required then: {better}"
        )
    if attribute.is_ref and attribute.field.required:
        typed = f"{attribute.field.name}:ref:{attribute.field.target}:optional"
        raise CommandError(
            f"{attribute.name}: rows that are there refer to nothing yet. Write {typed}"
        )
    if attribute.target is None:
        return
    if attribute.other_side in attribute.target.members:
        raise CommandError(
            f"{attribute.relation}: {attribute.target.cls} has something called "
            f"{attribute.other_side} already. Take another name for the field."
        )
    if attribute.is_ref and _circle(project, attribute.target, names.plural):
        raise CommandError(
            f"{attribute.relation}: {attribute.target.table} refers to {names.plural} already, "
            "itself or by others. Tables in a circle cannot be made one after the other."
        )


def _circle(project: Project, start: Model, table: str) -> bool:
    tables = {each.table: _references(project, each) for each in project.models}
    ahead, seen = [start.table], set[str]()
    while ahead:
        one = ahead.pop()
        if one == table:
            return True
        ahead += [each for each in tables.get(one, []) if each not in seen]
        seen.add(one)
    return False


def reaches(root: Path, start: str, module: str, within: str = "app.models.") -> bool:
    """Whether the first module imports the second, itself or by others of the same package."""
    ahead, seen = [start], set[str]()
    while ahead:
        one = ahead.pop()
        if one == module:
            return True
        path = root / (one.replace(".", "/") + ".py")
        if one not in seen and path.exists():
            ahead += [each for each in imported(path) if each.startswith(within)]
        seen.add(one)
    return False
