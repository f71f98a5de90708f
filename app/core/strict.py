"""Input that has one meaning: what is there twice is refused, and JSON is UTF-8.

Of two values of one name, readers take different ones: a proxy that checks the first, and Python,
which takes the last.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi._compat import ModelField, field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

Names = frozenset[str]


class StrictRequest(Request):
    """single: the fields of a form that have one value."""

    def __init__(self, request: Request, single: Names) -> None:
        super().__init__(request.scope, request.receive, request._send)
        self._single = single

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            text = (await self.body()).decode()  # json.loads would take UTF-16 as well
            self._json = json.loads(text, object_pairs_hook=_read_object)
        return self._json

    async def _get_form(self, **limits: Any) -> FormData:
        form = await super()._get_form(**limits)
        if _repeated((name for name, _ in form.multi_items()), self._single):
            raise HTTPException(400, "The form has a field twice.")
        return form


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise HTTPException(400, "The body has a field twice.")
    return found


def check_query(request: Request, single: Names) -> None:
    """Refuse parameters that are there twice, and what is no text."""
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        error = {"loc": ("query",), "msg": "is not UTF-8", "type": "unicode"}
        raise RequestValidationError([error]) from None
    names = (name for name, _ in request.query_params.multi_items())
    if repeated := _repeated(names, single):
        raise RequestValidationError(
            [
                {"loc": ("query", name), "msg": "is there twice", "type": "repeated"}
                for name in sorted(repeated)
            ]
        )


def _repeated(names: Iterable[str], single: Names) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1 and name in single}


# --- What a route takes once; the rest are lists ---------------------------------------------


def single_parameters(dependant: Dependant) -> Names:
    """Of the query."""
    own = (name for field in dependant.query_params for name in _single(field))
    return frozenset(own).union(*map(single_parameters, dependant.dependencies))


def single_fields(form: ModelField) -> Names:
    return frozenset(_single(form))


def _single(field: ModelField) -> Iterator[str]:
    """The name of the field; or, of a model, those of its fields."""
    annotation: Any = field.field_info.annotation
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    infos = annotation.model_fields if is_model else {field.alias: field.field_info}
    for name, info in infos.items():
        if not field_annotation_is_sequence(info.annotation):
            yield info.alias or name
