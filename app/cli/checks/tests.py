"""Tests: there are some, and in the last run they got a success and an error from each
operation."""

import re
from collections.abc import Iterator

from app.cli.checks.rules import Fault, Fix, Needs, Point, rule
from app.cli.checks.tree import ACCESS, Operation, Subject, Tree
from app.core.config import get_settings

# Who may call, from the dependency that lets nobody else in.
LEVELS = {"get_admin": "admin", "get_staff": "staff", "get_claims": "user"}


@rule("R32", Point.TESTS, "A feature has tests")
def has_tests(tree: Tree) -> Iterator[Fault]:
    """A module `tests/test_products.py` with tests that talk HTTP to the app. What no test has
    tried does not work, or will not after the next change."""
    for subject in tree.subjects:
        modules = [tree.sources.by_name[file] for file in subject.tests]
        tests = [each for each in modules if re.search(r"^def test_", each.text, re.MULTILINE)]
        if tree.operations_of(subject) and not tests:
            file = next((f for part, f in subject.wanted if part == "tests"), "")
            file = file or f"tests/test_{subject.name}.py"
            yield Fault(
                tree.operations_of(subject)[0].source.name,
                1,
                f"{subject.name} has no tests",
                f"write {file}; tests/test_categories.py shows the form",
            )


@rule("R33", Point.TESTS, "Each operation says in ACCESS who may call it")
def access(tree: Tree) -> Iterator[Fault]:
    """`ACCESS` in the feature's test module has a row for each operation: method, path, and the
    least that may call. `tests/test_access.py` tries each row as a guest, a user, a moderator and
    an administrator. `--fix` adds the row, with who may call today: read it."""
    yield from _rows_of_nothing(tree)
    prefix = get_settings().api_prefix
    listed = {(method, path) for rows in tree.access_rows.values() for method, path, _ in rows}
    for operation in tree.operations:
        path = operation.path.removeprefix(prefix)
        if (operation.method, path) in listed:
            continue
        subject = _subject_of(tree, operation)
        module = next((f for f in subject.tests if f in tree.access_rows), "") if subject else ""
        names = {getattr(call, "__name__", "") for call in operation.dependencies}
        level = next((level for name, level in LEVELS.items() if name in names), "anyone")
        row = f'("{operation.method}", "{path}", "{level}")'
        yield Fault(
            operation.source.name,
            operation.line,
            f"no ACCESS row says who may call {operation.name}",
            f"add {row} to ACCESS in {module or 'its test module'}",
            fix=Fix("access", module, row) if module else None,
        )


def _rows_of_nothing(tree: Tree) -> Iterator[Fault]:
    """Rows of operations that are gone, and second ones of the same."""
    prefix = get_settings().api_prefix
    known = {(o.method, o.path.removeprefix(prefix)) for o in tree.operations}
    seen = set()
    for file, rows in tree.access_rows.items():
        text = tree.sources.by_name[file].text
        match = ACCESS.search(text)
        line = text[: match.start()].count("\n") + 1 if match else 1
        for method, path, _ in rows:
            if (method, path) not in known:
                what, remedy = f"there is no {method} {path}", "take its row out of ACCESS"
            elif (method, path) in seen:
                what, remedy = f"{method} {path} has two rows", "leave one of them in ACCESS"
            else:
                seen.add((method, path))
                continue
            yield Fault(file, line, what, remedy)


def _subject_of(tree: Tree, operation: Operation) -> Subject | None:
    return next((s for s in tree.subjects if operation.source.name in s.files), None)


@rule("R34", Point.TESTS, "Each operation was called with success by its tests", Needs.RECORD)
def succeeded(tree: Tree) -> Iterator[Fault]:
    """Measured in the last run of the tests: some test of the feature got a 2xx from the operation.
    What other features call in passing does not count: they can be removed. Run `python run.py
    test`."""
    for operation, seen in _seen(tree):
        if not any(200 <= status < 300 for status in seen):
            yield _untested(operation, "no test of the feature gets a success from", "a success")


@rule("R35", Point.TESTS, "Each operation was called with an error by its tests", Needs.RECORD)
def failed(tree: Tree) -> Iterator[Fault]:
    """Measured in the last run of the tests: some test of the feature got a 4xx for input that is
    wrong, a row that is missing, a conflict. 401 and 403 do not count: `ACCESS` tries those."""
    for operation, seen in _seen(tree):
        described = tree.described(operation)
        errors = {status for status in seen if 400 <= status < 500}
        takes_input = "requestBody" in described or bool(described.get("parameters"))
        # Where nothing goes in, nothing but who asks can be wrong, and ACCESS tries that.
        if takes_input and not errors - {401, 403}:
            yield _untested(operation, "no test of the feature gets an error from", "an error")


def _untested(operation: Operation, what: str, wanted: str) -> Fault:
    remedy = f"write a test that calls it and gets {wanted}, then: python run.py test"
    return Fault(operation.source.name, operation.line, f"{what} {operation.name}", remedy)


def _seen(tree: Tree) -> Iterator[tuple[Operation, set[int]]]:
    """The operations of the features that were measured, with the statuses that their tests got."""
    for subject in tree.subjects:
        operations = tree.operations_of(subject)
        if operations and tree.is_measured(subject):
            statuses = tree.record.statuses(tree.tests_of(subject), tree.document["paths"])
            for operation in operations:
                yield operation, statuses.get(operation.key, set())
