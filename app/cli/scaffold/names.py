"""The spellings of an entity: order_item, OrderItem, order-items, "order items"."""

import builtins
import keyword
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pluralizer import Pluralizer

from app.cli.console import CommandError

_english: Any = Pluralizer()  # type: ignore[no-untyped-call]

# Classes that the files of a feature import or that Python knows: a feature's own would hide them.
TAKEN_CLASSES = {
    *("Annotated", "Any", "Base", "Column", "Decimal", "Double", "Field", "ForeignKey", "Index"),
    *("Anyone", "Admin", "Staff", "CurrentUser", "SessionDep", "IfMatch", "Versions", "Query"),
    *("BigInteger", "Date", "Numeric", "Mapped", "Session", "String", "Table", "Text", "Headers"),
    *("Page", "Id", "JsonId", "Count", "Money", "Price", "Flag", "Int", "Float", "Email"),
    *("Day", "Moment", "TimeOfDay", "Uuid", "Url", "Slug", "JsonObject", "BigInt"),
    *("QueryInt", "QueryFloat", "QueryBigInt", "ListParams", "SearchParams"),
    *("InputSchema", "ReadSchema", "UpdateSchema", "APIRouter", "TestClient", "User", "Role"),
    *("IdMixin", "UuidMixin", "TimestampMixin", "SoftDeleteMixin", "SearchMixin"),
}
# Names that the functions of a feature use for something else.
TAKEN_NAMES = {
    *("db", "data", "params", "user", "if_match", "router", "select", "save", "remove", "paginate"),
    *("app", "test", "tests", "client", "count", "pytest", "enum", "uuid", "date", "time"),
    *("datetime", "stored", "writing", "response", "path", "row", "rows", "text", "line", "base"),
    *("metadata", "registry", "model", "models", "add", "delete", "headers", "statements"),
}


def singular(word: str) -> str:
    return str(_english.singular(word))


def plural(word: str) -> str:
    return str(_english.plural(word))


@dataclass(frozen=True)
class Names:
    singular: str  # order_item
    plural: str  # order_items

    @cached_property
    def cls(self) -> str:
        return pascal(self.singular)

    @cached_property
    def classes(self) -> str:
        return pascal(self.plural)

    @cached_property
    def words(self) -> str:
        return self.singular.replace("_", " ")

    @cached_property
    def many(self) -> str:
        return self.plural.replace("_", " ")

    @cached_property
    def title(self) -> str:
        return self.words.capitalize()

    @cached_property
    def url(self) -> str:
        return self.plural.replace("_", "-")

    @cached_property
    def article(self) -> str:
        return "an" if self.singular[0] in "aeio" else "a"

    @property
    def spellings(self) -> list[tuple[str, str]]:
        """Each spelling with its name, the longer ones first, as far as they differ."""
        found = {
            "classes": self.classes,
            "cls": self.cls,
            "plural": self.plural,
            "singular": self.singular,
            "url": self.url,
            "kebab": self.singular.replace("_", "-"),
            "Many": self.many.capitalize(),
            "title": self.title,
            "many": self.many,
            "words": self.words,
            "UPPERS": self.plural.upper(),
            "UPPER": self.singular.upper(),
        }
        return sorted(found.items(), key=lambda pair: -len(pair[1]))


def pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def snake(name: str) -> str:
    """OrderItem, order-item and order_item are order_item."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return parted.replace("-", "_").replace(" ", "_").lower()


def entity_names(text: str, plural_text: str | None = None) -> Names:
    """The names of a new entity, or a CommandError that says what is wrong with them."""
    name = snake(text)
    check_identifier(name, "an entity", "order_item, OrderItem or order-item")
    given = snake(plural_text) if plural_text else None
    if given:
        check_identifier(given, "a plural", "people")
    head, _, last = name.rpartition("_")
    one = singular(last)
    if not given and name not in TAKEN_NAMES and one != last and plural(one) == last:
        better = f"{head}_{one}" if head else one
        raise CommandError(
            f"{name} is a plural, and an entity is one of them: python run.py new {better} ... "
            f"If it is one, name its plural: --plural ..."
        )
    many = given or "_".join(filter(None, [head, plural(last)]))
    names = Names(name, many)
    if names.cls in TAKEN_CLASSES or name in TAKEN_NAMES or many in TAKEN_NAMES:
        raise CommandError(
            f"{name} would hide a name that every feature uses. Say more: {_longer(name)}"
        )
    if hasattr(builtins, name) or hasattr(builtins, names.cls) or hasattr(builtins, many):
        raise CommandError(f"{name} would hide a name of Python. Say more: {_longer(name)}")
    return names


def check_identifier(name: str, what: str, examples: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise CommandError(f"{name!r} is no name of {what}. Write it as {examples}.")
    if len(name) > 40:
        raise CommandError(f"{name} is longer than 40 characters: databases cut such names.")
    if keyword.iskeyword(name) or keyword.iskeyword(name.title()):
        raise CommandError(f"{name} is a word of Python itself. Say more: {_longer(name)}")


def _longer(name: str) -> str:
    return f"{name}_entry, shop_{name} ..."
