"""The verbs that services share. Each public method of a service commits once, by one of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, Select, UpdateBase, bindparam, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from app.core.columns import utcnow
from app.core.errors import InvalidError, NotFoundError, PreconditionFailedError
from app.models.base import Base, SoftDeleteMixin
from app.services.paging import paginate

Model = TypeVar("Model", bound=Base)
Versions = tuple[int, ...] | None  # those that `If-Match` names; None for any

__all__ = [
    "Versions",
    "change_rows",
    "check_version",
    "count",
    "create_many",
    "exists",
    "get_all",
    "get_or_404",
    "get_or_create",
    "paginate",
    "remove",
    "restore",
    "save",
]

CHUNK = 1000  # rows in one statement; PostgreSQL takes 65,535 parameters


def get_or_404(
    db: Session,
    model: type[Model],
    row_id: Any,
    *where: ColumnElement[bool],
    if_match: Versions = None,
    include_deleted: bool = False,
    options: Sequence[ORMOption] = (),
    lock: bool = False,
) -> Model:
    """The row, or a NotFoundError that says the same for a missing, deleted or foreign one.

    where: what else the row must be, such as the user's own.
    if_match: the versions that the client has seen; PreconditionFailedError for another one.
    options: what is loaded with it, such as `selectinload(Order.items)`.
    lock: as it is now, and unchanged by others until the session ends.
    """
    statement = _by_id(model, include_deleted)
    if where:
        statement = statement.where(*where)
    if options:
        statement = statement.options(*options)
    if lock:
        # SQLite has no lock on a row: there, whoever writes has the database to itself.
        statement = statement.with_for_update().execution_options(populate_existing=True)
    row: Model | None = db.scalar(statement, {"row_id": row_id})
    if row is None:
        raise NotFoundError(f"{_title(model)} not found.")
    check_version(row, if_match)
    return row


@lru_cache  # building a statement takes a quarter of the time of running it
def _by_id(model: type[Base], include_deleted: bool) -> Select[Any]:
    entity: Any = model
    conditions = _not_deleted(model, include_deleted)
    return select(entity).where(entity.id == bindparam("row_id"), *conditions)


def get_all(
    db: Session,
    model: type[Model],
    row_ids: Iterable[Any],
    *where: ColumnElement[bool],
    field: str,
) -> list[Model]:
    """The rows with these ids. An InvalidError about `field` when one of them is missing.

    where: what else the rows must be, such as the user's own.
    """
    wanted, entity = set(row_ids), cast(Any, model)
    statement = select(entity).where(entity.id.in_(wanted), *where, *_not_deleted(model))
    rows: list[Model] = list(db.scalars(statement.order_by(entity.id))) if wanted else []
    if len(rows) < len(wanted):
        raise InvalidError("It refers to something that does not exist.", field=field)
    return rows


def check_version(row: Base, if_match: Versions) -> None:
    """Raise a PreconditionFailedError when the client has seen another version of the row."""
    if if_match is not None and row.version not in if_match:
        raise PreconditionFailedError(f"{_title(type(row))} has changed since you read it.")


def save(db: Session, row: Model, **changes: Any) -> Model:
    """Apply `changes`, write the row and commit."""
    for name, value in changes.items():
        setattr(row, name, value)
    db.add(row)
    db.commit()
    return row


def remove(db: Session, row: Base, *, hard: bool = False) -> None:
    """Delete the row and commit. A model that keeps deleted rows only marks it, unless `hard`."""
    if isinstance(row, SoftDeleteMixin) and not hard:
        row.deleted_at = utcnow()
    else:
        db.delete(row)
    db.commit()


def restore(db: Session, row: Model) -> Model:
    """Undo `remove`. A ConflictError when what made the row unique is taken by now."""
    return save(db, row, deleted_at=None)


def exists(db: Session, model: type[Base], *where: ColumnElement[bool]) -> bool:
    return bool(db.scalar(select(select(model).where(*where, *_not_deleted(model)).exists())))


def count(db: Session, model: type[Base], *where: ColumnElement[bool]) -> int:
    statement = select(func.count()).select_from(model)
    return db.scalar(statement.where(*where, *_not_deleted(model))) or 0


def change_rows(db: Session, statement: UpdateBase) -> int:
    """Run an UPDATE or DELETE as it is written; how many rows it changed. The caller commits."""
    result: Any = db.execute(statement, execution_options={"synchronize_session": False})
    return int(result.rowcount)


def get_or_create(
    db: Session, model: type[Model], defaults: Mapping[str, Any] | None = None, **unique: Any
) -> Model:
    """The row with `unique` values, made when there is none. The caller commits.

    Two at once make one row: the insert stands in a savepoint, and who comes second reads the
    row of the first. `unique` must be what a unique constraint covers.
    """
    statement = select(model).filter_by(**unique)
    if row := db.scalar(statement):
        return row
    row = model(**unique, **(defaults or {}))
    try:
        with db.begin_nested():
            db.add(row)
    except IntegrityError:
        if other := db.scalar(statement):
            return other
        raise  # it was not about `unique`
    return row


def create_many(db: Session, rows: Iterable[Base]) -> int:
    """Insert the rows and commit: all of them or none.

    One statement for each thousand; on SQLite, where a statement is no round trip, one for each.
    The rows are let go from the session.
    """
    written = 0
    chunk: list[Base] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            written += _flush(db, chunk)
            chunk = []
    written += _flush(db, chunk)
    db.commit()
    return written


def _flush(db: Session, chunk: list[Base]) -> int:
    db.add_all(chunk)
    db.flush()
    for row in chunk:
        db.expunge(row)  # a million rows must not stay in memory
    return len(chunk)


def _not_deleted(model: type[Base], include_deleted: bool = False) -> list[ColumnElement[bool]]:
    if include_deleted or not issubclass(model, SoftDeleteMixin):
        return []
    return [model.deleted_at.is_(None)]


def _title(model: type[Base]) -> str:
    """OrderItem -> "Order item"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", model.__name__).capitalize()
