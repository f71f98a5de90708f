"""A living service of owned rows, asking whose it is what they refer to."""

from itertools import takewhile
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.scaffold.addition import Addition
from app.cli.scaffold.grafting import Graft, bound_name, find, same

OWN = "_only_own"  # the function that asks
SENT = m.Call(func=m.Attribute(m.Name("data"), m.Name("model_dump") | m.Name("changes")))


def guard(graft: Graft, addition: Addition) -> list[str]:
    """Let what is sent go through `_only_own`; the methods that this does not fit."""
    names = addition.model.names
    service = graft.need(f"{names.cls}Service")
    wanted = [f"{verb}_{names.singular}" for verb in ("create", "replace", "update")]
    methods = [each for each in service.body.body if bound_name(each) in wanted]
    given, old = graft.given(OWN), graft.find(OWN)
    fits = old is None or _is_alike(old, given)
    changed = {each: asking(each, names.singular) if fits else None for each in methods}
    left = [each.name.value for each, new in changed.items() if new is None]
    if len(left) == len(methods):
        return left
    body = [changed.get(each) or each for each in service.body.body]
    graft.replace(service, service.with_changes(body=service.body.with_changes(body=body)))
    if old is None:
        places = [i for i, each in enumerate(graft.body) if is_helper(each)]
        graft.insert(given, [*places, len(graft.body)][0])
    else:
        lengthen(graft, old, given)
    return left


def _is_alike(old: Any, given: Any) -> bool:
    """Whether the function takes the same, and ends in `return values`."""
    names = [[each.name.value for each in one.params.params] for one in (old, given)]
    return names[0] == names[1] and same(old.body.body[-1], given.body.body[-1])


def asking(method: Any, singular: str) -> Any:
    """The method with its values behind `_only_own`; None where they are of another form."""
    if m.findall(method, m.Call(func=m.Name(OWN))):
        return method
    sent = m.findall(method, SENT)
    known = {each.name.value for each in method.params.params}
    if len(sent) != 1 or not {"db", "user"} <= known:
        return None
    before = list(takewhile(lambda each: not m.findall(each, SENT), method.body.body))
    row = "" if bound_name(method) == f"create_{singular}" else f", {singular}"
    if row and find(before, singular) is None:
        return None
    asks = cst.parse_expression(f"{OWN}(db, user, values{row})")
    return method.deep_replace(sent[0], m.replace(asks, m.Name("values"), sent[0]))


def lengthen(graft: Graft, old: Any, given: Any) -> None:
    """Put the blocks of the new fields behind those that a function has."""
    blocks = [each for each in given.body.body if isinstance(each, cst.If)]
    body = list(old.body.body)
    places = [i for i, each in enumerate(body) if isinstance(each, cst.If)]
    place = places[-1] + 1 if places else len(body) - 1
    graft.take(*blocks)
    body[place:place] = blocks
    graft.replace(old, old.with_changes(body=old.body.with_changes(body=body)))


def is_helper(node: Any) -> bool:
    """Whether it is the function that puts rows in the place of ids: `_with_tags`."""
    return m.matches(node, m.FunctionDef(name=m.Name(value=m.MatchRegex(r"_with_\w+"))))
