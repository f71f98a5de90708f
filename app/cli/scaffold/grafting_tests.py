"""New fields in the living tests of a feature: its sample rows, and tests of the fields.

What the tests of `new` have is found by its name and made longer. What somebody wrote in another
way stays as it is; a test that needs something which is not there is left out.
"""

from collections.abc import Iterator
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.scaffold.addition import Addition
from app.cli.scaffold.grafting import Graft, bound_name, find, woven
from app.cli.scaffold.grafting_new_tests import add_test, is_wanted

TEST = m.FunctionDef()


def graft_tests(graft: Graft, addition: Addition, missing: set[str], *, asked: bool) -> None:
    """missing: factories of what the fields refer to that these tests cannot have.
    asked: the service asks whose it is what a row refers to.
    """
    names = addition.model.names
    generated = graft.find(f"three_{names.plural}") is not None
    if generated:
        _optional(graft, names.plural)
    for node in [*graft.donor.body]:
        name = bound_name(node) or ""
        old = graft.find(name)
        if isinstance(node, cst.FunctionDef) and isinstance(old, cst.FunctionDef):
            graft.replace(old, _longer(graft, addition, old, node))
        elif isinstance(node, cst.FunctionDef) and is_wanted(addition, name, generated, asked):
            add_test(graft, addition, node, missing)


def _optional(graft: Graft, plural: str) -> None:
    """OPTIONAL: what a client may leave out."""
    given = find(graft.donor.body, "OPTIONAL")
    if given is None:
        return
    old = graft.find("OPTIONAL")
    if old is None:
        place = graft.body.index(graft.need("ACCESS")) + 1
        graft.insert(given, place)
    else:
        graft.replace(old, _with_entries(graft, old, given))


# --- What is there, made longer ------------------------------------------------------------------


def _longer(graft: Graft, addition: Addition, old: Any, new: Any) -> Any:
    names, name = addition.model.names, old.name.value
    if name.startswith("test_"):
        old = _parametrized(graft, old, new)
    if name == f"three_{names.plural}":
        return _rows(graft, old, new, names.singular)
    if name == f"make_{names.singular}":
        return _factory(graft, addition, old, new)
    if name == f"new_{names.singular}":
        return _sent(graft, old, new)
    if name in ("test_what_is_left_out_has_a_default", f"test_replace_{names.singular}"):
        old = _same_variable(graft, old, new, "defaults")
    if name == "test_no_list_costs_a_statement_for_each_row":
        return _statements(old, len(addition.entity.manys))
    if name == f"test_delete_{names.singular}" and graft.find(f"three_{names.plural}"):
        return _freed(addition, old, new)
    whole = [f"test_{verb}_{names.singular}" for verb in ("create", "update", "replace")]
    if name in whole and graft.find(f"three_{names.plural}"):
        old = _with_user(graft, _data(graft, old, new, f"new_{names.singular}"), new)
    return old


def _with_user(graft: Graft, old: Any, new: Any) -> Any:
    """The user as a parameter, where a new row to refer to is to be theirs."""
    known = [each.name.value for each in old.params.params]
    given = {each.name.value: each for each in new.params.params}
    if "user" not in given or "user" in known or not m.findall(old.body, m.Name("user")):
        return old
    graft.take(given["user"])
    place = min(list(given).index("user"), len(known))
    params = woven(old.params.params, [given["user"]], place)
    return old.with_changes(params=old.params.with_changes(params=params))


def _parametrized(graft: Graft, old: Any, new: Any) -> Any:
    given = dict(_parameters(new))
    for index, (ids, _) in enumerate(list(_parameters(old))):
        if ids in given and ids != '"method"':  # a field brings no routes along
            _, values = list(_parameters(old))[index]  # the one of the tree as it is by now
            longer = values.with_changes(elements=_merged(graft, values, given[ids]))
            old = old.deep_replace(values, longer)
    return old


