"""`python run.py mcp`, as the SDK's own client sees it."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import typer

pytest.importorskip("mcp", reason="mcp is not installed: pip install -r requirements-dev.txt")

from mcp import Client, StdioServerParameters, stdio_client
from mcp_types import CallToolResult

from app.cli import commanding, mcp_server, mcp_tools, querying
from app.cli.commanding import Done
from app.cli.main import cli, cli_app
from app.core import diagnostics
from app.core.config import Settings, get_settings
from app.core.database import Database
from app.models.user import User
from tests.beside import beside
from tests.databases import address
from tests.factories import make_user
from tests.servers import copy_tree, environment
from tests.support import stored

Capture = pytest.CaptureFixture[str]
TOOLS = {
    *("describe", "routes", "database_schema", "query", "last_errors", "slowest_queries"),
    *("new_feature", "copy_feature", "add_fields", "remove_feature", "check", "run_tests"),
}


def call(name: str, **arguments: Any) -> CallToolResult:
    """The answer of a tool, through the protocol."""

    async def ask() -> CallToolResult:
        async with Client(mcp_tools.server, mode="legacy") as client:
            return await client.call_tool(name, arguments)

    return anyio.run(ask)


def text_of(result: CallToolResult) -> str:
    return "\n".join(getattr(each, "text", "") for each in result.content)


# --- In this process -------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_handshake_and_tools(mode: str) -> None:
    async def greet() -> None:
        async with Client(mcp_tools.server, mode=mode) as client:
            assert client.server_info.name == "fastapi-live"
            assert "describe" in (client.instructions or "")
            tools = {each.name: each for each in (await client.list_tools()).tools}
            assert tools.keys() == TOOLS
            for name, tool in tools.items():
                assert tool.description, name
                assert tool.annotations, name
            reading = {name for name, each in tools.items() if each.annotations.read_only_hint}
            assert TOOLS - reading == {
                *("new_feature", "copy_feature", "add_fields", "remove_feature", "run_tests")
            }
            assert tools["remove_feature"].annotations.destructive_hint

    anyio.run(greet)


@pytest.fixture
def here(threaded: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are of the database of the test."""
    settings = get_settings().model_copy(update={"database_url": address(threaded)})
    monkeypatch.setattr(querying, "get_settings", lambda: settings)


def test_sql_is_read_and_an_update_refused_by_the_database(here: None) -> None:
    make_user(username="ana")
    read = call("query", sql="SELECT username FROM users")
    assert read.structured_content == {
        "columns": ["username"],
        "rows": [["ana"]],
        "truncated": False,
    }
    refused = call("query", sql="UPDATE users SET username = 'eve'")
    assert refused.is_error
    assert "The database refuses it: " in text_of(refused)
    assert [user.username for user in stored(User)] == ["ana"]
    assert call("query", sql="SELECT 1", limit=5000).is_error
    tables = call("database_schema").structured_content
    assert tables is not None
    assert "users" in tables


def test_errors_and_queries_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnostics, "FOLDER", tmp_path)
    assert call("last_errors").structured_content == {"result": []}
    diagnostics.note_error(NameError("name 'Prodct' is not defined"))
    diagnostics.note_query("SELECT 1", 0.5)
    assert "Prodct" in text_of(call("last_errors", limit=1))
    assert "500" in text_of(call("slowest_queries"))


Answer = Callable[..., Awaitable[Done]]


