"""Accounts of an older system, whose passwords are still hashed by bcrypt."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.security import bcrypt_cost
from app.models.user import User
from app.services.tokens import active


class _Known:
    """None: not asked yet."""

    costs: frozenset[str] | None = None


def bcrypt_costs(db: Session) -> frozenset[str]:
    """The costs of the bcrypt hashes that are left.

    Asked by the first login of a process, because it reads the whole table: after bringing such
    accounts in, or when the last one has gone, restart.
    """
    if _Known.costs is None:
        begins = func.substr(User.hashed_password, 1, 7)  # $2b$12$
        old = select(begins).where(User.hashed_password.startswith("$2"), *active()).distinct()
        _Known.costs = frozenset(map(bcrypt_cost, db.scalars(old))) - {""}
    return _Known.costs
