"""A copy of the tree, in which everything is tried before a file of the tree is touched."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.console import CommandError

COPIED = ("app", "tests", "alembic", "templates")
FILES = ("alembic.ini", "pyproject.toml", "run.py", "requirements.txt")
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT")


@dataclass(frozen=True)
class Workshop:
    root: Path  # of the copy
    tree: Path  # of the project

    def here(self, path: Path) -> Path:
        """Where a file of the project is in the copy."""
        return self.root / path.relative_to(self.tree)

    def python(self, *arguments: str, database: str = "sqlite://") -> str:
        """Run Python in the copy, with nothing of the developer's settings; what it said."""
        environment = {name: os.environ[name] for name in os.environ if name in KEPT}
        environment |= {
            "ENVIRONMENT": "test",
            "DATABASE_URL": database,
            "PYTHONPATH": str(self.root),
            "PYTHONUTF8": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise FailedError(done.stdout + done.stderr)
        return done.stdout

    def remove(self, path: Path) -> None:
        self.here(path).unlink()

    def migration(self, kind: str, message: str, tables: set[str]) -> Path:
        """Write the migration that adds `tables`, or drops them."""
        versions = self.root / "alembic/versions"
        before = set(versions.glob("*.py"))
        try:
            self.python("-m", "app.cli.scaffold.migrating", kind, message, *sorted(tables))
        except FailedError as failed:
            raise CommandError(f"The migration cannot be made. {failed.reason()}") from None
        (path,) = set(versions.glob("*.py")) - before
        return path

    def check_import(self) -> None:
        try:
            self.python("-c", "import app.main; app.main.app.openapi()")
        except FailedError as failed:
            raise CommandError(f"The app does not start with it. {failed.reason()}") from None

    def test(self, *arguments: str) -> int:
        """Run tests in the copy, on SQLite in memory; how many passed."""
        plugins = ("-p", "no:cacheprovider", "-o", "addopts=", "-q", "--no-header")
        short = ("--tb=short", "--maxfail=3")
        try:
            said = self.python("-m", "pytest", *plugins, *short, *arguments)
        except FailedError as failed:
            told = re.findall(r"^(?:E  |FAILED|ERROR|tests/).*", str(failed), re.MULTILINE)[:20]
            raise CommandError(
                "\n".join(["Tests of it fail, so nothing was changed:", *(told or [str(failed)])])
            ) from None
        found = re.search(r"(\d+) passed", said)
        return int(found[1]) if found else 0


class FailedError(Exception):
    """A Python that ended badly, with all that it said."""

    def reason(self) -> str:
        lines = [line for line in str(self).splitlines() if line.strip()]
        return lines[-1] if lines else "It does not say why."


@contextmanager
def workshop(tree: Path) -> Iterator[Workshop]:
    with tempfile.TemporaryDirectory(prefix="new-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        for name in COPIED:
            if (tree / name).exists():
                # With what is compiled: it is valid for the copy as well, and saves half a second.
                shutil.copytree(tree / name, root / name)
        for name in FILES:
            if (tree / name).exists():
                shutil.copy2(tree / name, root / name)
        yield Workshop(root, tree)
