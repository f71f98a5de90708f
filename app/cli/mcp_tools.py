"""The tools of `python run.py mcp`. Most are commands, run on the code as it is now."""

from typing import Annotated, Any, Literal

import anyio.to_thread
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations
from pydantic import Field

from app.cli import commanding, querying
from app.cli.commanding import Done
from app.cli.console import CommandError
from app.core import diagnostics

server = MCPServer(
    "fastapi-live",
    instructions=(
        "A FastAPI project whose features are five files and a migration. Begin with `describe`. "
        "Make and change features with new_feature and add_fields (look at the dry run first), "
        "not by hand. Before you say that something is done: run_tests and check."
    ),
    version="1.0.0",
    log_level="WARNING",
)
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
CHANGES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
DELETES = ToolAnnotations(read_only_hint=False, destructive_hint=True, open_world_hint=False)

Told = dict[str, Any]
Feature = Annotated[str, Field(description="As `describe` names it: product, order_item.")]
Fields = Annotated[
    list[str],
    Field(
        description="name:type:more. title:str:200:unique price:decimal:10.2 stock:int=0 "
        "status:enum:draft/published=draft category:ref:optional owner:ref:users tags:many "
        "data:json:optional. Types: str text int bigint float decimal bool date datetime time json "
        "uuid email url slug enum ref many."
    ),
]
DryRun = Annotated[bool, Field(description="Answer with the diff, and touch nothing.")]
Plural = Annotated[str | None, Field(description="Where English is not enough.")]
Limit = Annotated[int, Field(ge=1, le=100)]


# --- What is there ---------------------------------------------------------------------------


@server.tool(annotations=READS)
async def describe(feature: Feature | None = None) -> Told:
    """Features, routes, fields, relations, state of the migrations; of one feature or of all.

    Of all: also the settings (no secrets), the last errors and the slowest queries.
    """
    return await _json("describe", "--json", *_named(feature))


@server.tool(annotations=READS)
async def routes() -> list[Told]:
    """Every route: who may call it, what it takes and answers, and of which feature it is."""
    found: list[Told] = (await _json("describe", "--json"))["routes"]
    return found


@server.tool(annotations=READS)
async def database_schema() -> Told:
    """The tables, columns, indexes and foreign keys that the database has now."""
    return await _ask(querying.describe_database)


@server.tool(annotations=READS)
async def query(
    sql: Annotated[str, Field(description="One SELECT, WITH or EXPLAIN.")],
    limit: Annotated[int, Field(ge=1, le=querying.MOST_ROWS)] = 100,
) -> Told:
    """Read the development database by SQL. It refuses to write, and stops after five seconds."""
    return await _ask(querying.run_query, sql, limit)


@server.tool(annotations=READS)
def last_errors(limit: Limit = 10) -> list[Told]:
    """What went wrong in the development server, the newest first, with the lines of our code."""
    return diagnostics.last_errors(limit)


@server.tool(annotations=READS)
def slowest_queries(limit: Limit = 10) -> list[Told]:
    """The statements that took the development server longest, and the line that asked."""
    return diagnostics.slowest_queries(limit)


# --- What changes the tree -------------------------------------------------------------------


@server.tool(annotations=CHANGES)
async def new_feature(
    entity: Annotated[str, Field(description="In the singular: product, order_item.")],
    fields: Fields,
    owned: Annotated[bool, Field(description="Rows belong to who made them.")] = False,
    write: Literal["anyone", "user", "staff", "admin"] = "user",
    soft_delete: bool = False,
    uuid: Annotated[bool, Field(description="Ids that nobody can guess.")] = False,
    plural: Plural = None,
    dry_run: DryRun = True,
) -> str:
    """Make a feature: model, schemas, service, router, tests and migration; tested and applied."""
    switches = {"--owned": owned, "--soft-delete": soft_delete, "--uuid": uuid}
    options = [name for name, on in switches.items() if on]
    options += [] if owned else ["--write", write]
    options += ["--plural", plural] if plural else []
    return await _change("new", *options, dry_run=dry_run, words=[entity, *fields])


@server.tool(annotations=CHANGES)
async def copy_feature(
    feature: Feature, new: str, plural: Plural = None, dry_run: DryRun = True
) -> str:
    """Copy a feature with its own methods and tests under another name."""
    options = ["--plural", plural] if plural else []
    return await _change("copy", *options, dry_run=dry_run, words=[feature, new])


@server.tool(annotations=CHANGES)
async def add_fields(feature: Feature, fields: Fields, dry_run: DryRun = True) -> str:
    """Add fields to a feature that is there: model, schemas, tests and migration."""
    return await _change("add-field", dry_run=dry_run, words=[feature, *fields])


@server.tool(annotations=DELETES)
async def remove_feature(feature: Feature, dry_run: DryRun = True) -> str:
    """Take a feature away: files, other sides of relationships, table. Its rows are lost."""
    return await _change("remove", dry_run=dry_run, words=[feature])


# --- Whether it is right ---------------------------------------------------------------------


@server.tool(annotations=READS)
async def check(feature: Feature | None = None) -> Told:
    """What is missing in a feature or in all: rule, file, line, what is wrong and the remedy."""
    done = await commanding.run("check", "--json", *_named(feature))
    if done.json is None:
        raise ToolError(done.said)
    return {"clean": done.code == 0, "report": done.json}


@server.tool(annotations=CHANGES)
async def run_tests(
    paths: Annotated[
        list[str], Field(description="tests/test_products.py or a test in it; empty for all.")
    ] = [],  # noqa: B006 - the SDK makes a schema of it
    keyword: Annotated[str | None, Field(description="Only tests with this in their name.")] = None,
    database: Annotated[
        str | None, Field(description="A URL, of a database for tests; else SQLite in memory.")
    ] = None,
) -> Told:
    """Run the tests, to the first ten failures. Minutes for all: begin with those you touched."""
    if any(path.startswith("-") for path in paths):
        raise ToolError("paths are files of tests, no options.")
    options = ["--database", database] if database else []
    words = ["--maxfail=10", "--tb=short", *(["-k", keyword] if keyword else []), *paths]
    done = await commanding.run("test", *options, *words)
    return {"passed": done.code == 0, "output": _end_of(done)}


# --- How -------------------------------------------------------------------------------------


async def _json(*arguments: str) -> Told:
    done = await commanding.run(*arguments)
    if done.code or done.json is None:
        raise ToolError(done.said)
    told: Told = done.json
    return told


async def _change(command: str, *options: str, dry_run: bool, words: list[str]) -> str:
    options = (*options, "--dry-run") if dry_run else options
    # Behind `--`, no word is taken for an option.
    done = await commanding.run(command, *options, "--", *words, interruptible=False)
    if done.code:
        raise ToolError(done.said)
    return done.said


async def _ask(function: Any, *arguments: Any) -> Told:
    try:
        told: Told = await anyio.to_thread.run_sync(function, *arguments)
    except CommandError as error:
        raise ToolError(str(error)) from None
    return told


def _named(feature: str | None) -> list[str]:
    return ["--", feature] if feature else []


def _end_of(done: Done, characters: int = 20_000) -> str:
    """The end of what a command said: there is the summary."""
    return done.said if len(done.said) <= characters else "… " + done.said[-characters:]
