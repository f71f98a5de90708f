"""A request that makes something, sent again with the same key, makes it once.

The key is a row, written in the transaction of what the request makes: the two are there together
or not at all, whenever the process is killed. A second request with the same key runs into the
unique constraint and waits until the first one is through; then it is answered with what that made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic_core import to_jsonable_python
from sqlalchemy import Connection, delete, event, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, SessionTransaction

from app.core.columns import utcnow
from app.core.db_errors import LOCK_WAIT, UNIQUE, code_of
from app.core.engines import lock_wait
from app.core.errors import ConflictError, InvalidError
from app.models.base import Base
from app.models.idempotency_key import IdempotencyKey
from app.services.base import CHUNK, change_rows
from app.services.loading import load_shown

LIFETIME = timedelta(hours=24)
PATIENCE = 1  # seconds to wait for a request with the same key
IN_FLIGHT = "A request with this Idempotency-Key is still running. Try again in a moment."
COMMIT_ONCE = "A service commits once, at its end, and does not roll back after that."


@dataclass(frozen=True)
class KeyedRequest:
    """request_hash: of all that another request with the same key must have in common."""

    user_id: int
    key: str
    route: str
    request_hash: str


class _KeyUsedError(Exception):
    """There is a row with this key."""


def create_once(
    db: Session, request: KeyedRequest, schema: Any, create: Callable[[], Any]
) -> tuple[Any, bool]:
    """What `create` makes, or made for this request before, and whether it was before.

    `create` calls one method of a service, which commits at its end. schema: of the answer.
    """
    service = _HeldService(db, request)
    try:
        with service:
            made = create()
    except _KeyUsedError:
        db.rollback()
        return _find_made(db, request, schema), True
    except Exception:
        if service.committed:
            # What it counted, such as a wrong try, stays; the key does not.
            change_rows(db, delete(IdempotencyKey).where(IdempotencyKey.id == service.key_id))
            db.commit()
        raise
    if service.committed:
        _note_made(db, service.key_id, made)
        db.commit()
    return made, False


class _HeldService:
    """In the block, a commit is only a flush: what the service returns is still to be noted.

    Each transaction begins with the key. (A service that hashes a password rolls back before, to
    hold no connection meanwhile.)
    """

    def __init__(self, db: Session, request: KeyedRequest) -> None:
        self.db = db  # check: R52 because it lives as long as the block that uses it
        self.request = request
        self.key_id = 0
        self.committed = False

    def __enter__(self) -> None:
        self.key_id = _claim(self.db.connection(), self.request)
        event.listen(self.db, "after_begin", self.begin)
        self.db.commit = self.commit  # type: ignore[method-assign]

    def __exit__(self, *_: object) -> None:
        del self.db.commit
        event.remove(self.db, "after_begin", self.begin)

    def begin(self, _: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if transaction.parent is not None:
            return  # a savepoint
        if self.committed:
            raise RuntimeError(COMMIT_ONCE)
        self.key_id = _claim(connection, self.request)

    def commit(self) -> None:
        self.db.flush()
        self.committed = True


# The statements find keys by id: MariaDB also locks what an UPDATE or DELETE looks at in passing,
# and that may be the key of a request in flight.


def _claim(connection: Connection, request: KeyedRequest) -> int:
    """Insert the key and return its id; delete those of the user that have expired."""
    try:
        with lock_wait(connection, PATIENCE):
            _forget_expired(connection, request)
            result = connection.execute(insert(IdempotencyKey).values(**vars(request)))
    except DBAPIError as error:
        if code_of(error) in UNIQUE:
            raise _KeyUsedError from error
        if code_of(error) in LOCK_WAIT:
            raise ConflictError(IN_FLIGHT) from error
        raise
    (key_id,) = result.inserted_primary_key or (0,)
    return int(key_id)


def _forget_expired(connection: Connection, request: KeyedRequest) -> None:
    mine = IdempotencyKey.user_id == request.user_id
    expired = (
        select(IdempotencyKey.id)
        .where(mine, IdempotencyKey.created_at < utcnow() - LIFETIME)
        .order_by((IdempotencyKey.key == request.key).desc())  # this one must go
        .limit(CHUNK)
    )
    if ids := connection.scalars(expired).all():
        connection.execute(delete(IdempotencyKey).where(IdempotencyKey.id.in_(ids)))


def _note_made(db: Session, key_id: int, made: Any) -> None:
    values: dict[str, Any]
    if isinstance(made, Base):
        (created_id,) = inspect(made).identity or (None,)
        values = {"created_table": made.__tablename__, "created_id": str(created_id)}
    else:
        values = {"answer": to_jsonable_python(made)}
    key = update(IdempotencyKey).where(IdempotencyKey.id == key_id)
    if change_rows(db, key.values(values)) != 1:
        raise RuntimeError(COMMIT_ONCE)


def _find_made(db: Session, request: KeyedRequest, schema: Any) -> Any:
    """What the first request with this key made, as it is now."""
    first = db.scalar(
        select(IdempotencyKey).where(
            IdempotencyKey.user_id == request.user_id, IdempotencyKey.key == request.key
        )
    )
    if first is None:
        raise ConflictError(IN_FLIGHT)  # it was deleted since we ran into it
    if (first.route, first.request_hash) != (request.route, request.request_hash):
        raise InvalidError("This Idempotency-Key was used for another request.")
    if first.created_table is None:
        return first.answer
    model: Any = next(
        mapper.class_
        for mapper in Base.registry.mappers
        if mapper.class_.__tablename__ == first.created_table
    )
    created_id = model.__table__.c.id.type.python_type(first.created_id)
    row = db.scalar(select(model).where(model.id == created_id).options(*load_shown(model, schema)))
    if row is None or getattr(row, "is_deleted", False):
        raise ConflictError("What this Idempotency-Key made was deleted since.")
    return row
