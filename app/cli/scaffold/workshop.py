"""A copy of the tree, in which everything is tried before a file of the tree is touched."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.cli.console import CommandError, explain
from app.cli.scaffold.alone import alone
from app.cli.scaffold.stopping import stoppable, uninterrupted

TRYING = "app.cli.scaffold.trying"
COPIED = ("app", "tests", "alembic", "templates")
FOR_TESTS = ("fastapi.testclient", "pytest")  # what running tests imports
UNUSED = ("bench", "evals", "faults", "fuzz")  # of the tests: nothing that is tried needs them
FILES = ("alembic.ini", "pyproject.toml", "run.py", "requirements.txt")
KEPT = (
    *("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
    "COVERAGE_PROCESS_CONFIG",  # the tests of the project measure what runs here as well
)
# The plugins of the fuzzer take half a second to load. What is imported already is no test.
PYTEST = (
    *("-o", "addopts=", "-q", "--no-header", "--tb=short", "--maxfail=3", "-p", "no:cacheprovider"),
    *("-p", "no:schemathesis", "-p", "no:hypothesispytest"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


@dataclass
class Workshop:
    root: Path  # of the copy
    tree: Path  # of the project
    tests: bool = True  # are going to be run
    process: "subprocess.Popen[str] | None" = None  # see `trying`

    def here(self, path: Path) -> Path:
        """Where a file of the project is in the copy."""
        return self.root / path.relative_to(self.tree)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the developer's settings."""
        return {name: os.environ[name] for name in os.environ if name in KEPT} | {
            "ENVIRONMENT": "test",
            "DATABASE_URL": "sqlite://",
            "PYTHONPATH": str(self.root),
            "PYTHONUTF8": "1",
            "COLUMNS": "200",  # pytest cuts its reasons at the width of the terminal
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def python(self, *arguments: str) -> str:
        """Run Python in the copy; what it said."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise FailedError(done.stdout + done.stderr)
        return done.stdout

    def begin(self) -> None:
        """Copy what `start` starts, and that alone: it imports while the rest is copied."""
        for name in ("app", "app/cli", "app/cli/scaffold"):
            (self.root / name).mkdir()
            shutil.copy2(self.tree / name / "__init__.py", self.root / name)
        source = f"{TRYING.replace('.', '/')}.py"
        shutil.copy2(self.tree / source, self.root / source)
        self.start()

    def fill(self) -> None:
        """Copy the tree, with what is compiled: that is valid for the copy as well."""
        for name in COPIED:
            if (self.tree / name).exists():
                left_out = shutil.ignore_patterns(*UNUSED) if name == "tests" else None
                shutil.copytree(
                    self.tree / name, self.root / name, ignore=left_out, dirs_exist_ok=True
                )
        for name in FILES:
            if (self.tree / name).exists():
                shutil.copy2(self.tree / name, self.root / name)
        self._write("")

    def start(self) -> None:
        """Start the Python that `ask` asks. By itself it imports the libraries only."""
        with (self.root / "said.log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", TRYING, *(FOR_TESTS if self.tests else ())],
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
            )

    def end(self) -> None:
        """What it has imported, it keeps: after a change of the copy, another one is needed."""
        if self.process:
            self.process.terminate()  # and not by its own end, for which it would tidy up
            self.process.communicate()
        self.process = None

    def tell(self, *request: str) -> None:
        """Have it done by the Python in the copy, and go on meanwhile."""
        if self.process is None:
            self.start()
        self._write(json.dumps(request))

    def _write(self, line: str) -> None:
        assert self.process
        assert self.process.stdin
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended, and the log says why

    def hear(self) -> str:
        """What it said to the first request that it was told and not yet heard for."""
        assert self.process
        assert self.process.stdout
        answer = self.process.stdout.readline()
        if not answer:
            raise FailedError((self.root / "said.log").read_text("utf-8", "replace"))
        well, said = json.loads(answer)
        if not well:
            raise FailedError(said)
        return str(said)

    def ask(self, *request: str) -> str:
        """Have it done, and wait for what it says."""
        self.tell(*request)
        return self.hear()

    def remove(self, path: Path) -> None:
        self.here(path).unlink()

    def migration(self, kind: str, message: str, tables: set[str]) -> Path:
        """Write the migration that adds `tables`, or drops them."""
        versions = self.root / "alembic/versions"
        before = set(versions.glob("*.py"))
        try:
            self.ask("migration", kind, message, *sorted(tables))
        except FailedError as failed:
            raise CommandError(f"The migration cannot be made. {failed.reason()}") from None
        (path,) = set(versions.glob("*.py")) - before
        return path

    def check_import(self) -> None:
        self.tell("import")
        self._hear_import()

    def trial(self, plural: str, tests: Sequence[str]) -> Callable[[], str]:
        """Begin to run tests of a feature in the copy, on SQLite in memory; without any, import it.

        What waits for the end of it, and tells how many passed, in a sentence.
        """
        if not tests:
            self.tell("import", plural)
            return self._hear_import
        self.tell("test", *PYTEST, *tests)
        return self._hear_tests

    def test(self, *arguments: str) -> None:
        self.tell("test", *PYTEST, *arguments)
        self._hear_tests()

    def _hear_import(self) -> str:
        try:
            self.hear()
        except FailedError as failed:
            raise CommandError(f"The app does not start with it. {failed.reason()}") from None
        return ""

    def _hear_tests(self) -> str:
        try:
            said = self.hear()
        except FailedError as failed:
            raise CommandError(
                f"Tests of it fail, so nothing was changed.\n{summary(str(failed))}"
            ) from None
        found = re.search(r"(\d+) passed.* in (\d+\.\d)", said)
        return f"{found[1]} tests passed in {found[2]} s." if found else "No test passed."


def summary(said: str) -> str:
    """Of what pytest says: which tests failed and why, in a line each."""
    errors = re.findall(r"^(?:FAILED|ERROR) \S+\.py.*", said, re.MULTILINE)
    where = re.findall(r"^(?:E  +\w|\S+\.py:\d+: in ).*", said, re.MULTILINE)
    counted = re.findall(r"^\d+ (?:passed|failed|error).*", said, re.MULTILINE)
    told = [*(errors or where[-5:]), *counted[-1:]]
    return "\n".join(f"  {line[:300]}" for line in told) or said


class FailedError(Exception):
    """A Python that ended badly, with all that it said."""

    def reason(self) -> str:
        lines = [line for line in str(self).splitlines() if line.strip()]
        return lines[-1] if lines else "It does not say why."


@contextmanager
def workshop(tree: Path, *, tests: bool = True) -> Iterator[Workshop]:
    """tests: whether to get ready for running tests, which takes a quarter of a second more."""
    try:
        with stoppable(), alone(tree) as prefix:
            folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
            shop = Workshop(Path(folder.name).resolve(), tree, tests)
            try:
                shop.begin()
                shop.fill()
                yield shop
            finally:
                with uninterrupted():
                    shop.end()
                    folder.cleanup()
    except KeyboardInterrupt:
        explain("Stopped. Files and database are as they were.")
        raise
