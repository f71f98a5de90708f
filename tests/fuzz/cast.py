"""Who calls the API while it is fuzzed, and how they outlive it.

Some of what is tried ends a session, deletes an account, or takes rights away. After each such
call the cast is brought back, or everything behind it would be answered by 401.
"""

import uuid
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from app.core.columns import utcnow
from app.core.database import session_scope
from app.core.security import AccessClaims, create_access_token, hash_password
from app.models.token import Token, TokenKind
from app.models.user import Role, User, default_settings
from tests.factories import PASSWORD

FIRST_ID = 1_000_000  # far from the ids that are tried

# Who is tried, in this order, until somebody may call an operation. No peer sees what is another's.
CAST = {"ana": Role.USER, "bea": Role.USER, "mod": Role.MODERATOR, "adm": Role.ADMIN}
PEERS = ["ana", "bea"]
IDS = {name: FIRST_ID + number for number, name in enumerate(CAST)}


def session_of(name: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.example.com")


def header_of(name: str) -> str:
    return f"Bearer {create_access_token(AccessClaims(IDS[name], session_of(name)))}"


def bring_back() -> None:
    """Make the cast as it was at the beginning, if anything has changed."""
    with session_scope() as db:
        well = select(func.count()).select_from(User).join(Token)
        well = well.where(User.id.in_(IDS.values()), User.version == 1, Token.used_at.is_(None))
        if db.scalar(well) == len(CAST):
            return
        users: Any = User.__table__
        db.execute(delete(Token).where(Token.user_id.in_(IDS.values())))
        for name in CAST:
            values = _row(name)
            if not db.execute(update(users).where(users.c.id == IDS[name]).values(values)).rowcount:
                db.execute(insert(users).values(values))
            db.execute(insert(Token.__table__).values(_session(name)))


_HASH = hash_password(PASSWORD)


def _row(name: str) -> dict[str, Any]:
    email = f"{name}@fuzz.example.com"
    return {
        "id": IDS[name],
        "username": name,
        "username_key": name,
        "email": email,
        "email_key": email,
        "hashed_password": _HASH,
        "role": CAST[name],
        "is_active": True,
        "settings": default_settings(),
        "search_text": f"{name}\n{email}",
        "deleted_at": None,
        "version": 1,
    }


def _session(name: str) -> dict[str, Any]:
    family = session_of(name)
    return {
        "user_id": IDS[name],
        "kind": TokenKind.REFRESH,
        "token_hash": family.hex,
        "family": family,
        "expires_at": utcnow().replace(year=2099),
    }
