"""Passwords, access tokens and secrets that work once. Only this module knows jose and passlib."""

import hashlib
import hmac
import re
import secrets
import unicodedata
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from jose import jwt
from passlib.context import CryptContext

from app.core.columns import utcnow
from app.core.config import get_settings
from app.core.errors import InvalidError, UnauthorizedError

ALGORITHM = "HS256"
ACCESS = "access"
JWT_MAX = 2048  # characters; ours have about 300
JWT_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
DEMO_PASSWORD = "demo-demo"  # noqa: S105 - of the accounts that `python run.py seed` makes
PASSWORD_INPUT_MAX = 1024  # characters; what is longer was never accepted and is not hashed


# --- Passwords -------------------------------------------------------------------------------


@lru_cache
def _context() -> CryptContext:
    """argon2id for new hashes; bcrypt hashes of an older system still work, and are replaced.

    19 MiB and two rounds (OWASP) cost about 25 ms. The library's default takes 64 MiB for each
    login that is under way, and four times as long.
    """
    settings = get_settings()
    return CryptContext(
        schemes=["argon2", "bcrypt"],
        deprecated="auto",
        argon2__type="ID",
        argon2__memory_cost=settings.password_hash_memory_kib,
        argon2__time_cost=settings.password_hash_rounds,
        argon2__parallelism=1,
    )


def hash_password(password: str) -> str:
    hashed: str = _context().hash(unicodedata.normalize("NFKC", password))
    return hashed


def verify_password(
    password: str, hashed: str | None, bcrypt_costs: frozenset[str] = frozenset()
) -> tuple[bool, str | None]:
    """Whether the password is right, and a new hash where the old one is of an outdated kind.

    hashed: None when there is no such account.
    bcrypt_costs: those of the older system's hashes that are left, if the answer is for a stranger.

    The time of a refusal must not tell whether there is such an account, nor which kind of hash it
    has. So a refusal costs one verification of each kind that there is: of the account's own hash,
    and for the other kinds of nobody's. That is 25 ms, and with bcrypt hashes left 270 ms more (at
    their usual cost of 12): while they are, two hashing threads refuse 7 logins a second and not
    80. Nothing else waits for those threads, and tries are limited by address.

    Rejected: to answer a refusal after a fixed time. Sleeping holds a hashing thread just as long,
    and on a busy machine a bcrypt takes longer than whatever was fixed.
    """
    if len(password) > PASSWORD_INPUT_MAX:
        return False, None
    normal = unicodedata.normalize("NFKC", password)
    outcome = _verify(normal, hashed) if hashed else None
    if outcome and outcome[0]:
        return outcome
    nobodys = {cost: _bcrypt_of_nobody(cost) for cost in bcrypt_costs} | {"": _hash_of_nobody()}
    if hashed and outcome:
        nobodys.pop(bcrypt_cost(hashed), None)  # this one is paid
    for each in nobodys.values():
        _verify(normal, each)
    return False, None


def _verify(password: str, hashed: str) -> tuple[bool, str | None] | None:
    """None: a damaged hash, or a character that cannot be encoded. That takes no time."""
    try:
        outcome: tuple[bool, str | None] = _context().verify_and_update(password, hashed)
    except ValueError:
        return None
    return outcome


def bcrypt_cost(hashed: str) -> str:
    """`12` of `$2b$12$...`; empty for any other kind of hash, or for the beginning of one."""
    found = re.match(r"\$2[abxy]?\$(\d\d)\$", hashed)
    return found[1] if found else ""


def _bcrypt_of_nobody(cost: str) -> str:
    return f"$2b${cost}${'.' * 53}"  # salt and digest are zero: made without the work


@lru_cache
def _hash_of_nobody() -> str:
    return hash_password(secrets.token_urlsafe())


def prepare_hashing() -> None:
    """Load the backend and the hash of nobody, so that the first login is not a slow one."""
    _hash_of_nobody()


@lru_cache
def _common_passwords() -> frozenset[str]:
    path = Path(__file__).with_name("common_passwords.txt")
    return frozenset(path.read_text("utf-8").split())


def is_open_secret(password: str) -> bool:
    """Whether it is the one of `python run.py seed`, and this no place for that.

    A database that was seeded may be served in production later.
    """
    normal = unicodedata.normalize("NFKC", password)
    return normal == DEMO_PASSWORD and get_settings().environment == "production"


def check_password(password: str, username: str, email: str, *, field: str = "password") -> None:
    """Raise an InvalidError for a password that is among the first to be tried."""
    folded = unicodedata.normalize("NFKC", password).casefold()
    if folded in _common_passwords() or folded == DEMO_PASSWORD:
        raise InvalidError("is one of the most common passwords", field=field)
    if folded in {username.casefold(), email.casefold(), email.partition("@")[0].casefold()}:
        raise InvalidError("is your own name", field=field)
    if "".join(folded.split()) == "".join(get_settings().app_name.casefold().split()):
        raise InvalidError("is the name of this service", field=field)


# --- Access tokens ---------------------------------------------------------------------------


@dataclass(frozen=True)
class AccessClaims:
    """session: the family of refresh tokens that the access token belongs to."""

    user_id: int
    session: uuid.UUID


def create_access_token(claims: AccessClaims) -> str:
    settings, now = get_settings(), utcnow()
    token: str = jwt.encode(
        {
            "sub": str(claims.user_id),
            "sid": str(claims.session),
            "typ": ACCESS,
            "iss": settings.app_name,
            "aud": settings.app_name,
            "iat": now,
            "exp": now + timedelta(minutes=settings.access_token_minutes),
        },
        settings.secret_key,
        algorithm=ALGORITHM,
    )
    return token


def read_access_token(token: str) -> AccessClaims:
    """Raise an UnauthorizedError for anything but a token of ours that still runs."""
    settings = get_settings()
    try:
        # Looked at first: jose ignores what follows a signature, and parses before it verifies.
        if len(token) > JWT_MAX or not JWT_FORM.fullmatch(token):
            raise ValueError("not a token")
        claims = jwt.decode(
            token,
            settings.secret_key,
            algorithms=[ALGORITHM],
            audience=settings.app_name,
            issuer=settings.app_name,
            options={f"require_{name}": True for name in ("sub", "aud", "iss", "iat", "exp")},
        )
        if claims["typ"] != ACCESS:
            raise ValueError("another kind of token")
        user_id = int(claims["sub"])
        if not 0 < user_id < 2**31 or str(user_id) != claims["sub"]:
            raise ValueError("no id")
        return AccessClaims(user_id, session=uuid.UUID(claims["sid"]))
    except Exception:  # whatever is wrong with a token, the answer is the same
        raise UnauthorizedError("The token is not valid, or has ended.") from None


# --- Secrets that work once ------------------------------------------------------------------


def create_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """256 random bits need no slow hash: nobody can guess them."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def sign(*parts: bytes) -> str:
    """A hash of what could be guessed, which nobody can compute from the database alone."""
    lengths = b",".join(b"%d" % len(part) for part in parts)
    message = b"".join((lengths, b":", *parts))
    return hmac.new(get_settings().secret_key.encode(), message, hashlib.sha256).hexdigest()
