"""What readers say about posts, and reply to each other."""

from typing import Annotated

from fastapi import Query

from app.api.deps import CurrentUser, IfMatch, SessionDep, Visitor
from app.core.routing import APIRouter
from app.models.comment import Comment
from app.schemas.base import Id, Page
from app.schemas.comment import CommentCreate, CommentParams, CommentRead, CommentUpdate
from app.schemas.post import Slug
from app.services.comment_service import CommentService

router = APIRouter(tags=["comments"])


@router.get("/posts/{slug}/comments")
def list_comments(
    db: SessionDep, user: Visitor, slug: Slug, params: Annotated[CommentParams, Query()]
) -> Page[CommentRead]:
    """List the comments on a post, and the replies to them; the oldest first."""
    return CommentService.list_comments(db, user, slug, params)


@router.post("/posts/{slug}/comments", status_code=201, response_model=CommentRead)
def create_comment(db: SessionDep, user: CurrentUser, slug: Slug, data: CommentCreate) -> Comment:
    """Comment on a published post, or reply to a comment."""
    return CommentService.create_comment(db, user, slug, data)


@router.patch("/comments/{comment_id}", response_model=CommentRead)
def update_comment(
    db: SessionDep, user: CurrentUser, comment_id: Id, data: CommentUpdate, if_match: IfMatch
) -> Comment:
    """Change your own comment."""
    return CommentService.update_comment(db, user, comment_id, data, if_match)


@router.delete("/comments/{comment_id}", status_code=204)
def delete_comment(db: SessionDep, user: CurrentUser, comment_id: Id, if_match: IfMatch) -> None:
    """Delete your own comment, with the replies to it. Moderators delete those of others, too."""
    CommentService.delete_comment(db, user, comment_id, if_match)
