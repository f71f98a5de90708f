"""Tokens that work once. None of these functions commits: they are steps of a use case."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.security import create_secret, hash_secret
from app.models.token import Token, TokenKind
from app.models.user import User
from app.services.base import change_rows

MAILED = (TokenKind.PASSWORD_RESET, TokenKind.EMAIL_VERIFICATION)


BAD_TOKEN = "The token is not valid, was used, or has ended."  # noqa: S105 - a message


def active() -> tuple[ColumnElement[bool], ...]:
    """What a user must be for any token of theirs to work."""
    return User.is_active.is_(True), User.deleted_at.is_(None)


@dataclass(frozen=True)
class Client:
    """Who sent the request, as shown in the list of sessions and counted by rate limits."""

    address: str
    user_agent: str | None


def add_token(
    db: Session,
    user_id: int,
    kind: TokenKind,
    *,
    client: Client | None = None,
    after: Token | None = None,
) -> tuple[str, uuid.UUID]:
    """Add a token and return its secret and family; `after` is the one that it replaces."""
    settings, secret, now = get_settings(), create_secret(), utcnow()
    signed_in_at = after.signed_in_at if after else now
    if kind is TokenKind.REFRESH:
        unused = now + timedelta(days=settings.refresh_token_days)
        expires_at = min(unused, signed_in_at + timedelta(days=settings.session_days))
    else:
        expires_at = now + timedelta(minutes=settings.mailed_token_minutes)
    token = Token(
        user_id=user_id,
        kind=kind,
        token_hash=hash_secret(secret),
        family=after.family if after else uuid.uuid4(),
        signed_in_at=signed_in_at,
        expires_at=expires_at,
        user_agent=client.user_agent if client else None,
        address=client.address if client else None,
    )
    db.add(token)
    return secret, token.family


def use_token(db: Session, kind: TokenKind, secret: str) -> Token | None:
    """Use up the token; None when it does not work, and then a used one has ended its family.

    The UPDATE decides: of two that use one token at once, the second changes no row. It was seen
    twice, so somebody stole it, and everything that grew out of it ends. The caller has to commit
    in both cases.
    """
    hashed = hash_secret(secret)
    same = Token.token_hash == hashed, Token.kind == kind
    user_id = db.scalar(select(Token.user_id).where(*same))
    if user_id is None:
        return None
    lock_users(db, user_id)
    used = change_rows(
        db,
        update(Token)
        .where(*same, Token.used_at.is_(None), Token.expires_at > utcnow())
        .values(used_at=utcnow()),
    )
    token = db.scalar(select(Token).where(*same))
    if token is None or used == 1:
        return token
    if token.used_at is not None:
        end_family(db, token.user_id, token.family)
    return None


def lock_users(db: Session, *user_ids: int) -> None:
    """Whoever gives out, uses or ends tokens of a user does so one after the other.

    Else an UPDATE that ends them waits for a refresh, and then does not see what that inserted.
    """
    db.execute(select(User.id).where(User.id.in_(user_ids)).order_by(User.id).with_for_update())


def end_family(db: Session, user_id: int, family: uuid.UUID) -> int:
    """End one session; how many tokens that were."""
    lock_users(db, user_id)
    return change_rows(
        db,
        update(Token)
        .where(Token.user_id == user_id, Token.family == family, Token.used_at.is_(None))
        .values(used_at=utcnow()),
    )


def end_tokens(
    db: Session, *user_ids: int, kinds: tuple[TokenKind, ...] = tuple(TokenKind)
) -> None:
    """End every session and mailed token of these users."""
    lock_users(db, *user_ids)
    change_rows(
        db,
        update(Token)
        .where(Token.user_id.in_(user_ids), Token.kind.in_(kinds), Token.used_at.is_(None))
        .values(used_at=utcnow()),
    )


def forget_expired_tokens(db: Session, user_id: int) -> None:
    change_rows(db, delete(Token).where(Token.user_id == user_id, Token.expires_at < utcnow()))
