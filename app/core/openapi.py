"""What the OpenAPI document says of every operation, so that no router has to.

The errors follow from the form of an operation: one with a body can be 400, 413, 415 and 422, one
with a path parameter 404, one that needs a token 401 and 403, and so on. What does not show in the
form, a router names: `responses={429: {}}`.
"""

import re
import threading
from typing import Any

from fastapi import APIRouter, FastAPI

from app.core.config import get_settings
from app.core.problems import MEDIA_TYPE, Problem, title_of

Schema = dict[str, Any]
Examples = dict[tuple[str, str], Any]

# The security scheme of operations that need no token, and take one. FastAPI cannot say that.
VISITOR = "Visitor"

ERRORS = {
    400: ("Malformed, or a proof that is wrong.", "The body is not JSON."),
    401: ("Not signed in, or the session has ended.", "Sign in first."),
    403: ("Signed in, and not allowed.", "Only administrators may do this."),
    404: ("There is no such thing, or it is not yours.", "User not found."),
    409: ("In conflict with what is stored.", "This email is already taken."),
    412: ("Changed since you have read it.", "User has changed since you read it."),
    413: ("The body is too large.", "The body is too large."),
    415: ("The body is of a wrong media type.", "Send JSON, with the header Content-Type."),
    422: ("Well-formed, and not valid.", "The request is not valid."),
    428: ("If-Match is missing.", "Send If-Match with the ETag of the version you have read."),
    429: ("Too many tries.", "Too many tries. Try again in 30 s."),
    503: ("The database is away or busy.", "The database does not answer."),
}


def describe(app: FastAPI) -> None:
    """Make `app.openapi()` complete the document that FastAPI generates."""
    generate = app.openapi
    # Not only for the document: each 405 asks it which methods there are, in threads.
    lock = threading.Lock()

    def openapi() -> Schema:
        with lock:
            if app.openapi_schema is None:
                _complete(generate())
            document = app.openapi_schema
        assert document is not None
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def document_of(router: APIRouter) -> Schema:
    """The document of an app that has these routes alone."""
    app = FastAPI()
    app.include_router(router)
    describe(app)
    return app.openapi()


def _complete(document: Schema) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    _fill_examples(schemas, _share_examples(schemas))
    document["components"].get("securitySchemes", {}).pop(VISITOR, None)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if operation.get("security") == [{VISITOR: []}]:
                operation["security"] = [{}, {"OAuth2PasswordBearer": []}]
            for status in _errors(path, method, operation):
                operation["responses"][str(status)] = _response(status)
            operation["responses"] = dict(sorted(operation["responses"].items()))
            _drop_null(operation.get("parameters", []))
            _note_headers(operation)


def _drop_null(parameters: list[Schema]) -> None:
    """A parameter is left out or has a value: `?role=null` would be the text "null"."""
    for parameter in parameters:
        schema = parameter["schema"]
        if {"type": "null"} in schema.get("anyOf", ()):
            others = [each for each in schema.pop("anyOf") if each != {"type": "null"}]
            parameter["schema"] = (others[0] if len(others) == 1 else {"anyOf": others}) | schema


KINDS = {"date-time": "2026-01-31T09:30:00Z", "date": "2026-01-31", "boolean": True, "integer": 1}
PLAIN = {"type", "format", "title", "description", "default"}
_ENTITY = re.compile(r"(\w+?)(Create|Register|Update|Replace|Read|Summary)")


def _share_examples(schemas: Schema) -> Examples:
    """Show in `UserRead` the examples of `UserCreate`: an example is written once, like a rule.

    All that are written, by entity and field.
    """
    known: Examples = {}
    for name, schema in schemas.items():
        if match := _ENTITY.fullmatch(name):
            for field, value in schema.get("properties", {}).items():
                for each in (value, *value.get("anyOf", ())):
                    if "examples" in each:
                        known.setdefault((match[1], field), each["examples"])
    for name, schema in schemas.items():
        match = _ENTITY.fullmatch(name)
        if match and match[2] in ("Read", "Summary"):
            for field, value in schema["properties"].items():
                examples = [1] if field == "id" else known.get((match[1], field))
                if examples and "examples" not in value:
                    value["examples"] = examples
    return known


def _fill_examples(schemas: Schema, known: Examples) -> None:
    """A form has the fields of an entity; the rest of an answer shows what kind of thing it is."""
    by_field = {field: examples for (_, field), examples in reversed(known.items())}
    for name, schema in schemas.items():
        for field, value in schema.get("properties", {}).items():
            kinds = [value, *value.get("anyOf", ())]
            if any(each.keys() & {"examples", "example", "$ref"} for each in kinds):
                continue
            if name.startswith("Body_"):
                examples = by_field.get(field)
            else:
                examples = _examples_of(kinds) if schema.get("additionalProperties", True) else None
            if examples:
                value["examples"] = examples


def _examples_of(kinds: list[Schema]) -> list[Any] | None:
    for each in kinds:
        if each.keys() - PLAIN:
            continue  # it has rules, which an example might break
        if found := KINDS.get(str(each.get("format") or each.get("type"))):
            return [found]
    return None


def _parameter(operation: Schema, name: str) -> Schema | None:
    parameters: list[Schema] = operation.get("parameters", [])
    return next((each for each in parameters if each["name"].lower() == name.lower()), None)


def _errors(path: str, method: str, operation: Schema) -> list[int]:
    where = {parameter["in"] for parameter in operation.get("parameters", [])}
    # Those that a router names, such as `responses={429: {}}`, are described like all others.
    errors = {int(code) for code in operation["responses"] if code >= "400"}
    if "requestBody" in operation:
        errors |= {400, 413, 415, 422}
    if not path.startswith("/health/"):
        errors |= {422}  # at least for a parameter that it does not have
    if "path" in where:
        errors |= {404}
    if _parameter(operation, "If-Match"):
        errors |= {400, 412, 428} if get_settings().require_if_match else {400, 412}
    if _parameter(operation, "Idempotency-Key"):
        errors |= {400}
    if security := operation.get("security"):
        errors |= {401} if {} in security else {401, 403}
    if method != "get":
        errors |= {409}
    if path != "/health/live":
        errors |= {503}
    return sorted(errors)


def _response(status: int) -> Schema:
    description, detail = ERRORS[status]
    example: Schema = {"type": "about:blank", "title": title_of(status), "status": status}
    example["detail"] = detail
    if status == 422:
        error = {"loc": ["body", "email"], "msg": "Field required", "type": "missing"}
        example["errors"] = [error]
    example["request_id"] = "5f0c6c7d2f8e4d3b"
    media = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
    response: Schema = {"description": description, "content": {MEDIA_TYPE: media}}
    if status in (429, 503):
        text = {"schema": {"type": "integer"}, "description": "Seconds to wait."}
        response["headers"] = {"Retry-After": text}
    return response


def _note_headers(operation: Schema) -> None:
    """Show the ETag where `If-Match` takes it, and what `Idempotency-Key` adds."""
    if if_match := _parameter(operation, "If-Match"):
        if_match["required"] = get_settings().require_if_match
        for status in ("200", "201"):
            if status in operation["responses"]:
                operation["responses"][status]["headers"] = {
                    "ETag": {"schema": {"type": "string"}, "description": "The row's version."}
                }
    if _parameter(operation, "Idempotency-Key"):
        operation["responses"]["201"]["headers"] = {
            "Idempotency-Replayed": {
                "schema": {"type": "string", "const": "true"},
                "description": "There when it was made by an earlier request with the same key.",
            }
        }
