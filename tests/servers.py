"""Processes of their own: commands, and the app, in a copy of the tree and on a free port."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import httpx

from app.core.config import ROOT

PATIENCE = 60.0  # seconds; only what is broken takes as long
KEPT = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "SYSTEMROOT")
NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv", "venv", ".*_cache", ".env", ".secret_key", ".coverage*", "htmlcov", "*.db*"),
    ".run",  # the notes of a developer's server
    "*.pyc.*",  # what another thread compiles has this name for a moment
)
# Taken now: tests change the environment, while others run beside them.
INHERITED = {
    name: value for name, value in os.environ.items() if name in KEPT or name.startswith("COV")
}


def copy_tree(target: Path) -> Path:
    """What git knows, or would if it were asked."""
    shutil.copytree(ROOT, target, ignore=NOT_COPIED)
    return target


def environment(**settings: str) -> dict[str, str]:
    """What a new terminal would have, with these settings and none of the tests'."""
    return INHERITED | settings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run(tree: Path, *arguments: str, python: str = sys.executable, **settings: str) -> "Process":
    """Start `python run.py` with these arguments."""
    return Process([python, str(tree / "run.py"), *arguments], tree.parent, environment(**settings))


def _as(user: str | None) -> dict[str, Any]:
    if user is None:
        return {}
    import pwd  # not on Windows

    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


class Process:
    """A command in a process group of its own, so that what it starts can be ended with it."""

    _alive: ClassVar[set["Process"] | None] = set()  # None: nothing may start any more
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(
        self,
        command: list[str],
        cwd: Path,
        environment: dict[str, str],
        stdin: int = subprocess.DEVNULL,
        user: str | None = None,
    ) -> None:
        """user: as whom it runs, where this is root."""
        self._log = cwd / f"output-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log, Process._lock:
            if Process._alive is None:
                raise RuntimeError("The run of the tests has ended.")
            self.popen = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=stdin,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **_as(user),
            )
            Process._alive.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.popen.wait()
        if self.popen.stdin:
            self.popen.stdin.close()
        with Process._lock:
            if Process._alive:
                Process._alive.discard(self)

    @classmethod
    def end_all(cls) -> None:
        """At the end of the run: what waits for one of them goes on, and fails."""
        with cls._lock:
            alive, cls._alive = cls._alive, None
        for process in alive or ():
            process.kill()

    def kill(self) -> None:
        if os.name == "nt":
            self.popen.kill()
            return
        try:
            os.killpg(self.popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of it has ended

    @property
    def output(self) -> str:
        return self._log.read_text("utf-8", errors="replace")

    def end(self) -> int:
        """Wait for the end; the exit code."""
        return self.popen.wait(PATIENCE)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            running = self.popen.poll() is None  # asked first: its last words count
            if condition():
                return
            assert running, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def interrupt(self) -> int:
        """Ctrl-C, which a terminal sends to the whole group; the exit code."""
        os.killpg(self.popen.pid, signal.SIGINT)
        return self.end()


class Server(Process):
    """run.py, serving on a port of its own."""

    def __init__(self, tree: Path, *arguments: str, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, str(tree / "run.py"), "--port", str(self.port), *arguments]
        super().__init__(command, tree.parent, environment(**settings))

    def get(
        self, path: str, wanted: Callable[[httpx.Response], bool] | None = None
    ) -> httpx.Response:
        """The first answer, or the first one that is as wanted."""
        answers: list[httpx.Response] = []

        def answered() -> bool:
            try:
                # Certificates are not needed, and take longer to load than an answer.
                options: Any = {"trust_env": False, "verify": False, "timeout": PATIENCE}
                answers[:] = [httpx.get(self.url + path, **options)]
            except httpx.TransportError:
                return False  # it is about to start
            return wanted is None or wanted(answers[0])

        self.wait_for(answered)
        return answers[0]
