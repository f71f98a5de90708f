"""`python -m tests.faults [NAME ...]`, which is what `python run.py test --faults` starts."""

import argparse
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from app.models import Base
from tests.faults import (  # noqa: F401 - they say which faults there are
    connections,
    files,
    logins,
    migrations,
    processes,
    races,
)
from tests.faults.hosts import HOSTS, Host
from tests.faults.stage import Stage
from tests.faults.suite import FAULTS, Fault, Result, run
from tests.servers import Process, copy_tree

console = Console(highlight=False)
if not console.is_terminal:
    console = Console(highlight=False, width=120)  # a file has no width, and 80 is too narrow


class Run:
    """The faults on their databases. These run beside each other: most of the time, all wait."""

    def __init__(self, names: Sequence[str], folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.tree = copy_tree(folder / "tree")  # without anybody's `.env`
        self.databases = [n for n in names if n in KNOWN] or list(KNOWN)
        self.faults = [FAULTS[n] for n in names if n in FAULTS] or list(FAULTS.values())
        self.quick = quick
        self.lock = threading.Lock()
        self.results: list[Result] = []
        self.total = sum(len(self.of(name)) for name in self.databases)

    def of(self, database: str) -> list[Fault]:
        return [one for one in self.faults if database in (one.quick if self.quick else one.on)]

    def all(self) -> bool:
        with ThreadPoolExecutor(len(HOSTS)) as threads:
            done = list(threads.map(self.on, self.databases))
        return all(done) and all(result.ok for result in self.results)

    def on(self, database: str) -> bool:
        """Play all faults on one database; False when it could not be set up."""
        faults = self.of(database)
        host = KNOWN[database]
        if reason := host.missing():
            self.total -= len(faults)
            console.print(f"[yellow]{database} skipped:[/] {reason}")
            return True
        if not faults:
            return True
        place = self.folder / f"on-{database}"
        place.mkdir()
        try:
            stage = Stage(host(place), self.tree)
        except Exception as error:
            console.print(f"[red]{database} could not be set up:[/] {error}", markup=True)
            return False
        try:
            stage.host.start()
            stage.open()
            for one in faults:
                self.note(run(one, stage))
        except Exception as error:
            console.print(f"[red]{database} could not go on:[/] {type(error).__name__} {error}")
            return False
        finally:
            stage.close()
        return True

    def note(self, result: Result) -> None:
        with self.lock:
            self.results.append(result)
            mark = "[green]✓[/]" if result.ok else "[red]✗[/]"
            where = f"{len(self.results)}/{self.total}".rjust(7)
            what = f"{result.fault.name} ({result.database})"
            console.print(f"{where} {mark} {what} {result.seconds:.1f} s")
            for measured in result.said:
                console.print(f"          {measured}")
            for reason in list(dict.fromkeys(result.wrong))[:5]:
                console.print(f"          [red]{reason}[/]", markup=True)


KNOWN: dict[str, type[Host]] = {host.name: host for host in HOSTS}


def table(results: Sequence[Result]) -> Table:
    shown = Table(title="Faults")
    for name in ("Fault", "Database"):
        shown.add_column(name)
    for name in ("Requests", "Acknowledged", "Lost", "503", "Dropped", "Longest", "Recovered", ""):
        shown.add_column(name, justify="right")
    order = list(FAULTS)
    for each in sorted(results, key=lambda r: (order.index(r.fault.name), r.database)):
        counts = (each.requests, each.acknowledged, each.lost, each.refused, each.dropped)
        recovered = "" if each.recovered is None else f"{each.recovered:.1f} s"
        mark = "[green]✓[/]" if each.ok else "[red]✗[/]"
        last = (f"{each.longest:.1f} s", recovered, mark)
        shown.add_row(each.fault.name, each.database, *map(str, counts), *last)
    return shown


def known_names() -> str:
    width = max(map(len, FAULTS))
    lines = [
        f"  {each.name.ljust(width)}  {each.says} ({', '.join(each.on)})"
        for each in FAULTS.values()
    ]
    return "\n".join(["Faults:", *lines, "", f"Databases: {', '.join(KNOWN)}"])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python run.py test --faults",
        description="Break things under load, and see that nothing acknowledged is lost.",
        epilog=known_names(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="faults or databases; all if none")
    parser.add_argument("--quick", action="store_true", help="a few, in a minute or three")
    options = parser.parse_args(arguments)
    names = options.names
    if wrong := [name for name in names if name not in FAULTS and name not in KNOWN]:
        console.print(f"There is no {', '.join(wrong)}.\n\n{known_names()}", soft_wrap=True)
        return 2
    if missing := {"products", "orders", "posts"} - Base.metadata.tables.keys():
        console.print(f"Nothing is played: there are no {', '.join(sorted(missing))} here to lose.")
        return 0
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # the servers run as somebody else
        whole = Run(names, folder, quick=options.quick)
        try:
            fine = whole.all()
        finally:
            Process.end_all()
    console.print(table(whole.results))
    failed = sum(not result.ok for result in whole.results)
    said = "all is well" if fine else f"{failed} failed"
    played = f"{len(whole.results)} fault{'s' if len(whole.results) != 1 else ''}"
    console.print(f"{played} in {time.monotonic() - started:.0f} s: {said}.")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
