"""The one description of an entity, which feeds every file of its feature."""

from dataclasses import dataclass

from app.cli.scaffold.attribute import Attribute
from app.cli.scaffold.names import Names

WRITERS = {
    # ACCESS level, dependency of the router, fixture of the tests
    "anyone": ("anyone", "", ""),
    "user": ("user", "CurrentUser", "auth_headers"),
    "staff": ("staff", "Staff", "staff_headers"),
    "admin": ("admin", "Admin", "admin_headers"),
}


@dataclass(frozen=True)
class Entity:
    names: Names
    attributes: tuple[Attribute, ...]
    write: str = "user"
    owned: bool = False
    soft_delete: bool = False
    uuid: bool = False
    sends_own: bool = False  # what is sent at least refers to rows of the user, by other fields

    @property
    def level(self) -> str:
        return WRITERS[self.write][0]

    @property
    def writer(self) -> str:
        return WRITERS[self.write][1]

    @property
    def headers(self) -> str:
        return WRITERS[self.write][2]

    @property
    def columns(self) -> list[Attribute]:
        """Those that are columns of the table, in the order in which they were typed."""
        return [each for each in self.attributes if not each.is_many]

    @property
    def plain(self) -> list[Attribute]:
        return [each for each in self.columns if not each.is_ref]

    @property
    def tables(self) -> set[str]:
        return {self.names.plural, *(each.between for each in self.manys)}

    @property
    def several_users(self) -> bool:
        """Whether its owner is not the only user that it refers to."""
        return self.owned and any(each.table == "users" for each in self.refs)

    @property
    def refs(self) -> list[Attribute]:
        return [each for each in self.attributes if each.is_ref]

    @property
    def manys(self) -> list[Attribute]:
        return [each for each in self.attributes if each.is_many]

    @property
    def relations(self) -> list[Attribute]:
        return [each for each in self.attributes if each.is_ref or each.is_many]

    @property
    def enums(self) -> list[Attribute]:
        return [each for each in self.plain if each.field.type == "enum"]

    @property
    def searched(self) -> list[Attribute]:
        return [each for each in self.plain if each.searched]

    @property
    def sortable(self) -> list[str]:
        return [each.name for each in self.plain if each.sortable] + ["created_at"]

    @property
    def unique(self) -> list[Attribute]:
        return [each for each in self.plain if each.field.unique]

    @property
    def mixins(self) -> list[str]:
        wanted = {
            "UuidMixin" if self.uuid else "IdMixin": True,
            "TimestampMixin": True,
            "SoftDeleteMixin": self.soft_delete,
            "SearchMixin": bool(self.searched),
        }
        return [name for name, needed in wanted.items() if needed]

    @property
    def id_type(self) -> str:
        return "uuid.UUID" if self.uuid else "int"

    @property
    def path_type(self) -> str:
        return "Uuid" if self.uuid else "Id"