def answering(code: int, output: str, errors: str = "") -> tuple[list[list[str]], Answer]:
    """What would be run, and an answer to it. The words must be those of the command line."""
    asked: list[list[str]] = []

    async def run(*words: str, interruptible: bool = True) -> Done:
        group = typer.main.get_command(cli_app)
        assert isinstance(group, typer.core.TyperGroup)
        command = group.commands[words[0]]
        command.make_context(words[0], list(words[1:]))
        asked.append(list(words))
        return Done(code, output, errors)

    return asked, run


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("describe", {"feature": "user"}, "describe --json -- user"),
        ("check", {}, "check --json"),
        ("check", {"feature": "user"}, "check --json -- user"),
        (
            "new_feature",
            {"entity": "book", "fields": ["title:str"], "write": "staff", "uuid": True},
            "new --uuid --write staff --dry-run -- book title:str",
        ),
        (
            "new_feature",
            {"entity": "--x", "fields": [], "owned": True, "dry_run": False, "plural": "xs"},
            "new --owned --plural xs -- --x",
        ),
        ("copy_feature", {"feature": "a", "new": "b"}, "copy --dry-run -- a b"),
        ("add_fields", {"feature": "a", "fields": ["b:str"]}, "add-field --dry-run -- a b:str"),
        ("remove_feature", {"feature": "a", "dry_run": False}, "remove -- a"),
        (
            "run_tests",
            {"paths": ["tests/test_users.py"], "keyword": "x", "database": "sqlite://"},
            "test --database sqlite:// --maxfail=10 --tb=short -k x tests/test_users.py",
        ),
    ],
)
def test_a_tool_is_a_command(
    tool: str, arguments: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, run = answering(0, "{}")
    monkeypatch.setattr(commanding, "run", run)
    result = call(tool, **arguments)
    assert not result.is_error, text_of(result)
    assert asked == [words.split()]


def test_what_a_command_complains_of_reaches_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    _, run = answering(1, "", "✗ There is no feature usr.")
    monkeypatch.setattr(commanding, "run", run)
    for tool in ("describe", "remove_feature"):
        result = call(tool, feature="usr")
        assert result.is_error
        assert "There is no feature usr." in text_of(result)
    tests = call("run_tests").structured_content
    assert tests == {"passed": False, "output": "✗ There is no feature usr."}
    assert call("run_tests", paths=["--collect-only"]).is_error


def test_a_caller_that_gives_up_ends_the_command() -> None:
    async def give_up() -> None:
        with anyio.move_on_after(0.2) as patience:
            await commanding.run("test", "--collect-only")
        assert patience.cancelled_caught

    anyio.run(give_up)


# --- As a process ----------------------------------------------------------------------------


def test_it_does_not_start_in_production(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    production = Settings(_env_file=None, environment="production", secret_key="x" * 32)
    monkeypatch.setattr(mcp_server, "get_settings", lambda: production)
    assert cli(["mcp"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "does not start in production" in said.err


def test_without_the_sdk_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.delitem(sys.modules, "app.cli.mcp_tools")
    monkeypatch.delattr("app.cli.mcp_tools")
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    assert cli(["mcp"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "pip install mcp -c constraints.txt" in said.err


def talk(tree: Path, talking: Callable[[Client], Awaitable[None]]) -> None:
    """With the server of a tree, over its standard input and output."""
    server = StdioServerParameters(
        command=sys.executable,
        args=["run.py", "mcp"],
        cwd=tree,
        env=environment(DATABASE_URL=f"sqlite:///{tree}/app.db", SECRET_KEY="s" * 32),
    )

    async def run() -> None:
        with (tree / "stderr.log").open("w") as log:
            async with Client(stdio_client(server, errlog=log)) as client:
                await talking(client)

    anyio.run(run)


@beside
def test_it_speaks_on_standard_output(folder: Path) -> None:
    async def talking(client: Client) -> None:
        assert {each.name for each in (await client.list_tools()).tools} == TOOLS
        result = await client.call_tool("query", {"sql": "SELECT 1"})
        assert "There is no app.db yet" in text_of(result)
        result = await client.call_tool("describe", {"feature": "user"})
        assert result.structured_content is not None, text_of(result)
        assert result.structured_content["features"][0]["name"] == "user"

    talk(copy_tree(folder / "tree"), talking)


@pytest.mark.slow
def test_every_tool_does_what_it_says(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "tree")

    async def talking(client: Client) -> None:
        async def ask(name: str, **arguments: Any) -> str:
            result = await client.call_tool(name, arguments)
            assert not result.is_error, (name, text_of(result))
            return text_of(result)

        shown = await ask("new_feature", entity="gadget", fields=["title:str:200"])
        assert "+class Gadget(" in shown
        assert not (tree / "app/models/gadget.py").exists()
        made = {"entity": "gadget", "fields": ["title:str:200"], "dry_run": False}
        assert "tests passed" in await ask("new_feature", **made)
        assert "/gadgets/{gadget_id}" in await ask("routes")
        assert "gadgets" in await ask("describe", feature="gadget")
        assert "gadgets" in await ask("database_schema")
        assert '"truncated": false' in await ask("query", sql="SELECT * FROM gadgets")
        update = await client.call_tool("query", {"sql": "UPDATE gadgets SET title = 'x'"})
        assert "readonly" in text_of(update)
        assert "class Gizmo(" in await ask("copy_feature", feature="gadget", new="gizmo")
        added = await ask("add_fields", feature="gadget", fields=["color:str:7:optional"])
        assert "color" in added
        assert '"clean": true' in await ask("check", feature="gadget")
        assert '"passed": true' in await ask("run_tests", paths=["tests/test_gadgets.py"])
        assert await ask("last_errors") == await ask("slowest_queries") == ""
        await ask("remove_feature", feature="gadget", dry_run=False)
        assert not (tree / "app/models/gadget.py").exists()

    talk(tree, talking)
