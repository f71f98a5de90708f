"""What schemathesis calls between requests, and what it cannot know of the document."""

from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.wfc.escalation import restore_identity_assignments

from app.core.config import get_settings
from app.services.tokens import BAD_TOKEN
from tests.fuzz.cast import bring_back
from tests.test_access import listed_as, rows

# Who tries an operation first. Others try where this one is refused.
FIRST = {"anyone": "<anonymous>", "user": "ana", "staff": "mod", "admin": "adm"}


class _Run:
    began = False


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: Any) -> None:
    """Leave out that an address is one: the pattern that stands beside it says so, and more.

    What fits the pattern and is no address is not to be found, and the search for it takes most of
    a run.
    """
    if isinstance(raw_schema, dict):
        if raw_schema.get("format") == "email" and "pattern" in raw_schema:
            del raw_schema["format"]
        for each in raw_schema.values():
            before_load_schema(context, each)
    elif isinstance(raw_schema, list):
        for each in raw_schema:
            before_load_schema(context, each)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if not _Run.began:
        _Run.began = True
        _assign(case.operation.schema)
    if case.meta and case.meta.generation.mode.is_positive:
        _leave_out(case)


def _leave_out(case: Any) -> None:
    """What a generator cannot write and calls valid all the same."""
    # A cursor is signed. `tests/test_paging.py` uses those that are given out.
    case.query.pop("cursor", None)
    # A key that was used before belongs to the request that it was used with.
    case.headers.pop("idempotency-key", None)
    # Of headers, the phase of coverage knows letters and digits only: an ETag is in quotes.
    if case.headers.get("if-match", "").isalnum():
        case.headers.pop("if-match")


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    if case.method != "GET" and response.status_code < 400:
        bring_back()


# Rules that JSON Schema has no words for, by what the answer says. Those of a feature are listed in
# its tests, under the same name.
UNSPOKEN = {
    "does not exist",
    "is already taken",
    "is one of the most common passwords",
    "is your own name",
    "is the name of this service",
    *listed_as("UNSPOKEN"),
}
WRONG_PROOFS = {BAD_TOKEN, "The current password is wrong."}


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    """Keep what is a failure: a request may be all that the document asks for, and be refused."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    problem = response.json()
    errors = problem.get("errors", [])
    return not (
        problem["status"] == 412
        or problem["detail"] in (*WRONG_PROOFS, "It refers to something that does not exist.")
        or (errors and all(_is_unspoken(error) for error in errors))
    )


def _is_unspoken(error: dict[str, Any]) -> bool:
    return len(error["loc"]) == 1 or error["msg"] in UNSPOKEN  # of a whole body or query


def _assign(schema: Any) -> None:
    prefix = get_settings().api_prefix
    labels = {f"{method} {prefix}{path}": FIRST[level] for method, path, level in rows()}
    restore_identity_assignments(schema, labels)
