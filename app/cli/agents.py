"""`python run.py describe`, `mcp` and `eval`: for those who look before they change something."""

from typing import Annotated

import typer

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
