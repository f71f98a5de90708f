"""What posts are about."""

from typing import Annotated

from fastapi import Query

from app.api.deps import SessionDep
from app.core.routing import APIRouter
from app.schemas.base import Page
from app.schemas.tag import TagParams, TagRead
from app.services.tag_service import TagService

router = APIRouter(prefix="/tags", tags=["tags"])


@router.get("")
def list_tags(db: SessionDep, params: Annotated[TagParams, Query()]) -> Page[TagRead]:
    """List the tags of published posts, with the number of those posts."""
    return TagService.list_tags(db, params)
