"""After an edit: what `python run.py check` finds in the file that was edited.

Claude Code gives the edit as JSON on standard input, and shows the agent what a hook with exit code
2 says on standard error. Standard library only: it may run outside of the environment.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("app", "tests", "alembic")


def main() -> int:
    edited = edited_file(json.load(sys.stdin))
    if edited is None:
        return 0
    done = subprocess.run(  # noqa: S603 - this project's own command
        [sys.executable, str(ROOT / "run.py"), "check", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    try:
        report = json.loads(done.stdout)
    except ValueError:
        # The code cannot be read or imported, and the last line says where.
        print((done.stderr or done.stdout).strip(), file=sys.stderr)
        return 2 if done.returncode else 0
    faults = faults_in(edited, report)
    print("\n".join(faults), file=sys.stderr)
    return 2 if faults else 0


def faults_in(edited: str, report: dict[str, Any]) -> list[str]:
    return [
        f"{each['rule']} {edited}:{each['line']} {each['what']}. → {each['remedy']}"
        for each in report["faults"]
        if each["file"] == edited
    ]


def edited_file(event: dict[str, Any]) -> str | None:
    """The path below the root, of a Python file that `check` judges."""
    named = event.get("tool_input", {}).get("file_path", "")
    path = (ROOT / named).resolve()
    if path.suffix != ".py" or not path.is_relative_to(ROOT):
        return None
    below = path.relative_to(ROOT)
    return below.as_posix() if below.parts[0] in FOLDERS else None


if __name__ == "__main__":
    sys.exit(main())
