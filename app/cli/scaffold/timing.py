"""`python run.py bench scaffold`: how long `new` and `remove` take, in a copy of the tree."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from app.cli.console import CommandError, console
from app.core.root import ROOT

FIELDS = ["title:str:200:unique", "price:decimal:10.2", "stock:int=0", "writer:ref:users:optional"]
# What is timed, with the most seconds that it may take on a machine that does nothing else.
STEPS = {
    "files and migration applied": (["new", "book", *FIELDS, "--no-test"], 2.0),
    "with the new tests run": (["new", "volume", *FIELDS], 5.0),
    "removed again": (["remove", "volume"], None),
}


def time_scaffold(rounds: int) -> None:
    """Time each step as a person runs it, from Enter to the prompt; the median of the rounds."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as folder:
        tree = _copy(Path(folder))
        _run(tree, "migrate")
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in STEPS}
        for number in range(rounds):
            for name, (command, _) in STEPS.items():
                taken[name].append(_run(tree, *command))
            _run(tree, "remove", "book")
            console.print(f"[dim]round {number + 1} of {rounds}[/]")
    for name, (_, most) in STEPS.items():
        goal = f"[dim]goal: {most:.0f} s[/]" if most else ""
        wall, cpu = zip(*taken[name], strict=True)
        spread = f"{min(wall):.2f} to {max(wall):.2f}, {median(cpu):.2f} s of CPU"
        console.print(f"{name:<30}[bold]{median(wall):6.2f} s[/]  {spread}  {goal}")


def _copy(folder: Path) -> Path:
    tree = folder / "tree"
    left = shutil.ignore_patterns(".git", ".venv", "venv", ".*_cache", ".env", "*.db*")
    shutil.copytree(ROOT, tree, ignore=left)
    return tree


def _run(tree: Path, *command: str) -> tuple[float, float]:
    """Seconds that a command took: by the clock, and of CPU, which tells of a busy machine."""
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{tree.parent / 'bench.db'}",
        "ENVIRONMENT": "development",
    }
    started, used = time.perf_counter(), _cpu()
    done = subprocess.run(
        [sys.executable, "run.py", *command],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return time.perf_counter() - started, _cpu() - used


def _cpu() -> float:
    """Of the processes that have ended; 0 on Windows, which does not count them."""
    times = os.times()
    return times.children_user + times.children_system
