"""Lists: filtered, searched, sorted, and cut into pages; by cursor, the last costs as the first."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.core.config import get_settings
from app.core.errors import InvalidError
from app.models.base import Base
from app.schemas.base import ListParams, Page, ReadSchema
from app.services.page_queries import Built, Order, build, filters_of

Read = TypeVar("Read", bound=ReadSchema)


def paginate(
    db: Session,
    statement: Select[Any],
    params: ListParams,
    schema: type[Read],
    *,
    include_deleted: bool = False,
    own_filters: Collection[str] = (),
) -> Page[Read]:
    """One page of `statement`, which selects an entity.

    own_filters: the fields of `params` that the `statement` has in its own WHERE.

    Only the columns that `schema` answers with are fetched, as plain values: building entities
    costs more than the query. A schema that shows other entities needs them built; the statement
    then says how they are loaded: `select(Order).options(selectinload(Order.items))`.
    One statement with `cursor`, at most two with `skip`, and those of such options.
    """
    filters, values = filters_of(params, own_filters)
    built = build(statement, params, schema, filters, include_deleted)
    names, order = built.names, built.order
    listing = _name_of(built.model, params)
    if params.cursor is None:
        place: dict[str, Any] = {"skip": params.skip}
    else:
        place = _read_cursor(params.cursor, order, listing)
    # One row more than asked for tells whether there is a next page.
    rows = db.execute(built.page, {**values, **place, "limit": params.limit + 1}).all()

    more = len(rows) > params.limit
    rows = rows[: params.limit]
    result: Page[Read] = built.page_type(
        items=[dict(zip(names, row, strict=False)) if names else row[0] for row in rows],
        total=None if params.cursor else _total(db, built, values, params, len(rows), more),
        skip=None if params.cursor else params.skip,
        limit=params.limit,
        next_cursor=_write_cursor(rows[-1][-len(order) :], listing) if more else None,
    )
    return result


def _total(
    db: Session,
    built: Built,
    values: dict[str, Any],
    params: ListParams,
    fetched: int,
    more: bool,
) -> int:
    if not more and (fetched or not params.skip):
        return params.skip + fetched  # the last page: nothing is left to count
    return db.scalar(built.counting, values) or 0


# --- Cursors ---------------------------------------------------------------------------------


def _name_of(model: type[Base], params: ListParams) -> bytes:
    """What a list differs by from others: its filters and order."""
    filters = params.model_dump_json(exclude={"skip", "limit", "cursor"})
    return f"{model.__name__}{filters}".encode()


def _sign(payload: bytes, listing: bytes) -> bytes:
    """A signature over place and list, so that a cursor works where it was given out only."""
    return hmac.digest(get_settings().secret_key.encode(), listing + payload, hashlib.sha256)[:12]


def _write_cursor(values: Sequence[Any], listing: bytes) -> str:
    payload = to_json(list(values))
    return base64.urlsafe_b64encode(_sign(payload, listing) + payload).decode().rstrip("=")


def _read_cursor(cursor: str, order: Order, listing: bytes) -> dict[str, Any]:
    """The parameters of the rows behind it."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    signature, payload = raw[:12], raw[12:]
    if not hmac.compare_digest(signature, _sign(payload, listing)):
        raise InvalidError("The cursor is not one of this list, sort and filters.", field="cursor")
    return {
        f"after_{number}": _adapter(column.type.python_type).validate_python(value)
        for number, ((column, _), value) in enumerate(zip(order, json.loads(payload), strict=True))
    }


@lru_cache
def _adapter(type_: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(type_)
