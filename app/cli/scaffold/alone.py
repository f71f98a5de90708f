"""One command at a time changes a tree: two would write migrations that follow the same one."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from app.cli.console import explain

LOCKED = "alembic.ini"  # every tree has it, and it stays while features come and go
FAR = 1 << 30  # Windows lets nobody read what is locked, so that is a byte far behind the end


@contextmanager
def alone(tree: Path) -> Iterator[str]:
    """Wait until no other command changes the tree. The prefix for folders of its own.

    The system unlocks the file when the process ends, however it ends. What still has such a name
    then is left of one that was killed, and is deleted.
    """
    with (tree / LOCKED).open("rb") as file:
        found = os.fstat(file.fileno())
        prefix = f"new-{found.st_dev:x}-{found.st_ino:x}-"
        if _wait_for(file):
            for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
                shutil.rmtree(left, ignore_errors=True)
        yield prefix


def _wait_for(file: IO[bytes]) -> bool:
    """Whether it is locked: there are file systems that cannot."""
    told = False
    while True:
        try:
            _lock(file)
            return True
        except (BlockingIOError, PermissionError):  # POSIX says the first, Windows the second
            if not told:
                explain("Another command changes this project. Waiting for its end ...")
                told = True
            time.sleep(0.1)
        except OSError:
            return False


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
