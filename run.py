"""The one command to remember: `python run.py` serves, `python run.py --help` tells the rest.

Standard library only: it runs where nothing is installed yet. Where the packages are importable it
uses them as they are; else it makes `.venv` beside itself, installs into that, and goes on in it.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
REQUIREMENTS = ROOT / "requirements.txt"
CONSTRAINTS = ROOT / "constraints.txt"
STAMP = VENV / "installed-for"  # what the environment was installed for, as a hash
STARTED = "RUN_PY_STARTED_AGAIN"


def main() -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what an older one runs
        return fail(f"This needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    started_again = os.environ.pop(STARTED, None)  # not for the processes that this one starts
    if missing_packages():
        if started_again:
            return fail("The packages are installed, and still missing: delete .venv, try again.")
        return start_in_venv()
    sys.path.insert(0, str(ROOT))
    from app.cli import run  # only now: it needs the packages

    return run()


def missing_packages() -> list[str]:
    """The names in requirements.txt that this interpreter does not have."""
    missing = []
    for line in REQUIREMENTS.read_text("utf-8").splitlines():
        name = re.match(r"[A-Za-z0-9._-]+", line)
        if line.startswith(("#", "-")) or name is None or "sys_platform" in line:
            continue
        try:
            importlib.metadata.version(name[0])
        except importlib.metadata.PackageNotFoundError:
            missing.append(name[0])
    return missing


def start_in_venv() -> int:
    try:
        if not VENV_PYTHON.exists():
            make_venv()
        if read(STAMP) != wanted():
            install()
        return go_on()
    except SetupError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"The environment in .venv cannot be used: {error}. Delete .venv, try again.")


def go_on() -> int:
    """Run the same command with the Python of `.venv`."""
    command = [str(VENV_PYTHON), str(ROOT / "run.py"), *sys.argv[1:]]
    environment = {**os.environ, STARTED: "1"}
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, environment)  # noqa: S606 - this process becomes that one
    # Windows has no exec: wait for the other one, and leave Ctrl-C to it.
    process = subprocess.Popen(command, env=environment)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue


def make_venv() -> None:
    tell("Making .venv ...\n")
    # --clear: what is there belongs to a Python that is gone, the stamp included.
    code, words = call(sys.executable, "-m", "venv", "--clear", str(VENV))
    if code == 0:
        return
    shutil.rmtree(VENV, ignore_errors=True)  # half an environment would be taken for a whole one
    if "ensurepip" in words or "No module named venv" in words:
        raise SetupError(
            "This Python has no venv or pip. On Debian and Ubuntu: sudo apt install python3-venv. "
            "Elsewhere, install Python from python.org."
        )
    raise SetupError("Could not make .venv: " + last_line(words))


def install() -> None:
    """Install requirements.txt, with a counter instead of the many lines of pip."""
    ensure_pip()
    command = [str(VENV_PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["-r", str(REQUIREMENTS), "-c", str(CONSTRAINTS)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    tell("Installing packages, this once ...")
    words, count = [], 0
    assert process.stdout is not None
    for line in process.stdout:
        words.append(line)
        if line.startswith(("Collecting", "Requirement already")) and sys.stderr.isatty():
            count += 1
            tell(f"\rInstalling packages, this once: {count} ")
    tell("\n")
    if process.wait() == 0:
        STAMP.write_text(wanted(), "utf-8")
        return
    said = "".join(words)
    if re.search("connection broken|new connection|name resolution", said, re.IGNORECASE):
        # What pip then says last, such as conflicting versions, is not what happened.
        raise SetupError(
            "pip could not reach the packages. Is there a network? The first run needs one."
        )
    errors = [line.removeprefix("ERROR: ") for line in words if line.startswith("ERROR")]
    reason = errors[0].strip() if errors else last_line(said)
    raise SetupError(f"pip could not install the packages: {reason}")


def ensure_pip() -> None:
    """Give pip to an environment that has none: cut short while it was made, or made by uv."""
    code, _ = call(str(VENV_PYTHON), "-m", "pip", "--version")
    if code != 0 and call(str(VENV_PYTHON), "-m", "ensurepip")[0] != 0:
        raise SetupError(
            "The environment in .venv has no pip: delete .venv, try again. "
            "On Debian and Ubuntu first: sudo apt install python3-venv."
        )


def call(*command: str) -> tuple[int, str]:
    """The exit code of a command, and all that it said."""
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    return done.returncode, done.stderr + done.stdout


def wanted() -> str:
    content = REQUIREMENTS.read_bytes() + CONSTRAINTS.read_bytes()
    return hashlib.sha256(content).hexdigest()


def read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it did not say why."


def tell(progress: str) -> None:
    """On standard error: what the command itself prints may be JSON, or a protocol."""
    print(progress, end="", file=sys.stderr, flush=True)


def fail(message: str) -> int:
    sys.stdout.flush()  # the message comes last, also in a file that takes both
    print(message, file=sys.stderr)
    return 1


class SetupError(Exception):
    """Something that one line can explain."""


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