def _merged(graft: Graft, values: Any, given: Any) -> list[Any]:
    known, elements = [_code(each.value) for each in values.elements], list(values.elements)
    wanted = [_code(each.value) for each in given.elements]
    for index, each in enumerate(given.elements):
        if wanted[index] not in known:
            graft.take(each)
            place = _place(known, wanted[index], wanted[index + 1 :])
            elements = woven(elements, [each], place)
            known.insert(place, wanted[index])
    return elements


def _parameters(function: Any) -> Iterator[tuple[str, Any]]:
    """The lists of `@pytest.mark.parametrize("names", [...])`, by their names."""
    for decorator in function.decorators:
        call = decorator.decorator
        if m.matches(call, m.Call(args=[m.Arg(), m.Arg(value=m.List())])):
            yield _code(call.args[0].value), call.args[1].value


def _place(known: list[str], one: str, later: list[str]) -> int:
    """Before what comes later in the new ones as well, beside those that begin alike."""
    anchor = next((known.index(each) for each in later if each in known), len(known))
    if "&" not in one:
        return anchor
    alike = [i for i, each in enumerate(known[:anchor]) if _kind(each) == _kind(one)]
    if alike or anchor == len(known) or _kind(known[anchor]) == _kind(one):
        return alike[-1] + 1 if alike else anchor
    return next(i for i, each in enumerate(known) if _kind(each) == _kind(known[anchor]))


def _kind(query: str) -> str:
    return query.partition("&")[0]


def _with_entries(graft: Graft, old: Any, given: Any) -> Any:
    """The dict of a statement with those entries of another one that it has not."""
    one, other = _dict(old), _dict(given)
    if one is None or other is None:
        return old
    keys = {_code(each.key) for each in one.elements if isinstance(each, cst.DictElement)}
    new = [
        each
        for each in other.elements
        if isinstance(each, cst.DictElement) and _code(each.key) not in keys
    ]
    graft.take(*new)
    return old.deep_replace(one, one.with_changes(elements=woven(one.elements, new)))


def _dict(node: Any) -> Any:
    return next(iter(m.findall(node, m.Dict())), None)


def _same_variable(graft: Graft, old: Any, new: Any, name: str) -> Any:
    one, other = find(old.body.body, name), find(new.body.body, name)
    if one is None or other is None:
        return old
    return old.deep_replace(one, _with_entries(graft, one, other))


def _rows(graft: Graft, old: Any, new: Any, singular: str) -> Any:
    made = m.Call(func=m.Name(f"make_{singular}"))
    for index, given in enumerate(m.findall(new, made)):
        calls = m.findall(old, made)
        if index < len(calls):
            old = old.deep_replace(calls[index], _with_arguments(graft, calls[index], given))
    return old


def _with_arguments(graft: Graft, one: Any, other: Any) -> Any:
    known = {arg.keyword.value for arg in one.args if arg.keyword}
    new = [arg for arg in other.args if arg.keyword and arg.keyword.value not in known]
    graft.take(*new)
    named = [i for i, arg in enumerate(one.args) if arg.keyword]
    placed = [arg for arg in one.args if not arg.keyword and not arg.star]
    at = named[-1] + 1 if named else len(placed)
    if not named and any(_code(arg).startswith("**OPTIONAL") for arg in one.args):
        at = len(one.args)
    return one.with_changes(args=woven(one.args, new, at))


def _factory(graft: Graft, addition: Addition, old: Any, new: Any) -> Any:
    """Rows need those fields that have no default."""
    if not addition.asked:
        return old
    for name in ("_numbers", "number"):
        home, given = (
            (graft.donor.body, graft.body) if name == "_numbers" else (new.body.body, old.body.body)
        )
        line = find(home, name)
        if line is not None and find(given, name) is None:
            if name == "_numbers":
                graft.insert(line, graft.body.index(graft.find(old.name.value)))
            else:
                graft.take(line)
                start = 1 if m.matches(old.body.body[0], _DOCSTRING) else 0
                body = [*old.body.body[:start], line, *old.body.body[start:]]
                old = old.with_changes(body=old.body.with_changes(body=body))
    given = find(new.body.body, "defaults")
    if find(old.body.body, "defaults") is not None:
        return _same_variable(graft, old, new, "defaults")
    singular = addition.model.singular
    line, stored = find(old.body.body, singular), find(new.body.body, singular)
    if line is None or given is None:
        dicts = list(m.findall(old, m.BinaryOperation(left=m.Dict())))
        return old.deep_replace(dicts[0], _with_entries(graft, dicts[0], given)) if dicts else old
    body = [
        part for each in old.body.body for part in ((given, stored) if each is line else (each,))
    ]
    graft.take(given, stored)
    return old.with_changes(body=old.body.with_changes(body=body))


