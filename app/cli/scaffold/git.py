"""git, as far as it is there."""

import shutil
import subprocess

from app.core.root import ROOT


def git(*arguments: str) -> str | None:
    """What git says; None without git, or outside of a repository."""
    if shutil.which("git") is None:
        return None
    done = subprocess.run(
        ["git", *arguments],  # noqa: S607 - the one that the person uses
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout if done.returncode == 0 else None
