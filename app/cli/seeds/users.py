import re
from collections.abc import Iterator

from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.core.security import DEMO_PASSWORD, hash_password
from app.core.text import fold
from app.models.user import Role, User

MODEL = User
AFTER: tuple[str, ...] = ()

DEMO = {"admin": Role.ADMIN, "moderator": Role.MODERATOR, "user": Role.USER}


def number(plan: Plan) -> int:
    return len(DEMO) + min(max(plan.rows // 10, 20), 10_000)


def make(db: Session, plan: Plan) -> Iterator[User]:
    chance, hashed = plan.chance("users"), hash_password(DEMO_PASSWORD)
    for username, role in DEMO.items():
        yield _user(username, username.capitalize(), hashed, role=role)
    firsts, lasts = plan.words["first_names"], plan.words["last_names"]
    names = [f"{first} {last}" for first in firsts for last in lasts]
    chance.shuffle(names)
    for index in range(number(plan)):
        repeat, place = divmod(index, len(names))
        username = re.sub(r"\W", "_", fold(names[place])) + (f"_{repeat + 1}" if repeat else "")
        created_at = chance.moment(700, plan.today)
        yield _user(username, names[place], hashed, created_at=created_at)


def _user(username: str, full_name: str, hashed_password: str, **values: object) -> User:
    return User(
        username=username,
        email=f"{username}@example.com",
        full_name=full_name,
        hashed_password=hashed_password,
        **values,
    )
