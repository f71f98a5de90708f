"""Signing in: sessions, and the tokens that belong to them."""

import uuid

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.orm import Session

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.errors import NotFoundError, UnauthorizedError
from app.core.rate_limit import check_rate
from app.core.security import AccessClaims, create_access_token, is_open_secret, verify_password
from app.models.token import Token, TokenKind
from app.models.user import User
from app.schemas.auth import SessionParams, SessionRead, TokenPair
from app.schemas.base import Page
from app.services.base import change_rows, paginate
from app.services.old_hashes import bcrypt_costs
from app.services.tokens import (
    BAD_TOKEN,
    Client,
    active,
    add_token,
    end_family,
    forget_expired_tokens,
    use_token,
)

# Of each request with a token, and therefore built once.
_SIGNED_IN = select(User).where(
    User.id == bindparam("user_id"),
    *active(),
    select(Token.id)
    .where(
        Token.family == bindparam("session"),
        Token.user_id == bindparam("user_id"),
        Token.kind == TokenKind.REFRESH,
        Token.used_at.is_(None),
    )
    .exists(),
)


class AuthService:
    @staticmethod
    def authenticate(db: Session, claims: AccessClaims) -> User:
        """The user of an access token whose session still lives. One statement."""
        values = {"user_id": claims.user_id, "session": claims.session}
        user: User | None = db.scalar(_SIGNED_IN, values)
        if user is None:
            raise UnauthorizedError("The session has ended.")
        return user

    @staticmethod
    def login(db: Session, username: str, password: str, client: Client) -> TokenPair:
        """Sign in by username or email."""
        user_id = _check_login(db, username, password, client)
        forget_expired_tokens(db, user_id)
        secret, family = add_token(db, user_id, TokenKind.REFRESH, client=client)
        db.commit()
        return _token_pair(user_id, family, secret)

    @staticmethod
    def refresh(db: Session, refresh_token: str, client: Client) -> TokenPair:
        """Trade a refresh token for a new pair. It works once."""
        token = use_token(db, TokenKind.REFRESH, refresh_token)
        if token is None:
            db.commit()  # what a stolen token ends must stay ended
            raise UnauthorizedError(BAD_TOKEN)
        if db.scalar(select(User.id).where(User.id == token.user_id, *active())) is None:
            raise UnauthorizedError(BAD_TOKEN)
        secret, family = add_token(db, token.user_id, TokenKind.REFRESH, client=client, after=token)
        db.commit()
        return _token_pair(token.user_id, family, secret)

    @staticmethod
    def logout(db: Session, user: User, session: uuid.UUID) -> None:
        end_family(db, user.id, session)
        db.commit()

    @staticmethod
    def list_sessions(db: Session, user: User, params: SessionParams) -> Page[SessionRead]:
        """The user's sessions: each has one refresh token that is unused."""
        living = select(Token).where(
            Token.user_id == user.id,
            Token.kind == TokenKind.REFRESH,
            Token.used_at.is_(None),
            Token.expires_at > utcnow(),
        )
        return paginate(db, living, params, SessionRead)

    @staticmethod
    def end_session(db: Session, user: User, session: uuid.UUID) -> None:
        if not end_family(db, user.id, session):
            raise NotFoundError("Session not found.")
        db.commit()


def _token_pair(user_id: int, family: uuid.UUID, secret: str) -> TokenPair:
    return TokenPair(
        access_token=create_access_token(AccessClaims(user_id, family)),
        expires_in=get_settings().access_token_minutes * 60,
        refresh_token=secret,
    )


def _check_login(db: Session, username: str, password: str, client: Client) -> int:
    """The id of the user, whose row is locked by having noted the login."""
    name = username.casefold()
    if not name.isprintable() or name != name.strip():
        name = ""  # nobody's; MariaDB would find "ana" for "ana ", and PostgreSQL refuses a NUL
    query = select(User.id, User.hashed_password).where(
        or_(User.username_key == name, User.email_key == name), *active()
    )
    for _ in range(2):
        user_id, hashed = db.execute(query).one_or_none() or (0, None)
        costs = bcrypt_costs(db)
        db.rollback()  # no connection is held while the password is hashed
        # Counted by account where there is one: it has two names, and both are the same account.
        account = f"id {user_id}" if user_id else f"name {name}"
        check_rate("login", account=account, address=client.address)
        correct, replacement = verify_password(password, hashed, costs)
        if not correct or is_open_secret(password):
            break
        noted = change_rows(
            db,
            update(User)
            .where(User.id == user_id, User.hashed_password == hashed, *active())
            .values(
                last_login_at=utcnow(),
                hashed_password=replacement or hashed,
                updated_at=User.updated_at,  # a login is no change of the account
            ),
        )
        if noted:
            return int(user_id)
        # The password changed meanwhile, or another login replaced its outdated hash: look again.
        db.rollback()
    raise UnauthorizedError("Wrong username or password.")
