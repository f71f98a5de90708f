"""Files made, edited and deleted: all of them or none, shown before and undone after."""

import difflib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import cache_from_source
from pathlib import Path

from app.cli.console import CommandError, console


@dataclass(frozen=True)
class Change:
    """What a file was, and what it will be; None where it is not there."""

    path: Path
    before: bytes | None
    after: bytes | None

    @property
    def kind(self) -> str:
        if self.before is None:
            return "new"
        return "gone" if self.after is None else "changed"

    @property
    def mark(self) -> str:
        return {"new": "[green]+[/]", "gone": "[red]-[/]", "changed": "[yellow]~[/]"}[self.kind]

    def reverse(self) -> "Change":
        return Change(self.path, self.after, self.before)

    def apply(self) -> None:
        """In one step: a server that reloads sees the old file or the new one, whole."""
        if self.after is None:
            self.path.unlink(missing_ok=True)
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # A name that no watcher of Python files looks at.
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        before = self.path.stat() if self.path.exists() else None
        try:
            temporary.write_bytes(self.after)
            if before:
                # Not an edit of a person (see `history.unrecorded`). Python would take what it
                # has compiled for the same file, so that goes.
                shutil.copymode(self.path, temporary)
                os.utime(temporary, ns=(before.st_mtime_ns, before.st_mtime_ns))
                Path(cache_from_source(str(self.path))).unlink(missing_ok=True)
            temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)


@dataclass
class Changes:
    """Changes of a tree, in the order in which they are made."""

    root: Path
    each: list[Change] = field(default_factory=list)

    def add(self, path: Path, after: bytes | None) -> None:
        """path: in the tree, which is read now for what is there."""
        before = path.read_bytes() if path.exists() else None
        if before != after:
            self.each.append(Change(path, before, after))

    def relative(self, change: Change) -> str:
        return change.path.relative_to(self.root).as_posix()

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make the changes, and undo them if the block, or one of them, fails."""
        for change in self.each:
            now = change.path.read_bytes() if change.path.exists() else None
            if now != change.before:
                raise CommandError(f"{self.relative(change)} changed meanwhile. Try again.")
        done: list[Change] = []
        try:
            for change in self.each:
                done.append(change)
                change.apply()
            yield
        except BaseException:
            for change in reversed(done):
                change.reverse().apply()
            raise

    def stamp(self) -> None:
        """One moment for all: files with another one were edited later (see `remove`)."""
        now = time.time_ns()
        for change in self.each:
            if change.kind == "new":
                os.utime(change.path, ns=(now, now))

    def diff(self) -> str:
        """As `git diff` would show it, for `git apply` as well."""
        parts: list[str] = []
        for change in sorted(self.each, key=lambda each: each.path):
            name = self.relative(change)
            old = "/dev/null" if change.before is None else f"a/{name}"
            new = "/dev/null" if change.after is None else f"b/{name}"
            lines = difflib.unified_diff(
                (change.before or b"").decode().splitlines(keepends=True),
                (change.after or b"").decode().splitlines(keepends=True),
                old,
                new,
            )
            header = f"diff --git a/{name} b/{name}\n"
            if change.kind != "changed":
                header += f"{'new' if change.kind == 'new' else 'deleted'} file mode 100644\n"
            parts.append(header + "".join(lines))
        return "".join(parts)


def tell(changes: Changes) -> None:
    for change in changes.each:
        console.print(f"  {change.mark} {changes.relative(change)}", soft_wrap=True)
