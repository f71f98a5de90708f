"""Input that has one meaning: what is there twice is refused, and JSON is UTF-8.

Of two values of one name, readers take different ones: a proxy that checks the first, and Python,
which takes the last.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any, get_args
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi._compat import ModelField, field_annotation_is_sequence
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.security import APIKeyQuery
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

Names = frozenset[str]
HOUSE = ("app.core.", "app.api.deps.", "app.api.idempotency.", "fastapi.security.")


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


def check_query(request: Request, known: dict[str, bool], *, others: bool) -> None:
    """Refuse what is no text, parameters that are there twice, and unknown ones.

    known: the parameters, and whether each is single. others: whether unknown ones are let pass.
    """
    try:
        unquote_to_bytes(request.scope["query_string"]).decode()
    except UnicodeDecodeError:
        error = {"loc": ("query",), "msg": "is not UTF-8", "type": "unicode"}
        raise RequestValidationError([error]) from None
    names = [name for name, _ in request.query_params.multi_items()]
    errors = [
        {"loc": ("query", name), "msg": "is there twice", "type": "repeated"}
        for name in sorted(_repeated(names, {name for name, single in known.items() if single}))
    ]
    if not others:
        errors += [
            # As Pydantic says it of a field. A DELETE with `?hadr=true` would delete otherwise.
            {
                "loc": ("query", name),
                "msg": "Extra inputs are not permitted",
                "type": "extra_forbidden",
            }
            for name in sorted(set(names) - known.keys())
        ]
    if errors:
        raise RequestValidationError(errors)


def _repeated(names: Iterable[str], single: Collection[str]) -> set[str]:
    return {name for name, times in Counter(names).items() if times > 1 and name in single}


# --- What a route takes, and whether it is single: the rest are lists --------------------------


def known_parameters(dependant: Dependant) -> dict[str, bool]:
    """Of the query."""
    known = {name: single for field in dependant.query_params for name, single in _names(field)}
    for each in dependant.dependencies:
        known |= known_parameters(each)
    return known


def takes_others(dependant: Dependant) -> bool:
    """Whether parameters that it does not name may mean something to it.

    It takes the whole request, or a model, which itself says what it takes (`InputSchema` refuses
    the rest). What is ours and FastAPI's takes the request for other things.
    """
    call = dependant.call
    home = getattr(call, "__module__", None) or type(call).__module__
    reads = dependant.request_param_name or dependant.http_connection_param_name
    if isinstance(call, APIKeyQuery) or (reads and not f"{home}.".startswith(HOUSE)):
        return True
    annotations = (field.field_info.annotation for field in dependant.query_params)
    if any(map(_has_model, annotations)):
        return True
    return any(map(takes_others, dependant.dependencies))


def _has_model(annotation: Any) -> bool:
    if isinstance(annotation, type):
        return issubclass(annotation, BaseModel)
    return any(map(_has_model, get_args(annotation)))


def single_fields(form: ModelField) -> Names:
    return frozenset(name for name, single in _names(form) if single)


def _names(field: ModelField) -> Iterator[tuple[str, bool]]:
    """The name of the field; or, of a model, those of its fields."""
    annotation: Any = field.field_info.annotation
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    infos = annotation.model_fields if is_model else {field.alias: field.field_info}
    for name, info in infos.items():
        alias = info.validation_alias if isinstance(info.validation_alias, str) else info.alias
        yield alias or name, not field_annotation_is_sequence(info.annotation)
