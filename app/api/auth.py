"""Signing in and out, sessions, and mailed tokens."""

import uuid
from typing import Annotated

from fastapi import Depends, Query
from fastapi.security import OAuth2PasswordRequestForm

from app.api.deps import Anyone, ClaimsDep, ClientDep, CurrentUser, LaterDep, SessionDep
from app.core.routing import APIRouter, hashes_passwords
from app.schemas.auth import (
    EmailRequest,
    PasswordResetConfirm,
    RefreshRequest,
    SessionParams,
    SessionRead,
    TokenConfirm,
    TokenPair,
)
from app.schemas.base import Page
from app.services.account_service import AccountService
from app.services.auth_service import AuthService

router = APIRouter(prefix="/auth", tags=["auth"], responses={401: {}, 429: {}})


@router.post("/login", dependencies=[Anyone])
@hashes_passwords
def login(
    db: SessionDep, form: Annotated[OAuth2PasswordRequestForm, Depends()], client: ClientDep
) -> TokenPair:
    """Sign in with username or email and password. The Authorize button above does the same."""
    # A field that the form does not know is ignored here alone: RFC 6749, 3.2.
    return AuthService.login(db, form.username, form.password, client)


@router.post("/refresh", dependencies=[Anyone])
def refresh_tokens(db: SessionDep, data: RefreshRequest, client: ClientDep) -> TokenPair:
    """Trade a refresh token for a new pair. It works once: a second use ends the session."""
    return AuthService.refresh(db, data.refresh_token, client)


@router.post("/logout", status_code=204)
def logout(db: SessionDep, user: CurrentUser, claims: ClaimsDep) -> None:
    """End this session, its access tokens included."""
    AuthService.logout(db, user, claims.session)


@router.get("/sessions")
def list_sessions(
    db: SessionDep, user: CurrentUser, params: Annotated[SessionParams, Query()]
) -> Page[SessionRead]:
    """Where you are signed in."""
    return AuthService.list_sessions(db, user, params)


@router.delete("/sessions/{session_id}", status_code=204)
def end_session(db: SessionDep, user: CurrentUser, session_id: uuid.UUID) -> None:
    """Sign out somewhere else."""
    AuthService.end_session(db, user, session_id)


@router.post("/password-reset", status_code=204, dependencies=[Anyone])
def request_password_reset(data: EmailRequest, client: ClientDep, later: LaterDep) -> None:
    """Mail a token to set a new password. The answer is the same if there is no such account."""
    AccountService.request_password_reset(data.email, client, later)


@router.post("/password-reset/confirm", status_code=204, dependencies=[Anyone])
@hashes_passwords
def confirm_password_reset(db: SessionDep, data: PasswordResetConfirm, client: ClientDep) -> None:
    """Set a new password with the mailed token. It ends all sessions."""
    AccountService.confirm_password_reset(db, data, client)


@router.post("/verify-email/request", status_code=204, dependencies=[Anyone])
def request_email_verification(data: EmailRequest, client: ClientDep, later: LaterDep) -> None:
    """Mail a token to confirm an address. The answer is the same if there is no such account."""
    AccountService.request_email_verification(data.email, client, later)


@router.post("/verify-email/confirm", status_code=204, dependencies=[Anyone])
def confirm_email(db: SessionDep, data: TokenConfirm, client: ClientDep) -> None:
    """Confirm an address with the mailed token."""
    AccountService.confirm_email(db, data.token, client)
