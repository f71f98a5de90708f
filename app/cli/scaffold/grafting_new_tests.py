"""Whole tests of new fields, put among those of a living feature."""

import re
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.scaffold.addition import Addition
from app.cli.scaffold.grafting import Graft, bound_name

TEST = m.FunctionDef()
SECTION = "# --- "
# Tests that a feature has as soon as one of its fields is of a kind.
OF_KINDS = {
    "test_what_is_left_out_has_a_default",
    "test_filter",
    "test_search_ignores_case_and_accents",
    "test_search_is_literal",
}


def is_wanted(addition: Addition, name: str, generated: bool, asked: bool) -> bool:
    """asked: the service asks whose it is what a row refers to."""
    names, found = addition.model.names, set(OF_KINDS) if generated else set[str]()
    found.add(f"test_update_{names.singular}" if generated else "")
    for each in addition.entity.attributes:
        found |= {f"test_the_{each.name}_is_taken_once", f"test_filter_by_{each.relation}"}
        found |= {f"test_of_ten_with_one_{each.name}_one_is_made"}
        found |= {f"test_an_unknown_{each.relation}_is_refused"}
        found |= {f"test_the_{each.relation}_of_another_is_refused"} if asked else set()
        found |= {f"test_an_unknown_one_of_the_{each.relation}_is_refused"}
        found |= {f"test_{each.relation}_of_{names.article}_{names.singular}"}
        found |= {f"test_a_{names.singular}_stays_without_its_{each.relation}"}
    return name in found


def add_test(graft: Graft, addition: Addition, node: Any, missing: set[str]) -> None:
    name = node.name.value
    once = "test_of_ten_with_one_"
    if name.startswith(once) and any(
        (bound_name(each) or "").startswith(once) for each in graft.body
    ):
        return
    needed = {each.value for each in m.findall(node, m.Name()) if isinstance(each, cst.Name)}
    if needed & missing:
        return
    for each in graft.donor.body:
        known = bound_name(each)
        if known in needed and known != name and not _fits(graft, known, each):
            return
    _put(graft, node, _where(graft, name))


def _put(graft: Graft, node: Any, place: int) -> None:
    """Into its section, which begins with a comment above the first test."""
    blanks = [cst.EmptyLine(indent=False)] * 2
    order = [bound_name(each) for each in graft.donor.body]
    titles = [_title(each) for each in graft.donor.body[: order.index(node.name.value) + 1]]
    title = next(filter(None, reversed(titles)), None)
    sections = {_title(each): i for i, each in enumerate(graft.body) if _title(each)}
    if title in sections:
        head = graft.body[sections[title]]
        node = node.with_changes(leading_lines=blanks)
        if place <= sections[title]:
            place = sections[title]
            node = node.with_changes(leading_lines=head.leading_lines)
            graft.replace(head, head.with_changes(leading_lines=blanks))
    graft.insert(node, place)


def _fits(graft: Graft, name: str, given: Any) -> bool:
    """Whether the module has what the test needs, and it is called in the same way."""
    if not isinstance(given, cst.FunctionDef):
        return graft.binds(name)
    own = graft.find(name)
    if own is None:
        return graft.binds(name)
    return isinstance(own, cst.FunctionDef) and cst.Module([]).code_for_node(
        own.params
    ) == cst.Module([]).code_for_node(given.params)


def _where(graft: Graft, name: str) -> int:
    """Behind tests of its kind; else where it stands among those of `new`."""
    kind = next((each for each in _FAMILIES if re.match(each, name)), None)
    alike = [
        i for i, each in enumerate(graft.body) if kind and re.match(kind, bound_name(each) or "")
    ]
    if alike or kind == _OF_MANY:
        return alike[-1] + 1 if alike else len(graft.body)
    order = [bound_name(each) for each in graft.donor.body]
    for before in filter(None, reversed(order[: order.index(name)])):
        old = graft.find(before)
        if isinstance(old, cst.FunctionDef) and before.startswith("test_"):
            return graft.body.index(old) + 1
    return len(graft.body)


_OF_MANY = r"test_an_unknown_one_of_the_|test_\w+_of_an?_"
_FAMILIES = (
    r"test_the_\w+_is_taken_once",
    r"test_filter_by_",
    _OF_MANY,
    r"test_an_unknown_(?!one_of_the_)|test_the_\w+_of_another_is|test_a_\w+_(stays|goes)_with",
)


def _title(node: Any) -> str | None:
    """What a section begins with: `# --- Many -----`."""
    lines = [line.comment.value for line in getattr(node, "leading_lines", []) if line.comment]
    return next((line.rstrip(" -") for line in lines if line.startswith(SECTION)), None)
