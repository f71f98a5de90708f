"""`python run.py ...` from a server that must not wait, and whose standard output is not free."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import Any

import anyio

from app.core.config import ROOT


@dataclass(frozen=True)
class Done:
    code: int
    output: str
    errors: str

    @property
    def said(self) -> str:
        return "\n".join(filter(None, (self.output.strip(), self.errors.strip())))

    @property
    def json(self) -> Any:
        """What was printed as JSON; None where it was something else."""
        try:
            return json.loads(self.output)
        except ValueError:
            return None


async def run(*arguments: str, interruptible: bool = True) -> Done:
    """Run a command to its end, on the code as it is now: this process has read an older one.

    interruptible: whether a caller that gives up ends the command, and what that has started. One
    that changes files is left to finish: half of a change is worse than one that nobody waits for.
    """
    # Files and no pipes: a command that says much must not wait for somebody to read it.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = await anyio.open_process(
            [sys.executable, str(ROOT / "run.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        with anyio.CancelScope(shield=not interruptible):
            try:
                code = await process.wait()
            except anyio.get_cancelled_exc_class():
                _end(process)
                with anyio.CancelScope(shield=True):
                    await process.wait()
                raise
        return Done(code, *(_read(file) for file in (output, errors)))


def _end(process: Any) -> None:
    if os.name == "nt":
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself


def _read(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode("utf-8", errors="replace"))
