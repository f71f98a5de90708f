"""Column types that mean the same on SQLite, PostgreSQL, MySQL and MariaDB.

Models and migrations name plain types (`String(50)`, `DateTime(timezone=True)`); how each database
spells them is settled here, once, when the DDL is compiled.
"""

from copy import copy
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, DateTime, Dialect, Enum, String, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import now
from sqlalchemy.types import TypeDecorator


def utcnow() -> datetime:
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides. SQLite and MySQL keep no zone: they store UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        if dialect.name == "postgresql":
            return None  # its driver gives aware moments in UTC, the zone of our connections
        return super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _collate(spelling: str, collation: str, options: dict[str, Any]) -> str:
    """Add `collation` to the type of a column, and nowhere else: a cast does not take one."""
    in_column = isinstance(options.get("type_expression"), Column) and "COLLATE" not in spelling
    return f"{spelling} {collation}" if in_column else spelling


def collated(type_: String, dialect: str) -> String:
    """The type with its collation, for a column that is altered: it is not known as one there."""
    found = copy(type_)
    found.collation = type_.collation or ("C" if dialect == "postgresql" else "utf8mb4_bin")
    return found


# Text is unique and sorted by code point: "u" is not "ú", and all databases agree.
for _type, _visit in ((String, "visit_string"), (Text, "visit_text"), (Enum, "visit_enum")):

    def _postgresql(type_: Any, compiler: Any, _visit: str = _visit, **options: Any) -> str:
        spelling = getattr(compiler, _visit)(type_, **options)
        return _collate(spelling, 'COLLATE "C"', options)

    def _mysql(type_: Any, compiler: Any, _visit: str = _visit, **options: Any) -> str:
        spelling = getattr(compiler, _visit)(type_, **options)
        return _collate(spelling, "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", options)

    compiles(_type, "postgresql")(_postgresql)
    compiles(_type, "mysql", "mariadb")(_mysql)


@compiles(Text, "mysql", "mariadb")
def _long_text(type_: Text, compiler: Any, **options: Any) -> str:
    # MySQL's TEXT ends at 64 KiB, which is no more than 16,000 characters.
    spelling = compiler.visit_LONGTEXT(type_, **options)
    return _collate(spelling, "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", options)


@compiles(DateTime, "mysql", "mariadb")
def _with_microseconds(type_: DateTime, compiler: Any, **options: Any) -> str:
    return "DATETIME(6)"


@compiles(now, "mysql", "mariadb")
def _now_with_microseconds(element: now, compiler: Any, **options: Any) -> str:
    return "CURRENT_TIMESTAMP(6)"


@compiles(now, "sqlite")
def _now_as_stored(element: now, compiler: Any, **options: Any) -> str:
    # SQLite compares moments as text: CURRENT_TIMESTAMP, cut at the second, equals none of ours.
    return "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))"
