"""The named dependencies of routers."""

import re
from functools import partial
from ipaddress import ip_address
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, Header, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy.orm import Session

from app.api.idempotency import get_runner
from app.core.config import get_settings
from app.core.database import get_db
from app.core.errors import (
    BadRequestError,
    ForbiddenError,
    PreconditionRequiredError,
    UnauthorizedError,
)
from app.core.openapi import VISITOR
from app.core.routing import runs_creations, waits_for_locks
from app.core.security import AccessClaims, read_access_token
from app.models.user import User
from app.services.auth_service import AuthService
from app.services.base import Versions
from app.services.later import Later, run_logged
from app.services.tokens import Client

SessionDep = Annotated[Session, Depends(get_db)]

# --- Who asks --------------------------------------------------------------------------------

LOGIN = f"{get_settings().api_prefix}/auth/login"

bearer = OAuth2PasswordBearer(
    tokenUrl=LOGIN,
    auto_error=False,  # the error is ours, like every other one
    description="Sign in with username or email and password.",
)


def get_claims(request: Request, token: Annotated[str | None, Depends(bearer)]) -> AccessClaims:
    _refuse_two_tokens(request)
    if token is None:
        raise UnauthorizedError
    return read_access_token(token)


def _refuse_two_tokens(request: Request) -> None:
    """The one that a proxy has checked may be the other one."""
    if len(request.headers.getlist("authorization")) > 1:
        raise UnauthorizedError("Authorization is there twice.")


ClaimsDep = Annotated[AccessClaims, Depends(get_claims)]


@runs_creations(get_runner)
def get_current_user(request: Request, db: SessionDep, claims: ClaimsDep) -> User:
    user = AuthService.authenticate(db, claims)
    request.state.session, request.state.user = db, user
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


visitor_bearer = OAuth2PasswordBearer(tokenUrl=LOGIN, auto_error=False, scheme_name=VISITOR)


def get_visitor(
    request: Request, db: SessionDep, token: Annotated[str | None, Depends(visitor_bearer)]
) -> User | None:
    _refuse_two_tokens(request)
    if token is None:
        return None
    return AuthService.authenticate(db, read_access_token(token))


# For routes that are open to all, and show more to those who are signed in. A bad token is a 401.
Visitor = Annotated[User | None, Depends(get_visitor)]


def get_admin(user: CurrentUser) -> User:
    if not user.is_superuser:
        raise ForbiddenError("Only administrators may do this.")
    return user


def get_staff(user: CurrentUser) -> User:
    if not user.is_staff:
        raise ForbiddenError("Only administrators and moderators may do this.")
    return user


Admin = Annotated[User, Depends(get_admin)]
Staff = Annotated[User, Depends(get_staff)]


def anyone() -> None:
    """Says that a route that writes is meant to be open to all."""


Anyone = Depends(anyone)


def get_client(request: Request) -> Client:
    agent = request.headers.get("user-agent", "")
    agent = "".join(c for c in agent if c.isprintable())[:255]
    host = request.client.host if request.client else ""
    return Client(address=_address(host), user_agent=agent or None)


def _address(host: str) -> str:
    """What a trusted proxy forwards was said by the client, and may be anything."""
    try:
        return str(ip_address(host))
    except ValueError:
        return "unknown"


ClientDep = Annotated[Client, Depends(get_client)]

# --- What the request says -------------------------------------------------------------------


@waits_for_locks
def writes(request: Request) -> None:
    """Gives a GET that writes, such as one that counts a view, a session for writing."""
    request.state.writes = True


Writes = Depends(writes)

_ETAG = r'"[1-9][0-9]{0,8}"'
_IF_MATCH = rf"^(\*|{_ETAG}( ?, ?{_ETAG}){{0,9}})$"


def get_if_match(
    request: Request,
    if_match: Annotated[
        str | None,
        Header(
            description="The `ETag` of the version that you have read: 412 if it changed since.",
            json_schema_extra={"pattern": _IF_MATCH},  # what does not match is a 400, and no 422
        ),
    ] = None,
) -> Versions:
    """The versions that the client has seen; None for any."""
    if if_match is None and get_settings().require_if_match:
        raise PreconditionRequiredError("Send If-Match with the ETag of the version you have read.")
    if if_match is None:
        return None
    if_match = ", ".join(request.headers.getlist("if-match"))  # several are one list
    if if_match.strip() == "*":
        return None
    if not re.fullmatch(_IF_MATCH, if_match.strip()):
        raise BadRequestError('If-Match is not an ETag of this API, such as "1".')
    return tuple(int(version) for version in re.findall(r"[0-9]+", if_match))


IfMatch = Annotated[Versions, Depends(get_if_match)]


def get_later(background: BackgroundTasks) -> Later:
    return partial(_add_task, background)


def _add_task(background: BackgroundTasks, function: Any, *arguments: Any) -> None:
    background.add_task(run_logged, function, *arguments)


LaterDep = Annotated[Later, Depends(get_later)]
