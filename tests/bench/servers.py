"""The servers that are compared, each in a process of its own and on one core."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import httpx
import psutil

from app.core.config import ROOT
from tests.servers import free_port

PATIENCE = 60.0  # seconds until a server must have answered
RIVALS = ROOT / "tests/bench/rivals"
FIRST = "/api/v1/products/1"


@dataclass(frozen=True)
class Contender:
    """module: of the ASGI app that uvicorn runs; None for this project's own command."""

    name: str
    title: str
    module: str | None = None
    packages: tuple[str, ...] = ()
    databases: tuple[str, ...] = ("postgresql", "sqlite")

    def why_not(self, backend: str) -> str | None:
        """Why it cannot take part here."""
        missing = [name for name in self.packages if importlib.util.find_spec(name) is None]
        if missing:
            return f"{' and '.join(missing)} not installed: pip install -r requirements-dev.txt"
        return None if backend in self.databases else f"not on {backend}"

    def command(self, port: int, workers: int) -> list[str]:
        if self.module is None:
            command = [sys.executable, str(ROOT / "run.py"), "--no-reload"]
        else:
            # Not as modules of `tests`, which would set up an environment for tests.
            command = [sys.executable, "-m", "uvicorn", f"{self.module}:app"]
            command += ["--app-dir", str(RIVALS)]
            command += ["--no-access-log"] if self.module == "bare" else []
        several = ["--workers", str(workers)] if workers > 1 else []
        return [*command, "--port", str(port), *several]


APP = Contender("app", "this project")
TEXTBOOK = Contender("textbook", "textbook", "textbook")
ASYNC = Contender(
    "async",
    "async",
    "asynchronous",
    packages=("greenlet", "asyncpg", "aiosqlite"),
)
BARE = Contender(
    "bare",
    "bare",
    "bare",
    packages=("asyncpg", "orjson"),
    databases=("postgresql",),
)
CONTENDERS = (TEXTBOOK, APP, ASYNC, BARE)


class Server:
    """A contender that runs. `started`: seconds from its start to its first answer."""

    def __init__(
        self,
        contender: Contender,
        environment: dict[str, str],
        folder: Path,
        cores: list[int],
        workers: int = 1,
    ) -> None:
        self.contender = contender
        self.port = free_port()
        self.log = folder / f"{contender.name}-{self.port}.log"
        began = time.perf_counter()
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                contender.command(self.port, workers),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.process = psutil.Process(self.popen.pid)
        if cores:
            self.process.cpu_affinity(cores)  # what it starts inherits it
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        self.started = time.perf_counter() - began

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        url = f"http://127.0.0.1:{self.port}{FIRST}"
        with httpx.Client(trust_env=False, verify=False, timeout=PATIENCE) as client:
            while True:
                try:
                    client.get(url).raise_for_status()
                    return
                except httpx.TransportError:
                    pass  # it is about to start
                if self.popen.poll() is not None or time.monotonic() > deadline:
                    words = self.log.read_text("utf-8", errors="replace")
                    raise RuntimeError(f"{self.contender.title} did not start: {words[-2000:]}")
                time.sleep(0.01)

    def _family(self) -> list[psutil.Process]:
        return [self.process, *self.process.children(recursive=True)]

    def cpu(self) -> float:
        """Seconds of a core that it has used, in user and kernel."""
        times = [each.cpu_times() for each in self._family()]
        return float(sum(each.user + each.system for each in times))

    def memory(self) -> float:
        """MB of resident memory."""
        return float(sum(each.memory_info().rss for each in self._family()) / 1_000_000)

    def stop(self) -> None:
        if os.name == "nt":
            for each in self._family():
                each.kill()
        else:
            try:
                os.killpg(self.popen.pid, signal.SIGKILL)  # some of them have stopped answering
            except ProcessLookupError:
                pass  # it did not start
        self.popen.wait()


def all_cores() -> list[int]:
    return list(range(psutil.cpu_count() or 1)) if hasattr(psutil.Process, "cpu_affinity") else []


def cores() -> tuple[list[int], list[int]]:
    """One core for the servers and the others for who asks; empty where there is no choice."""
    if not hasattr(psutil.Process, "cpu_affinity"):
        return [], []
    mine: list[int] = psutil.Process().cpu_affinity()
    return ([mine[0]], mine[1:]) if len(mine) > 1 else ([], [])
