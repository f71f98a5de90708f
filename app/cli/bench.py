"""`python run.py bench ...`"""

import importlib.util
import json
import os
from pathlib import Path
from typing import Annotated

import typer

from app.cli.console import CommandError, UsageError, console
from app.core.root import ROOT

commands = typer.Typer(
    help="Measure the speed, against what else could be written.",
    invoke_without_command=True,
    no_args_is_help=False,
)

NEEDS = "{} is not installed. Run: pip install -r requirements-dev.txt"
COMPARED = ("read", "list", "create", "page")  # and plotted
PARTS = (*COMPARED, "depth", "logins", "crowd", "start", "workers")


@commands.callback(
    epilog="A quick look: python run.py bench --rounds 1 --seconds 1 --only read,list,create"
)
def bench(
    context: typer.Context,
    rounds: Annotated[int, typer.Option(metavar="N", min=1, max=50, help="Rounds of each.")] = 5,
    seconds: Annotated[
        float, typer.Option(metavar="S", min=0.1, max=60, help="Seconds of a round.")
    ] = 2.0,
    rows: Annotated[
        int, typer.Option(metavar="N", min=1000, max=1_000_000, help="Products in the database.")
    ] = 100_000,
    only: Annotated[
        str, typer.Option(metavar="PARTS", help=f"Some of {','.join(PARTS)}.")
    ] = ",".join(PARTS),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    picture: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw a picture: out.png.")
    ] = None,
) -> None:
    """Measure the speed: this project, the textbook form of it, an async one, and a bare one.

    In a database of its own, made for the run and dropped after it: on the PostgreSQL server of
    BENCH_DATABASE_URL or DATABASE_URL, or a SQLite file.
    """
    if context.invoked_subcommand is not None:
        return
    parts = tuple(part.strip() for part in only.split(",") if part.strip())
    if not parts or set(parts) - set(PARTS):
        unknown = ", ".join(part for part in parts if part not in PARTS)
        raise UsageError(f"--only {unknown or 'nothing'}: there are {', '.join(PARTS)}.")
    if picture and set(parts).isdisjoint(COMPARED):
        raise UsageError(f"--plot: only {', '.join(COMPARED)} are plotted.")
    url = server_url()
    check_needs(picture)
    if not (ROOT / "app/models/product.py").exists():
        raise CommandError("The benchmark reads and makes products, and they were removed.")
    # Only now: what the tests need is not installed everywhere, and sets up their environment.
    from tests.bench import report, running

    plan = running.Plan(url, rounds, seconds, rows, parts)
    console.stderr = as_json  # what goes on meanwhile is no JSON
    found = running.run_bench(plan)
    console.stderr = False
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        report.show(found)
    if picture is not None:
        report.plot(found, picture)


def server_url() -> str | None:
    """A database on the PostgreSQL server to measure on; None for a SQLite file."""
    from app.core.config import Settings, get_settings

    given = os.environ.get("BENCH_DATABASE_URL")
    try:
        url = Settings.name_the_driver(given) if given else get_settings().database_url
    except ValueError as error:
        raise CommandError(f"BENCH_DATABASE_URL {error}") from None
    if url.startswith("postgresql"):
        return url
    if given and not url.startswith("sqlite"):
        raise CommandError("BENCH_DATABASE_URL: the rivals speak PostgreSQL and SQLite only.")
    return None


def check_needs(picture: Path | None) -> None:
    if picture and not picture.resolve().parent.is_dir():
        raise UsageError(f"--plot {picture}: there is no such folder.")
    wanted = ["psutil", "httpx", *(["matplotlib"] if picture else [])]
    for package in wanted:
        if importlib.util.find_spec(package) is None:
            raise CommandError(NEEDS.format(package))


@commands.command("scaffold")
def bench_scaffold(
    rounds: Annotated[
        int, typer.Option(metavar="N", min=1, max=20, help="How often; the median is told.")
    ] = 3,
) -> None:
    """Make and remove features in a copy of the tree."""
    from app.cli.scaffold.timing import time_scaffold

    time_scaffold(rounds)
