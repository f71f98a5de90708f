"""What the tests asked of the app: for the test that looks back, and for `python run.py check`."""

import os
import re
import sys
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import Engine, event

from app.cli.checks.record import KEY, Record, digests
from app.cli.checks.running import not_measured, run
from app.cli.checks.tree import Tree
from app.core.config import ROOT
from app.core.logging import request_id

NUMBER = re.compile(r"(?<=/)(?:[0-9]+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?=/|$)")
# What asks on behalf of a feature: the line that is to blame is the one that calls it.
VERBS = {"base.py", "paging.py", "loading.py"}
MANY = 3  # a statement that runs as often in one request may be one for each row


class Recorder:
    """Operations called, with their status, and statements that ran for each row; by test module.

    A statement belongs to the request whose id is set where it runs; the answer has the same id.
    """

    def __init__(self, items: Iterable[pytest.Item] = ()) -> None:
        """items: the tests that run. A module of theirs that asks nothing has run as well."""
        self.calls: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
        for item in items:
            self.calls[item.nodeid.partition("::")[0]] = set()
        self.repeats: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self._statements: dict[str, Counter[str]] = defaultdict(Counter)
        self._places: dict[tuple[str, str], str] = {}
        event.listen(Engine, "before_cursor_execute", self._count)

    def _count(self, _c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked_by = request_id.get()
        if asked_by == "-" or not statement.startswith(("SELECT", "WITH")):
            return
        counted = self._statements[asked_by]
        counted[statement] += 1
        if counted[statement] == MANY:
            self._places[asked_by, statement] = _place(sys._getframe(1))

    def close(self) -> None:
        event.remove(Engine, "before_cursor_execute", self._count)

    def note(self, response: Any) -> None:
        """An answer that the client of the tests got."""
        request, test = response.request, os.environ.get("PYTEST_CURRENT_TEST", "")
        module = test.partition("::")[0]
        path = NUMBER.sub(_nothing, request.url.path)
        self.calls[module].add((request.method, path, response.status_code))
        asked = response.headers.get("x-request-id", "")
        counted = self._statements.pop(asked, None)
        if not counted or request.method != "GET" or response.status_code != 200:
            return
        statement, times = counted.most_common(1)[0]
        if times >= MANY and times >= (rows := _rows_in(response)) >= MANY:
            self.repeats[module][path] = {
                "place": self._places[asked, statement],
                "test": test.partition(" ")[0],
                "statement": " ".join(statement.split()),
                "times": times,
                "rows": rows,
            }

    def seen(self) -> Record:
        """All of it up to now, in the form in which it is kept."""
        return _record(self.calls, self.repeats)


def merged(records: Iterable[Record]) -> Record:
    """What several processes saw of one run."""
    calls: dict[str, set[tuple[str, str, int]]] = defaultdict(set)
    repeats: dict[str, dict[str, Any]] = defaultdict(dict)
    for record in records:
        for module, seen in record.modules.items():
            calls[module] |= {tuple(call) for call in seen["calls"]}
            repeats[module] |= seen["repeats"]
    return _record(calls, repeats)


def _record(
    calls: dict[str, set[tuple[str, str, int]]], repeats: dict[str, dict[str, Any]]
) -> Record:
    run = uuid.uuid4().hex[:8]
    modules = {
        module: {"run": run, "calls": sorted(called), "repeats": repeats.get(module, {})}
        for module, called in calls.items()
    }
    return Record(modules, {run: digests(ROOT)})


def save(record: Record, session: pytest.Session) -> None:
    """Keep what whole modules did; what a part of a module did is no measure of it."""
    cache = getattr(session.config, "cache", None)
    if cache is None or not record.modules or is_narrowed(session):
        return
    kept = cache.get(KEY, {})
    modules = kept.get("modules", {}) | record.modules
    runs = kept.get("runs", {}) | record.runs
    used = {module["run"] for module in modules.values()}
    cache.set(KEY, {"modules": modules, "runs": {run: runs[run] for run in used}})


def faults_of(record: Record) -> str:
    """By the rules: every operation was called by the tests of its feature, well and badly."""
    report = run(Tree(ROOT, record))
    faults = [f"{each.file}:{each.line}: {each.what}; {each.remedy}" for each in report.faults]
    return "\n".join(faults + not_measured(report))


def is_whole(session: pytest.Session) -> bool:
    return not is_narrowed(session) and names_all(session.config)


def names_all(config: pytest.Config) -> bool:
    """Whether all modules are to run. Below the root, no argument means those of the folder."""
    return config.args == config.getini("testpaths")


def is_narrowed(session: pytest.Session) -> bool:
    """Whether less than whole modules run, so that what they leave out means nothing."""
    options = ("keyword", "markexpr", "lf", "deselect", "stepwise")
    asked = any(session.config.getoption(name, False) for name in options)
    by_name = any("::" in argument for argument in session.config.args)
    cut_short = bool(session.shouldstop or session.shouldfail)
    return asked or by_name or cut_short


def _nothing(match: re.Match[str]) -> str:
    """Ids are many, and say nothing: one number or UUID stands for all."""
    return "0" if match[0].isdigit() else str(uuid.UUID(int=0))


def _rows_in(response: Any) -> int:
    response.read()  # the client tells of it before it has
    try:
        body = response.json()
    except ValueError:
        return 0
    rows = body.get("items", ()) if isinstance(body, dict) else body
    return len(rows) if isinstance(rows, list) else 0


def _place(frame: FrameType | None) -> str:
    """The innermost line of a feature that is being run, as `app/services/x.py:7`."""
    root = f"{ROOT / 'app'}{os.sep}"
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(root):
            parts = Path(path.removeprefix(root)).parts
            if parts[0] in ("api", "services", "schemas", "models") and parts[-1] not in VERBS:
                return f"app/{'/'.join(parts)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
