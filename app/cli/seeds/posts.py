from collections.abc import Iterator
from datetime import timedelta
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.cli.planting import Plan
from app.core.text import slugify
from app.models.post import Post, PostStatus
from app.models.tag import Tag
from app.models.user import User

MODEL = Post
AFTER = ("tags", "users")


def number(plan: Plan) -> int:
    return min(max(plan.rows // 5, 20), 2_000)


def make(db: Session, plan: Plan) -> Iterator[Post]:
    chance, words = plan.chance("posts"), plan.words
    readers = db.scalars(select(User).order_by(User.id).limit(60)).all()
    author_ids = [reader.id for reader in readers[:12]]
    tags = db.scalars(select(Tag).order_by(Tag.id)).all()
    taken = set(db.scalars(select(Post.slug)))
    for index in count():
        repeat, place = divmod(index, len(words["titles"]))
        title = words["titles"][place] + (f" ({repeat + 1})" if repeat else "")
        created_at = chance.moment(120, plan.today)
        paragraphs = [" ".join(chance.sample(words["sentences"], 4)) for _ in range(3)]
        drafted = chance.random() < 0.1
        post = Post(
            author_id=chance.choice(author_ids),
            title=title,
            slug=slugify(title, "post"),
            excerpt=chance.choice(words["sentences"]),
            content="\n\n".join(paragraphs),
            status=PostStatus.DRAFT if drafted else PostStatus.PUBLISHED,
            view_count=0 if drafted else chance.randint(20, 4000),
            published_at=None if drafted else created_at + timedelta(hours=chance.randint(1, 9)),
            created_at=created_at,
        )
        some = chance.sample(tags, min(len(tags), chance.randint(1, 3)))
        likers = chance.sample(readers, chance.randrange(len(readers) // 2)) if not drafted else []
        # Not before: tags and likers would hold on to a post that is not written.
        if post.slug not in taken:
            post.tags, post.likers, post.like_count = some, likers, len(likers)
            yield post
