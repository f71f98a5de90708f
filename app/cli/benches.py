"""`python run.py bench ...`: how long things take."""

from typing import Annotated

import typer

commands = typer.Typer(help="Measure how long things take.", no_args_is_help=True)


@commands.command("scaffold")
def bench_scaffold(
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="How often; the median is told.")
    ] = 3,
) -> None:
    """Make and remove features in a copy of the tree."""
    from app.cli.scaffold.timing import time_scaffold

    time_scaffold(rounds)
