"""The example prompt of the expert for tests: a suite for the blog.

What is judged here is tests. They must pass on the blog as it is, and fail on each of `MUTANTS`, in
which one thing is broken.
"""

from tests.evals import Edit

PROMPT = (".claude/agents/database-testing-expert.md", "Example prompt")
FEATURE = "post"
MODULES = [
    *("tests/test_posts.py", "tests/test_post_lists.py", "tests/test_post_likes.py"),
    "tests/test_comments.py",
]
START: list[list[str]] = []
EMPTIED = MODULES  # the tests to be written are not in the tree that one begins with

ACCESS = "app/services/post_access.py"
COMMENTS = "app/services/comment_service.py"
MUTANTS = {
    "a stranger changes a post": Edit(
        ACCESS, "if post.author_id != user.id and not user.is_staff:", "if post.author_id < 0:"
    ),
    "everybody sees drafts": Edit(
        ACCESS,
        "        return Post.status == PostStatus.PUBLISHED\n",
        "        return Post.id > 0\n",
    ),
    "the author of a post is loaded for each row": Edit(
        ACCESS, "    joinedload(Post.author, innerjoin=True).load_only(*AUTHOR),\n", ""
    ),
    "a stranger changes a comment": Edit(
        COMMENTS, "own = Comment.author_id == user.id\n", "own = Comment.author_id > 0\n"
    ),
    "a draft takes comments": Edit(COMMENTS, "if not post.is_published:", "if post.id < 0:"),
    "a reply may be to a comment of another post": Edit(
        COMMENTS, "        if data.parent_id is not None:\n", "        if data.parent_id == -1:\n"
    ),
    "a deleted post is still there": Edit(
        ACCESS, "    if not include_deleted:\n", "    if include_deleted:\n"
    ),
}
BAD = [
    Edit(
        "tests/test_comments.py",
        "ACCESS = [",
        "pytestmark = pytest.mark.skip(reason='bad')\nACCESS = [",
    ),
]
MISSES = {
    "a stranger changes a comment",
    "a draft takes comments",
    "a reply may be to a comment of another post",
}
