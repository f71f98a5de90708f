from collections.abc import Iterator

from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.tag import Tag

MODEL = Tag
AFTER: tuple[str, ...] = ()


def number(plan: Plan) -> int:
    return len(plan.words["tags"])


def make(db: Session, plan: Plan) -> Iterator[Tag]:
    for name in plan.words["tags"]:
        yield Tag(name=name)
