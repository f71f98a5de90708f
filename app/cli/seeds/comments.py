from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.comment import Comment
from app.models.post import Post, PostStatus
from app.models.user import User

MODEL = Comment
AFTER = ("posts", "users")


def number(plan: Plan) -> int:
    return min(plan.rows, 6_000)


def make(db: Session, plan: Plan) -> Iterator[Comment]:
    chance = plan.chance("comments")
    post_ids = db.scalars(
        select(Post.id).where(Post.status == PostStatus.PUBLISHED).order_by(Post.id)
    ).all()
    author_ids = db.scalars(select(User.id).order_by(User.id)).all()
    while post_ids:
        yield Comment(
            post_id=chance.choice(post_ids),
            author_id=chance.choice(author_ids),
            body=chance.choice(plan.words["comments"]),
            created_at=chance.moment(60, plan.today),
        )
