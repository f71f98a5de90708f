"""From the words of a command line to an entity, or to one line that says what is wrong."""

from collections.abc import Collection
from difflib import get_close_matches

from app.cli.console import CommandError
from app.cli.scaffold import kinds
from app.cli.scaffold.attribute import Attribute
from app.cli.scaffold.entity import WRITERS, Entity
from app.cli.scaffold.fields import Field, parse_fields
from app.cli.scaffold.names import Names, entity_names, singular, snake
from app.cli.scaffold.project import Model, Project


def describe(
    project: Project,
    name: str,
    fields: list[str],
    *,
    plural: str | None = None,
    write: str = "user",
    owned: bool = False,
    soft_delete: bool = False,
    uuid: bool = False,
) -> Entity:
    """The entity that the words of a command line describe, or a CommandError."""
    names = entity_names(name, plural)
    parsed = parse_fields(fields)
    if write not in WRITERS:
        raise CommandError(f"--write {write}: there are {', '.join(WRITERS)}.")
    if owned and write != "user":
        raise CommandError("--owned rows are written by the user that they belong to: no --write.")
    attributes = _attributes(project, names, parsed, owned, uuid)
    entity = Entity(names, attributes, write, owned, soft_delete, uuid)
    _check(project, entity)
    return entity


def _attributes(
    project: Project, names: Names, fields: tuple[Field, ...], owned: bool, uuid: bool
) -> tuple[Attribute, ...]:
    targets: list[Model | None] = []
    for field in fields:
        kinds.check_numbers(field)
        linked = field.type in ("ref", "many")
        targets.append(find_target(project, names, field) if linked else None)
    attributes: list[Attribute] = []
    known = {"users"} if owned else set[str]()  # tables that have another side of this entity
    pairs = list(zip(fields, targets, strict=True))
    tables = [Attribute(f, names, t).table for f, t in pairs if f.type == "ref"]
    tables += ["users"] if owned else []
    for field, target in pairs:
        table = Attribute(field, names, target).table
        linked = field.type in ("ref", "many")
        several = field.type == "ref" and tables.count(table) > 1
        guarded = is_guarded(field, target, owned)
        attributes.append(
            Attribute(field, names, target, table not in known, uuid, guarded, several)
        )
        known |= {table} if linked else set()
    return tuple(attributes)


def is_guarded(field: Field, target: Model | None, owned: bool) -> bool:
    """Whether an owned row may refer by it to rows of the same owner only."""
    return owned and field.type in ("ref", "many") and (target is None or target.owned)


def find_target(project: Project, names: Names, field: Field) -> Model | None:
    own = field.target in ("self", names.singular, names.plural)
    if own and field.type == "many":
        raise CommandError(f"{field.name}: many of the entity itself is not to be had; take a ref.")
    if own and not field.nullable:
        better = f"{field.name}:ref:self:optional"
        raise CommandError(f"{field.name}: the first row has none to refer to. Write {better}")
    if own:
        return None
    model = project.find(field.target)
    if model is None:
        known = [each for each in project.models if project.files(each.names)["router"].exists()]
        spelled = [name for each in known for name in (each.singular, each.table)]
        near = get_close_matches(snake(field.target), spelled, 1)
        there = ", ".join(sorted(each.singular for each in known))
        hint = f"Did you mean {near[0]}?" if near else f"There are {there}."
        raise CommandError(
            f"{field.name}: there is no {field.target} to refer to. {hint} "
            f"Or make it first: python run.py new {singular(snake(field.target))}"
        )
    return model


def _check(project: Project, entity: Entity) -> None:
    names = entity.names
    check_free(project, names, {each.between for each in entity.manys})
    columns = {each.name for each in entity.attributes}
    columns |= {each.relation for each in entity.relations}
    if entity.owned and columns & {"user", "user_id"}:
        raise CommandError("--owned rows have a user already: leave the field out, or --owned.")
    if all(each.is_ref and each.target is None for each in entity.attributes):
        raise CommandError(f"{names.cls} would refer to itself only. Add a field: name:str:200")
    for each in entity.attributes:
        if each.keyed and f"{each.name}_key" in columns:
            raise CommandError(f"{each.name}_key is the column that makes {each.name} unique.")
        if each.name in (names.singular, names.plural):
            raise CommandError(f"{each.name} is the entity's own name. Take another one.")
        if each.default_source is None and each.relation and each.target:
            _check_other_side(each)


def _check_other_side(attribute: Attribute) -> None:
    assert attribute.target
    if attribute.relation and attribute.other_side in attribute.target.members:
        raise CommandError(
            f"{attribute.relation}: {attribute.target.cls} has something called "
            f"{attribute.other_side} already. Take another name for the entity."
        )


def check_free(project: Project, names: Names, between: Collection[str] = ()) -> None:
    """Raise a CommandError when something of the name is there already."""
    for model in project.models:
        if model.cls == names.cls or model.table == names.plural:
            where = f"{model.module.replace('.', '/')}.py, table {model.table}"
            raise CommandError(
                f"{names.cls} exists already: {where}. "
                f"Take another name, or: python run.py remove {model.singular}"
            )
    for table in {names.plural, *between} & project.tables:
        raise CommandError(f"There is a table {table} already. Take another name.")
    for path in project.files(names).values():
        if path.exists() and path.read_text("utf-8").strip():
            shown = path.relative_to(project.root).as_posix()
            raise CommandError(f"{shown} exists already, and would be overwritten. Move it away.")
