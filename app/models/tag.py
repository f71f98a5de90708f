from sqlalchemy import ColumnElement, String, func, select
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, IdMixin, SearchMixin, unique_key
from app.models.post import Post, post_tags


# check: R04 because a tag is a word: it is made with the first post and never changes
class Tag(Base, IdMixin, SearchMixin):
    __tablename__ = "tags"
    searched = ("name",)

    name: Mapped[str] = mapped_column(String(50), index=True)
    name_key: Mapped[str | None] = unique_key("name", 150)

    posts: Mapped[list[Post]] = relationship(
        secondary=post_tags, back_populates="tags", passive_deletes=True
    )

    @hybrid_property
    def post_count(self) -> int:
        return sum(post.is_published for post in self.posts)

    @post_count.inplace.expression
    @classmethod
    def _post_count(cls) -> ColumnElement[int]:
        counted = select(func.count()).select_from(Post).join(post_tags)
        counted = counted.where(post_tags.c.tag_id == cls.id, Post.is_published)
        return counted.scalar_subquery()
