"""Rows for tests, each one valid and different from the others."""

from itertools import count
from typing import Any

from app.core.database import session_scope
from app.core.security import AccessClaims, create_access_token, hash_password
from app.models.token import TokenKind
from app.models.user import User
from app.services.tokens import add_token

PASSWORD = "correct horse battery"

_numbers = count(1)
_hashes: dict[str, str] = {}


def make_user(**values: Any) -> User:
    number = next(_numbers)
    password = values.pop("password", PASSWORD)
    if password not in _hashes:
        _hashes[password] = hash_password(password)
    defaults = {
        "username": f"user{number}",
        "email": f"user{number}@example.com",
        "hashed_password": _hashes[password],
    }
    return add(User(**defaults | values))


def add(row: Any) -> Any:
    """Store a row that a factory made."""
    with session_scope() as db:
        db.add(row)
    return row


def sign_in(user: User) -> dict[str, str]:
    """The headers of a new session."""
    with session_scope() as db:
        _, family = add_token(db, user.id, TokenKind.REFRESH)
    token = create_access_token(AccessClaims(user.id, family))
    return {"Authorization": f"Bearer {token}"}
