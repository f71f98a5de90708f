from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.models.comment import Comment
from app.models.post import Post, PostStatus
from app.models.user import User

MODEL = Comment
AFTER = ("posts", "users")


def number(plan: Plan) -> int:
    return min(plan.rows, 6_000)


def counted(plan: Plan) -> list[ColumnElement[bool]]:
    return [Comment.parent_id.is_(None)]  # replies come with what they reply to


def make(db: Session, plan: Plan) -> Iterator[Comment]:
    chance = plan.chance("comments")
    post_ids = db.scalars(
        select(Post.id).where(Post.status == PostStatus.PUBLISHED).order_by(Post.id)
    ).all()
    author_ids = db.scalars(select(User.id).order_by(User.id)).all()
    while post_ids:
        post_id, written_at = chance.choice(post_ids), chance.moment(60, plan.today)
        comment, *replies = [
            Comment(
                post_id=post_id,
                author_id=chance.choice(author_ids),
                body=chance.choice(plan.words["replies" if hours else "comments"]),
                created_at=written_at + timedelta(hours=hours),
            )
            for hours in range(chance.choice([1, 1, 1, 2, 3]))
        ]
        comment.replies = replies
        yield comment
