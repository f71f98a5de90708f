"""What to load with a row, as follows from the schema that it is answered with."""

from typing import Any, get_args

from pydantic import BaseModel
from sqlalchemy import inspect
from sqlalchemy.orm import Load, selectinload


def load_shown(model: Any, schema: Any, above: tuple[Any, ...] = ()) -> list[Load]:
    """The rows that `schema` shows beside the row itself, and theirs.

    Also each one that the row refers to, whether it is shown or not: a property may read a name
    from it, and for a single row that is cheap.
    """
    fields = getattr(schema, "model_fields", {})
    options = []
    for name, relation in inspect(model).relationships.items():
        if name not in fields and relation.uselist:
            continue
        option: Load = selectinload(getattr(model, name))  # type: ignore[assignment]
        shown = _schema_in(fields[name].annotation) if name in fields else None
        if shown and shown not in above:
            nested = load_shown(relation.mapper.class_, shown, (*above, schema))
            option = option.options(*nested)
        options.append(option)
    return options


def _schema_in(annotation: Any) -> type[BaseModel] | None:
    """`list[ItemRead] | None` -> ItemRead"""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_schema_in, get_args(annotation))), None)
