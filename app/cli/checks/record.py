"""What the last test run saw, as `tests/recording.py` left it in pytest's cache.

    {"modules": {"tests/test_products.py": {"run": "3f2a...", "calls": [["GET", "/api/v1/products",
     200], ...], "repeats": {"/api/v1/products": {"place": "app/services/product_service.py:31",
     "statement": "SELECT ...", "times": 50, "rows": 50, "test": "..."}}}},
     "runs": {"3f2a...": {"app/api/products.py": "digest", ...}}}

A module is measured as long as no file of its feature has changed since. By content and not by
time: a checkout, a copy or a formatter that changes nothing leaves it measured.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

KEY = "check/tests"  # in pytest's cache
FILE = Path(".pytest_cache/v") / KEY

Operation = tuple[str, str]  # GET, /api/v1/products/{product_id}


def digests(root: Path) -> dict[str, str]:
    """What the files of the app and of its tests are now."""
    paths = [*sorted((root / "app").rglob("*.py")), *sorted((root / "tests").glob("*.py"))]
    return {path.relative_to(root).as_posix(): _digest(path) for path in paths}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@dataclass(frozen=True)
class Repeat:
    """A statement that ran for each row of one answer."""

    path: str
    place: str  # app/services/product_service.py:31; empty for none of ours
    test: str
    statement: str
    times: int
    rows: int


@dataclass
class Record:
    modules: dict[str, Any] = field(default_factory=dict)
    runs: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path) -> "Record":
        try:
            kept = json.loads((root / FILE).read_text("utf-8"))
            return cls(kept["modules"], kept["runs"])
        except (OSError, ValueError, KeyError, TypeError):
            return cls()  # none, or one of another version: nothing is measured

    def is_measured(self, root: Path, modules: Iterable[str], files: Iterable[Path]) -> bool:
        """Whether all of these test modules ran while these files were as they are now."""
        now = {path.relative_to(root).as_posix(): _digest(path) for path in files}
        for module in modules:
            known = self.modules.get(module)
            then = self.runs.get(known["run"], {}) if known else {}
            if not known or any(then.get(name) != digest for name, digest in now.items()):
                return False
        return True

    def statuses(self, modules: Iterable[str], paths: dict[str, Any]) -> dict[Operation, set[int]]:
        """What these modules were answered, by operation of the OpenAPI document."""
        find = Finder(paths)
        found: dict[Operation, set[int]] = {}
        for module in modules:
            for method, called, status in self.modules.get(module, {}).get("calls", ()):
                if path := find(method, called):
                    found.setdefault((method, path), set()).add(status)
        return found

    def repeats(self, modules: Iterable[str]) -> Iterator[Repeat]:
        for module in modules:
            for path, seen in self.modules.get(module, {}).get("repeats", {}).items():
                yield Repeat(path=path, **seen)


class Finder:
    """Which path of the document was meant by one that was called."""

    def __init__(self, paths: dict[str, Any]) -> None:
        self.paths = paths
        literal_first = sorted(paths, key=lambda path: path.count("{"))
        self.patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            for path in literal_first
        ]

    def __call__(self, method: str, called: str) -> str | None:
        for pattern, path in self.patterns:
            if method.lower() in self.paths[path] and pattern.fullmatch(called):
                return path
        return None
