"""Lists: filtered, searched, sorted, and cut into pages; by cursor, the last costs as the first."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json
from sqlalchemy import ColumnElement, Select, and_, false, func, inspect, literal, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core.config import get_settings
from app.core.errors import InvalidError
from app.core.text import fold
from app.models.base import Base, SoftDeleteMixin
from app.schemas.base import ListParams, Page, ReadSchema, SearchParams

Read = TypeVar("Read", bound=ReadSchema)
Order = list[tuple[InstrumentedAttribute[Any], bool]]  # column and whether it descends

_NOT_FILTERS = set(SearchParams.model_fields)


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
    model: type[Base] = statement.column_descriptions[0]["entity"]
    if issubclass(model, SoftDeleteMixin) and not include_deleted:
        statement = statement.where(model.deleted_at.is_(None))
    statement = statement.where(*_filters(model, params, own_filters))
    order = _order(model, params.sort)

    names = _names_of_values(model, schema)
    sorted_by = [column for column, _ in order]
    columns = [getattr(model, name) for name in names] if names else [model]
    page = statement.with_only_columns(*columns, *sorted_by, maintain_column_froms=True)
    page = page.order_by(*(column.desc() if down else column.asc() for column, down in order))
    if params.cursor is None:
        page = page.offset(params.skip)
    else:
        page = page.where(_after(order, _read_cursor(params.cursor, order, model, params)))
    # One row more than asked for tells whether there is a next page.
    rows = db.execute(page.limit(params.limit + 1)).all()

    more = len(rows) > params.limit
    rows = rows[: params.limit]
    page_of: Any = Page
    result: Page[Read] = page_of[schema](
        items=[dict(zip(names, row, strict=False)) if names else row[0] for row in rows],
        total=None if params.cursor else _total(db, statement, params, len(rows), more),
        skip=None if params.cursor else params.skip,
        limit=params.limit,
        next_cursor=_write_cursor(rows[-1][-len(order) :], model, params) if more else None,
    )
    return result


def _names_of_values(model: type[Base], schema: type[ReadSchema]) -> list[str]:
    """The fields of `schema` that a row has; none when some are entities of their own."""
    mapper = inspect(model)
    if schema.model_fields.keys() & mapper.relationships.keys():
        return []
    return [name for name in schema.model_fields if name in mapper.all_orm_descriptors]


def _filters(
    model: type[Base], params: ListParams, own: Collection[str]
) -> list[ColumnElement[bool]]:
    conditions = []
    for name in type(params).model_fields.keys() - _NOT_FILTERS.union(own):
        value = getattr(params, name)
        if value is None:
            continue
        if name.startswith("min_"):
            conditions.append(getattr(model, name.removeprefix("min_")) >= value)
        elif name.startswith("max_"):
            conditions.append(getattr(model, name.removeprefix("max_")) <= value)
        elif isinstance(value, bool):
            # Not `= true`: for a computed one, such as `stock > 0`, no index would be used.
            conditions.append(getattr(model, name) if value else ~getattr(model, name))
        else:
            conditions.append(getattr(model, name) == value)
    if isinstance(params, SearchParams) and params.q is not None:
        search_text: Any = model.search_text  # type: ignore[attr-defined]
        sought = fold(params.q)  # of an accent alone nothing is left, and nothing holds it
        found = search_text.contains(sought, autoescape=True) if sought else false()
        conditions.append(found)
    return conditions


def _order(model: type[Base], sort: str) -> Order:
    """The columns of `sort`, and the id to part the rows that are equal in all of them."""
    order = [
        (getattr(model, name.removeprefix("-")), name.startswith("-")) for name in sort.split(",")
    ]
    return [*order, (model.id, order[0][1])]  # type: ignore[attr-defined]


def _total(
    db: Session, statement: Select[Any], params: ListParams, fetched: int, more: bool
) -> int:
    if not more and (fetched or not params.skip):
        return params.skip + fetched  # the last page: nothing is left to count
    counting = statement.with_only_columns(func.count(), maintain_column_froms=True)
    return db.scalar(counting.order_by(None)) or 0


# --- Cursors ---------------------------------------------------------------------------------


def _after(order: Order, values: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
    """The rows behind the one with `values`.

    Written out, and with a bound of the first column that every database can look up in an index:
    MariaDB reads the whole table for `(a, b) > (1, 2)`, which also needs one direction for all.
    """
    steps = []
    for position, ((column, down), value) in enumerate(zip(order, values, strict=True)):
        equal = [c == v for (c, _), v in zip(order[:position], values, strict=False)]
        steps.append(and_(*equal, column < value if down else column > value))
    first, down = order[0]
    return and_(first <= values[0] if down else first >= values[0], or_(*steps))


def _sign(payload: bytes, model: type[Base], params: ListParams) -> bytes:
    """A signature over place and list, so that a cursor works where it was given out only."""
    key = get_settings().secret_key.encode()
    listing = params.model_dump_json(exclude={"skip", "limit", "cursor"})
    return hmac.digest(key, f"{model.__name__}{listing}".encode() + payload, hashlib.sha256)[:12]


def _write_cursor(values: Sequence[Any], model: type[Base], params: ListParams) -> str:
    payload = to_json(list(values))
    return base64.urlsafe_b64encode(_sign(payload, model, params) + payload).decode().rstrip("=")


def _read_cursor(
    cursor: str, order: Order, model: type[Base], params: ListParams
) -> list[ColumnElement[Any]]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        raw = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    signature, payload = raw[:12], raw[12:]
    if not hmac.compare_digest(signature, _sign(payload, model, params)):
        raise InvalidError("The cursor is not one of this list, sort and filters.", field="cursor")
    return [
        literal(TypeAdapter(column.type.python_type).validate_python(value), column.type)
        for (column, _), value in zip(order, json.loads(payload), strict=True)
    ]
