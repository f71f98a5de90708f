"""The app as a process of its own: run.py in a copy of the tree, on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx

from app.core.config import ROOT

PATIENCE = 30.0  # seconds; only what is broken takes as long
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "SYSTEMROOT")
NOT_COPIED = shutil.ignore_patterns(
    ".git", ".venv", "venv", ".*_cache", ".env", ".secret_key", ".coverage*", "htmlcov", "*.db*"
)


def copy_tree(target: Path) -> Path:
    """What git knows, or would if it were asked."""
    shutil.copytree(ROOT, target, ignore=NOT_COPIED)
    return target


def environment(**settings: str) -> dict[str, str]:
    """What a new terminal would have, with these settings and none of the tests'."""
    names = [name for name in os.environ if name in KEPT or name.startswith("COV")]
    return {name: os.environ[name] for name in names} | settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(tree: Path, *arguments: str, python: str = sys.executable, **settings: str) -> "Process":
    """Start `python run.py` with these arguments."""
    return Process([python, str(tree / "run.py"), *arguments], tree.parent, environment(**settings))


class Process:
    """A command in a process group of its own, so that what it starts can be ended with it."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str]) -> None:
        self.log = cwd / f"output-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of it has ended
        self.popen.wait()

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", errors="replace")

    def end(self) -> int:
        """Wait for the end; the exit code."""
        return self.popen.wait(PATIENCE)

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to the whole group; the exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.end()


class Server(Process):
    """run.py, serving on a port of its own."""

    def __init__(self, tree: Path, *arguments: str, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = [sys.executable, str(tree / "run.py"), "--port", str(port), *arguments]
        super().__init__(command, tree.parent, environment(**settings))

    def get(
        self, path: str, wanted: Callable[[httpx.Response], bool] | None = None
    ) -> httpx.Response:
        """The first answer, or the first one that is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.popen.poll() is None:
            try:
                response = httpx.get(self.url + path, timeout=PATIENCE, trust_env=False)
                if wanted is None or wanted(response):
                    return response
            except httpx.TransportError:
                pass  # it is about to start
            time.sleep(0.02)
        raise AssertionError(f"No such answer of {path} in time:\n{self.output}")
