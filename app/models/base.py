"""What the tables share: one base and mixins to choose from."""

import enum
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    Enum,
    MetaData,
    Numeric,
    String,
    Text,
    event,
    func,
    inspect,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedColumn,
    Mapper,
    declared_attr,
    mapped_column,
)

from app.core.columns import UtcDateTime, utcnow
from app.core.text import fold, key_of

# Every constraint has a name, so that a migration can drop it on any database.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table.

    `version` counts the changes of a row. SQLAlchemy adds it to the WHERE of each UPDATE, so of two
    that read the same row one fails; it is the row's `ETag`.
    """

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        Decimal: Numeric(10, 2),  # money; a float could not hold 0.10
        # Stored by value as text: a native enum cannot lose a member on PostgreSQL.
        enum.Enum: Enum(
            enum.Enum,
            native_enum=False,
            length=20,
            values_callable=lambda members: [member.value for member in members],
        ),
    }

    version: Mapped[int] = mapped_column(default=1, sort_order=92)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.version}

    def to_dict(self) -> dict[str, Any]:
        """The columns by name, without secrets and without what only the database needs."""
        return {name: getattr(self, name) for name in _public_names(type(self))}

    def __repr__(self) -> str:
        # From what is loaded: printing a row must not query the database.
        loaded = inspect(self).dict
        values = (f"{n}={loaded[n]!r}" for n in _public_names(type(self)) if n in loaded)
        return f"{type(self).__name__}({', '.join(values)})"


class IdMixin:
    id: Mapped[int] = mapped_column(primary_key=True, sort_order=-1)


class UuidMixin:
    """Instead of `IdMixin`, where ids must not be guessed or counted."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4, sort_order=-1)


class TimestampMixin:
    created_at: Mapped[datetime] = mapped_column(
        default=utcnow, server_default=func.now(), index=True, sort_order=90
    )
    updated_at: Mapped[datetime] = mapped_column(
        default=utcnow, server_default=func.now(), onupdate=utcnow, sort_order=91
    )


class SoftDeleteMixin:
    """Deleted rows stay, and no list or read finds them (see `app.services.base`)."""

    deleted_at: Mapped[datetime | None] = mapped_column(sort_order=93)

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None


class SearchMixin:
    """`q` finds the rows in which one of the `searched` columns holds the text."""

    searched: ClassVar[tuple[str, ...]]

    @declared_attr
    def search_text(cls) -> Mapped[str]:
        def derive(row: Any) -> str:
            return "\n".join(fold(str(getattr(row, name) or "")) for name in cls.searched)

        return mapped_column(Text, sort_order=94, info={"derive": derive, "hidden": True})


def unique_key(of: str, length: int) -> MappedColumn[str | None]:
    """A column that makes another one unique without regard to case, until the row is deleted.

    A plain unique constraint over text made comparable in Python: MariaDB has neither an index
    over `lower(...)` nor one over a part of the rows, and the others fold ASCII only.

    length: of the folded text, which may be three times as long (`ß` is folded to `ss`).
    """

    def derive(row: Any) -> str | None:
        text: str | None = getattr(row, of)
        return None if text is None or getattr(row, "is_deleted", False) else key_of(text)

    return mapped_column(
        String(length), unique=True, sort_order=95, info={"derive": derive, "hidden": True}
    )


def _columns(mapper: Mapper[Any]) -> Iterator[tuple[str, Column[Any]]]:
    """The columns of the table, by attribute. What a `column_property` computes is none."""
    for attr in mapper.column_attrs:
        if isinstance(column := attr.columns[0], Column):
            yield attr.key, column


@lru_cache
def _public_names(model: type[Base]) -> tuple[str, ...]:
    columns = _columns(inspect(model))
    return tuple(name for name, column in columns if not column.info.get("hidden"))


@lru_cache
def _derived(mapper: Mapper[Any]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple(
        (name, column.info["derive"])
        for name, column in _columns(mapper)
        if "derive" in column.info
    )


@event.listens_for(Base, "before_insert", propagate=True)
@event.listens_for(Base, "before_update", propagate=True)
def _derive_columns(mapper: Mapper[Any], _connection: Connection, row: Base) -> None:
    for name, derive in _derived(mapper):
        setattr(row, name, derive(row))
