"""`python run.py describe`, `mcp` and `eval`: for those who look before they change something."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.modules import run_module
from app.core.root import ROOT

commands = typer.Typer()
PANEL = "For agents, and who works with them"

# What a command needs is imported in it: a start of the server needs none of it.


@commands.command("describe", rich_help_panel=PANEL)
def describe_command(
    feature: Annotated[
        str | None, typer.Argument(metavar="[FEATURE]", help="This one alone.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what is there: features, routes, fields, migrations, settings, last errors."""
    from app.cli.showing import show

    show(feature, as_json=as_json)


@commands.command("mcp", rich_help_panel=PANEL)
def mcp_command() -> None:
    """Serve coding agents, by the Model Context Protocol, on standard input and output."""
    from app.cli.mcp_server import serve

    serve()


@commands.command("eval", rich_help_panel=PANEL)
def eval_command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Without one: list them.")
    ] = None,
    tree: Annotated[Path, typer.Option(metavar="PATH", help="What an agent left behind.")] = ROOT,
    start: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Make the tree to begin with there.")
    ] = None,
) -> None:
    """Grade what an agent made of a prompt: acceptance tests, as points."""
    words = [name] if name else []
    words += ["--tree", str(tree.resolve())]
    words += ["--start", str(start.resolve())] if start else []
    raise typer.Exit(run_module("tests.evals", *words))
