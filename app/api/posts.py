"""The blog: posts that are written, published and liked. `{slug}` may be a post's id as well."""

from typing import Annotated

from fastapi import Query

from app.api.deps import Admin, CurrentUser, IfMatch, SessionDep, Staff, Visitor, Writes
from app.core.routing import APIRouter
from app.models.post import Post
from app.schemas.base import Page
from app.schemas.post import (
    OwnPostParams,
    PostCreate,
    PostParams,
    PostRead,
    PostReplace,
    PostStats,
    PostSummary,
    PostUpdate,
    Slug,
    TrendingParams,
)
from app.services.post_service import PostService

router = APIRouter(prefix="/posts", tags=["posts"])


@router.get("")
def list_posts(db: SessionDep, params: Annotated[PostParams, Query()]) -> Page[PostSummary]:
    """List published posts, filtered, searched and sorted; the newest first."""
    return PostService.list_posts(db, params)


@router.post("", status_code=201, response_model=PostRead)
def create_post(db: SessionDep, user: CurrentUser, data: PostCreate) -> Post:
    """Write a post. It is a draft that you alone see, until you publish it."""
    return PostService.create_post(db, user, data)


@router.get("/mine")
def list_own_posts(
    db: SessionDep, user: CurrentUser, params: Annotated[OwnPostParams, Query()]
) -> Page[PostSummary]:
    """List your own posts, drafts and archived ones as well; the newest first."""
    return PostService.list_own_posts(db, user, params)


@router.get("/trending", response_model=list[PostSummary])
def list_trending_posts(db: SessionDep, params: Annotated[TrendingParams, Query()]) -> list[Post]:
    """The posts of the last days with most views; a like is worth five views."""
    return PostService.list_trending_posts(db, params)


@router.get("/stats")
def get_post_stats(db: SessionDep, _: Staff) -> PostStats:
    """How many posts there are of each status, and how often they were viewed and liked."""
    return PostService.get_post_stats(db)


@router.get("/{slug}", response_model=PostRead, dependencies=[Writes])
def get_post(db: SessionDep, user: Visitor, slug: Slug) -> Post:
    """One post. A view of a published one is counted."""
    return PostService.get_post(db, user, slug)


@router.put("/{slug}", response_model=PostRead)
def replace_post(
    db: SessionDep, user: CurrentUser, slug: Slug, data: PostReplace, if_match: IfMatch
) -> Post:
    """Replace a post as a whole. What is left out goes back to its default; the slug stays."""
    return PostService.replace_post(db, user, slug, data, if_match)


@router.patch("/{slug}", response_model=PostRead)
def update_post(
    db: SessionDep, user: CurrentUser, slug: Slug, data: PostUpdate, if_match: IfMatch
) -> Post:
    """Change some of a post. Its slug stays, so that links go on working."""
    return PostService.update_post(db, user, slug, data, if_match)


@router.delete("/{slug}", status_code=204)
def delete_post(db: SessionDep, user: CurrentUser, slug: Slug, if_match: IfMatch) -> None:
    """Delete a post. An administrator can restore it."""
    PostService.delete_post(db, user, slug, if_match)


@router.post("/{slug}/publish", response_model=PostRead)
def publish_post(db: SessionDep, user: CurrentUser, slug: Slug) -> Post:
    """Show a post to everybody."""
    return PostService.publish_post(db, user, slug)


@router.post("/{slug}/archive", response_model=PostRead)
def archive_post(db: SessionDep, user: CurrentUser, slug: Slug) -> Post:
    """Take a post out of all lists. Its author and moderators still see it."""
    return PostService.archive_post(db, user, slug)


@router.post("/{slug}/restore", response_model=PostRead)
def restore_post(db: SessionDep, admin: Admin, slug: Slug) -> Post:
    """Bring a deleted post back, as it was. The drafts of others stay unseen."""
    return PostService.restore_post(db, admin, slug)


@router.put("/{slug}/like", response_model=PostRead)
def like_post(db: SessionDep, user: CurrentUser, slug: Slug) -> Post:
    """Like a published post. To like it again changes nothing."""
    return PostService.like_post(db, user, slug)


@router.delete("/{slug}/like", response_model=PostRead)
def unlike_post(db: SessionDep, user: CurrentUser, slug: Slug) -> Post:
    """Take your like back. Where there is none, nothing changes."""
    return PostService.unlike_post(db, user, slug)
