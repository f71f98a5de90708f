from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.text import key_of
from app.models.post import Post
from app.models.tag import Tag
from app.schemas.base import Page
from app.schemas.tag import TagParams, TagRead
from app.services.base import get_or_create, paginate


class TagService:
    @staticmethod
    def list_tags(db: Session, params: TagParams) -> Page[TagRead]:
        """The tags of published posts: one that only drafts have tells what is being written."""
        return paginate(db, select(Tag).where(Tag.posts.any(Post.is_published)), params, TagRead)


def find_tags(db: Session, names: Iterable[str]) -> list[Tag]:
    """The tags of these names, each once; new ones are made. The caller commits.

    Sorted, so that two who make the same new tags do it in the same order, and do not deadlock.
    """
    by_key = {key_of(name): name for name in names}
    return [get_or_create(db, Tag, {"name": by_key[key]}, name_key=key) for key in sorted(by_key)]
