"""A field in its entity, as the templates spell it."""

from dataclasses import dataclass
from functools import cached_property

from app.cli.scaffold import kinds, samples
from app.cli.scaffold.fields import LINES, Field
from app.cli.scaffold.names import Names
from app.cli.scaffold.project import Model


@dataclass(frozen=True)
class Attribute:
    field: Field
    names: Names
    target: Model | None = None  # of a ref or many; None where it is the entity itself
    alone: bool = True  # the first field that refers to the target, or to the entity itself
    own_uuid: bool = False  # whether the entity itself has one
    guarded: bool = False  # it refers to rows that only their owner sees, as the entity's own
    several: bool = False  # other foreign keys go to the same table: each is to be named

    def __getattr__(self, name: str) -> object:
        return getattr(self.field, name)

    @property
    def name(self) -> str:
        """Of the column, and of the field in schemas: category_id, tag_ids."""
        return self.field.column

    @property
    def relation(self) -> str:
        return self.field.name

    @property
    def is_ref(self) -> bool:
        return self.field.type == "ref"

    @property
    def is_many(self) -> bool:
        return self.field.type == "many"

    @property
    def enum(self) -> str:
        return f"{self.names.cls}{self.field.cls}"

    @property
    def keyed(self) -> bool:
        """Whether it is unique by a key column, without regard to case and until it is deleted."""
        return self.field.unique and self.field.type in ("str", "email")

    @property
    def key_length(self) -> int:
        return self.field.length * (1 if self.field.type == "email" else 3)

    @property
    def sortable(self) -> bool:
        types = (*LINES, *kinds.RANGES)
        fits = self.field.type in types and self.field.type != "url" and self.field.length <= 768
        return fits and not self.field.nullable

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The filters of a list, as names and types."""
        field = self.field
        if field.type in kinds.RANGES:
            kind = kinds.QUERY_TYPES.get(field.type) or self.input
            return [(f"min_{field.name}", kind), (f"max_{field.name}", kind)]
        if field.type in ("bool", "enum", "uuid", "ref", "slug"):
            kind = {"bool": "bool", "ref": self.id_type("Id")}.get(field.type, self.input)
            return [(self.name, kind)]
        return [(field.name, self.input)] if field.index else []

    @property
    def indexed(self) -> bool:
        """Whether the column needs an index of its own: a plain unique constraint is one."""
        wanted = self.sortable or bool(self.filters) or self.field.index
        return wanted and not (self.field.unique and not self.keyed)

    @property
    def searched(self) -> bool:
        return self.field.type in ("str", "text", "email", "slug")

    @property
    def model_type(self) -> str:
        if self.is_ref:
            base = "uuid.UUID" if self.has_uuid else "int"
        else:
            base = kinds.MODEL_TYPES.get(self.field.type) or self.enum
        return f"{base} | None" if self.field.nullable else base

    @property
    def column_arguments(self) -> str:
        arguments = [kinds.column_type(self.field)]
        if self.is_ref:
            rule = "SET NULL" if self.field.nullable else "CASCADE"
            arguments = [f'ForeignKey("{self.table}.id", ondelete="{rule}")']
        if self.default_source is not None:
            arguments.append(f"default={self.callable_default}")
        if self.field.unique and not self.keyed:
            arguments.append("unique=True")
        if self.indexed:
            arguments.append("index=True")
        return ", ".join(filter(None, arguments))

    @cached_property
    def default_source(self) -> str | None:
        if self.field.default is None:
            return None
        value = kinds.read_default(self.field, self.names.words)
        if self.field.type == "enum":
            return f"{self.enum}.{samples.member(value)}"
        return kinds.source(value)

    @property
    def callable_default(self) -> str | None:
        """JSON is a new object for each row."""
        if self.field.type != "json":
            return self.default_source
        return "dict" if self.default_source == "{}" else f"lambda: {self.default_source}"

    @property
    def default_json(self) -> str:
        """What the answer shows when it was left out."""
        if self.default_source is None:
            return "None"
        if self.field.type in ("int", "bigint", "float", "bool", "json"):
            return self.default_source
        value = kinds.read_default(self.field, self.names.words)
        text = value.isoformat() if hasattr(value, "isoformat") else str(value)
        return repr(text.replace("+00:00", "Z"))

    # --- Relationships

    @property
    def has_uuid(self) -> bool:
        """Whether the rows that it refers to have one."""
        return self.target.has_uuid if self.target else self.own_uuid

    @property
    def target_cls(self) -> str:
        return self.target.cls if self.target else self.names.cls

    @property
    def table(self) -> str:
        return self.target.table if self.target else self.names.plural

    @property
    def target_singular(self) -> str:
        return self.target.singular if self.target else self.names.singular

    @property
    def other_side(self) -> str:
        """How the target calls its rows of this entity."""
        if self.target is None and self.field.name == "parent":
            return "children"
        return self.names.plural if self.alone else f"{self.names.plural}_as_{self.field.name}"

    @property
    def between(self) -> str:
        """The table that connects two, by its name."""
        return f"{self.names.singular}_{self.field.name}"

    def id_type(self, kind: str) -> str:
        return "Uuid" if self.has_uuid else kind

    # --- Schemas

    @property
    def alias(self) -> str:
        """The name of its rule in the schemas, where `BookCreate` is one of these already."""
        suffix = (
            "Value" if self.field.name in ("create", "update", "read", "filters", "params") else ""
        )
        return f"{self.names.cls}{self.field.cls}{suffix}"

    @property
    def rule(self) -> str:
        if self.is_many:
            return f"Annotated[list[{self.id_type('JsonId')}], Field(max_length=100)]"
        return kinds.rule(self.field, self.names.words)

    @property
    def input(self) -> str:
        if self.is_ref:
            return self.id_type("JsonId")
        if self.field.type == "enum":
            return self.enum
        return self.alias if self.rule else kinds.SHARED_TYPES[self.field.type]

    @property
    def input_default(self) -> str:
        if self.is_many:
            return " = []"
        if self.default_source is not None:
            return f" = {self.default_source}"
        return " = None" if self.field.nullable else ""

    # --- Tests

    @property
    def samples(self) -> list[str]:
        return samples.sent(self.field)

    @property
    def stored(self) -> list[str]:
        return samples.stored(self.field, self.names.cls)

    @property
    def made(self) -> str:
        return samples.factory(self.field, self.names, self.names.cls)

    @property
    def refused(self) -> list[str]:
        if self.is_ref:
            return ['"x"', "True", "0" if self.id_type("") == "" else "7"] + (
                [] if self.field.nullable else ["None"]
            )
        if self.is_many:
            return ["None", "1", '["x"]']
        return samples.refused(self.field)

    @property
    def matches(self) -> list[tuple[str, list[int]]]:
        return samples.matches(self.field) if self.filters and not self.is_ref else []

    @property
    def small(self) -> str:
        """The schema of one of the many, in an answer."""
        return f"{self.names.cls}{self.target_cls}"

    @property
    def parent(self) -> str:
        """A new row to refer to, in the tests."""
        return f"make_{self.target_singular}({'user_id=user.id' if self.guarded else ''})"

    def id_json(self, row: str) -> str:
        return f"str({row}.id)" if self.id_type("") == "Uuid" else f"{row}.id"

    @property
    def parent_json(self) -> str:
        return self.id_json(self.parent)
