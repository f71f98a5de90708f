from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.tag import Tag

MODEL = Tag
AFTER: tuple[str, ...] = ()


def number(plan: Plan) -> int:
    return len(plan.words["tags"])


def make(db: Session, plan: Plan) -> Iterator[Tag]:
    taken = set(db.scalars(select(Tag.name)))
    for name in plan.words["tags"]:
        if name not in taken:
            yield Tag(name=name)