_DOCSTRING = m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString())])


def _sent(graft: Graft, old: Any, new: Any) -> Any:
    """What a client sends at least."""
    given, line = new.body.body[-1], old.body.body[-1]
    if _dict(given) is None:
        return old
    if _dict(line) is not None:
        return old.deep_replace(line, _with_entries(graft, line, given))
    if _code(line).strip() != "return values":
        return old
    graft.take(given)
    return old.deep_replace(line, given)


def _statements(old: Any, more: int) -> Any:
    """`len(statements) == 1`, and one more for each `many`."""
    for each in m.findall(old, m.Comparison(left=m.Call(func=m.Name("len")))) if more else ():
        assert isinstance(each, cst.Comparison)
        target = each.comparisons[0]
        if m.matches(target, m.ComparisonTarget(comparator=m.Integer())):
            number = cst.Integer(str(int(_code(target.comparator)) + more))
            old = old.deep_replace(target, target.with_changes(comparator=number))
    return old


def _data(graft: Graft, old: Any, new: Any, factory: str) -> Any:
    """`data = new_x()`, the first time and the second."""
    made = m.SimpleStatementLine(body=[m.Assign(value=m.Call(func=m.Name(factory)))])
    news = [each for each in new.body.body if m.matches(each, made)]
    for index, other in enumerate(news):
        olds = [each for each in old.body.body if m.matches(each, made)]
        if index < len(olds):
            call, given = olds[index].body[0].value, other.body[0].value
            stars = [arg for arg in given.args if arg.star == "**"]
            has = any(arg.star == "**" for arg in call.args)
            placed = [arg for arg in call.args if not arg.keyword and not arg.star]
            args = woven(call.args, stars, len(placed))
            changed = call if has else call.with_changes(args=args)
            old = old.deep_replace(call, _with_arguments(graft, changed, given))
    return old


def _freed(addition: Addition, old: Any, new: Any) -> Any:
    """What was unique is free again, when the row is gone."""
    last = new.body.body[-1]
    said = {_code(each).strip() for each in old.body.body}
    if not addition.entity.unique or addition.entity.soft_delete or _code(last).strip() in said:
        return old
    body = [*old.body.body, last]
    return old.with_changes(body=old.body.with_changes(body=body))


# --- Features that somebody wrote ---------------------------------------------------------------


def graft_factory(graft: Graft, addition: Addition) -> None:
    """The factory of a feature, where it is in another file than its tests."""
    old = graft.need(f"make_{addition.model.singular}")
    new = graft.given(f"make_{addition.model.singular}")
    graft.replace(old, _factory(graft, addition, old, new))


def graft_answers(graft: Graft, addition: Addition, answers: list[set[str]]) -> None:
    """The new fields in what is compared with a whole answer: a dict with all of its fields."""
    new = ", ".join(
        f'"{each.relation if each.is_many else each.name}": '
        f"{'[]' if each.is_many else each.default_json}"
        for each in addition.entity.attributes
    )
    given: Any = cst.parse_expression(f"{{{new}}}")

    class Lengthen(cst.CSTTransformer):
        def leave_Dict(self, _: cst.Dict, node: cst.Dict) -> cst.Dict:  # noqa: N802 - LibCST's
            pairs = [each for each in node.elements if isinstance(each, cst.DictElement)]
            keys = {_code(each.key).strip("\"'") for each in pairs}
            if len(pairs) < len(node.elements) or keys not in answers:
                return node
            return node.with_changes(elements=woven(node.elements, given.elements))

    graft.body = [each.visit(Lengthen()) for each in graft.body]


def _code(node: cst.CSTNode) -> str:
    return cst.Module([]).code_for_node(node)
