"""Every error as RFC 9457 `application/problem+json`, without the input, SQL or a traceback."""

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from app.core.db_errors import to_app_error
from app.core.errors import AppError, InvalidError
from app.core.logging import request_id

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # new names of RFC 9110
INVALID = "The request is not valid."
LONGEST_PATTERN = 60  # characters of a regular expression that help a person
# Of errors in an answer, of items of a list with an error each, and of characters in the name of a
# field: the client chooses all three, and an answer must not cost more than what asked for it.
MOST_ERRORS, MOST_ITEMS, LONGEST_NAME = 100, 1000, 100
# How Pydantic names a type of a union that has no name of its own.
INNER = re.compile(r"(function-\w+|lax-or-strict|json-or-python|chain|nullable)\[|constrained-\w+$")


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    loc: list[str | int] = Field(examples=[["body", "email"]])
    msg: str = Field(examples=["is not an email address"])
    type: str = Field(examples=["value_error"])


class Problem(BaseModel):
    """An error, as RFC 9457 writes it."""

    type: str = Field("about:blank", description="Always `about:blank`: the status says it.")
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["User not found."])
    request_id: str = Field(examples=["5f0c6c7d2f8e4d3b"], description="To be found in the logs.")
    errors: list[FieldProblem] | None = Field(
        None, description="The parts of the input that caused it."
    )


def title_of(status: int) -> str:
    return TITLES.get(status) or HTTPStatus(status).phrase


def problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": title or title_of(status),
        "status": status,
        "detail": detail,
        "request_id": request_id.get(),
    }
    if errors:
        body["errors"] = errors
    # ASCII with escapes: a name may hold half of a character, which UTF-8 cannot express.
    content = json.dumps(body, separators=(",", ":")).encode("ascii")
    return Response(content, status, dict(headers or {}), media_type=MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    for database_error in (SQLAlchemyError, StaleDataError, OverflowError):
        app.add_exception_handler(database_error, _on_database_error)


def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    part = "query" if request.method == "GET" else "body"
    errors = [
        {"loc": [part, *loc], "msg": message, "type": "value_error"}
        for loc, message in error.errors
    ]
    detail = INVALID if errors and isinstance(error, InvalidError) else error.detail
    return problem(error.status, detail, title=error.title, headers=error.headers, errors=errors)


def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers, detail = dict(error.headers or {}), str(error.detail)
    if error.status_code == 404 and detail == "Not Found":
        detail = "There is nothing at this path."
    elif error.status_code == 405:
        # FastAPI names the methods of one route; a path may have several.
        allowed = _allowed_methods(request.app, request.scope["path"]) or headers.get("Allow", "")
        headers["Allow"] = allowed
        detail = f"This path takes {allowed}."
    return problem(error.status_code, detail, headers=headers)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if any(each["type"] == "json_invalid" for each in error.errors()):
        return problem(400, "The body is not JSON.")
    errors = [
        {"loc": _place(each["loc"]), "msg": _message(each), "type": each["type"]}
        for each in _shortened(error.errors())
    ]
    return problem(422, INVALID, title=InvalidError.title, errors=errors)


def _shortened(errors: Sequence[Any]) -> Sequence[Any]:
    """All of them; of many, the first of each item of a list, so that every bad item is named."""
    if len(errors) <= MOST_ERRORS:
        return errors
    firsts: dict[Any, Any] = {}
    for each in errors:
        item = each["loc"][:3]
        if isinstance(item[-1], int):
            firsts.setdefault(item, each)
    return [*firsts.values()][:MOST_ITEMS] or errors[:MOST_ERRORS]


def _place(loc: Sequence[str | int]) -> list[str | int]:
    """Where the fault is. Of a union, Pydantic also names which of its types it tried."""
    return [
        part[:LONGEST_NAME] if isinstance(part, str) else part
        for part in loc
        if not (isinstance(part, str) and INNER.match(part))
    ]


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "string_pattern_mismatch":
        pattern = error["ctx"]["pattern"]
        if len(pattern) > LONGEST_PATTERN:
            return "has characters that are not allowed"
    return str(error["msg"]).removeprefix("Value error, ")


def _on_database_error(request: Request, error: Exception) -> Response:
    answer = to_app_error(error)
    if answer is None:
        raise error  # a bug: logged and answered like every other one
    if answer.status == 503:
        # The first line: the rest of the message is the statement.
        logger.warning("Database: %s (%s)", str(error).splitlines()[0], answer.detail)
    return _on_app_error(request, answer)


def _allowed_methods(app: FastAPI, path: str) -> str:
    for pattern, methods in _paths(app):
        if pattern.fullmatch(path):
            return ", ".join(methods)
    return ""


@lru_cache
def _paths(app: FastAPI) -> list[tuple[re.Pattern[str], list[str]]]:
    """The paths of the OpenAPI document: routers are nested, and `app.routes` does not show it.

    Those without parameters first, as in routing.
    """
    paths = app.openapi()["paths"]
    return [
        (compile_path(path)[0], sorted(method.upper() for method in paths[path]))
        for path in sorted(paths, key=lambda path: "{" in path)
    ]
