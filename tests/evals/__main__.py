"""`python -m tests.evals NAME`, which is what `python run.py eval` starts."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from app.core.config import ROOT
from tests.evals import load, names, prompt
from tests.evals.grading import Point, grade
from tests.servers import copy_tree, environment

console = Console(highlight=False, soft_wrap=True)


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python run.py eval", description="Grade a tree.")
    parser.add_argument("name", nargs="?")
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--start", type=Path)
    given = parser.parse_args(words)
    if given.name is None:
        for name in names():
            console.print(f"{name:<12} {(load(name).__doc__ or '').splitlines()[0]}")
        return 0
    if given.name not in names():
        return complain(f"There is no eval {given.name}. There are {', '.join(names())}.")
    if given.start:
        return start(given.name, given.start)
    tree = given.tree.resolve()
    if not (tree / "run.py").exists():
        return complain(f"{given.tree} is no tree of this project: it has no run.py.")
    with tempfile.TemporaryDirectory(prefix="eval-") as folder:
        try:
            points = grade(given.name, tree, Path(folder), tell)
        except subprocess.TimeoutExpired as error:
            return complain(f"{' '.join(error.cmd[1:4])} ... did not end in {error.timeout:.0f} s.")
    passed = sum(point.passed for point in points)
    score = int(100 * passed / len(points))  # 100 % is all of them, and not nearly all
    console.print(f"[bold]{given.name}: {score} %[/], {passed} of {len(points)} points")
    return 0 if passed == len(points) else 1


def tell(point: Point) -> None:
    mark = "[green]✓[/]" if point.passed else "[red]✗[/]"
    console.print(f"{mark} {escape(point.says)}")
    if point.why and not point.passed:
        console.print(f"    [dim]{escape(point.why)}[/]")


def start(name: str, target: Path) -> int:
    """The tree to begin with: this one, without what is to be made."""
    if target.exists():
        return complain(f"{target} is there already. Name a folder that is not.")
    copy_tree(target)
    shutil.rmtree(target / "tests/evals")  # the answers
    (target / "tests/test_evals.py").unlink()
    module = load(name)
    for path in getattr(module, "EMPTIED", []):
        (target / path).unlink(missing_ok=True)
    for words in module.START:
        command = [sys.executable, str(target / "run.py"), *words]
        settings = environment(DATABASE_URL=f"sqlite:///{target.resolve()}/app.db")
        done = subprocess.run(command, env=settings, capture_output=True, text=True, check=False)
        if done.returncode:
            return complain(f"{' '.join(words)}: {done.stdout}{done.stderr}".strip())
    console.print(f"[green]✓[/] {escape(str(target))} is ready. The prompt:\n")
    console.print(escape(prompt(name)))
    console.print(f"Afterwards: python run.py eval {name} --tree {escape(str(target))}")
    return 0


def complain(said: str) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]✗[/] {escape(said)}")
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
