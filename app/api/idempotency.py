"""The header Idempotency-Key, which every POST takes that needs a user and answers 201."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header, Request, Response

from app.core.errors import BadRequestError
from app.core.routing import Runner
from app.core.security import sign
from app.services.idempotency import KeyedRequest, create_once

KEY = re.compile(r"[!-~]{1,255}")

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Makes it safe to send this again: within 24 hours the same request with the "
        "same key, best a random one, makes nothing new and is answered with what it has made.",
        json_schema_extra={"minLength": 1, "maxLength": 255, "pattern": f"^{KEY.pattern}$"},
    ),
]


def get_runner(request: Request, response: Response, key: IdempotencyKey = None) -> Runner | None:
    """What calls the endpoint, when the request has a key."""
    if key is None:
        return None
    if not KEY.fullmatch(key) or len(request.headers.getlist("idempotency-key")) > 1:
        raise BadRequestError("Idempotency-Key is not one of 1 to 255 visible ASCII characters.")

    def run(create: Callable[[], Any]) -> Any:
        db, user = request.state.session, request.state.user
        route = request.scope["route"]
        keyed = KeyedRequest(user.id, key, route.name, _hash(request))
        made, again = create_once(db, keyed, route.response_model, create)
        if again:
            response.headers["Idempotency-Replayed"] = "true"
        return made

    return run


def _hash(request: Request) -> str:
    """Of path, query and body; signed, for a body may hold a password that can be guessed."""
    path, query = request.scope["path"].encode(), request.scope["query_string"]
    return sign(path, query, getattr(request.state, "body", b""))
