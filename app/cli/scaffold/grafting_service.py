"""New fields in a living service and its router, where they need to be there."""

import re
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.console import CommandError
from app.cli.scaffold.addition import Addition
from app.cli.scaffold.grafting import Graft, find, same, woven
from app.cli.scaffold.grafting_owned import OWN, asking, guard, is_helper, lengthen

METHODS = (
    "list_{0.plural}",
    "get_{0.singular}",
    "create_{0.singular}",
    "replace_{0.singular}",
    "update_{0.singular}",
)


def graft_service(
    graft: Graft, addition: Addition, plain: Graft | None, creates: bool
) -> list[str]:
    """The methods that take another user's rows, because they are of another form.

    plain: what `new` writes for a feature like this one that has nothing `many`.
    """
    if addition.entity.columns and creates:
        _pass_on(graft, addition)
    if plain is not None:
        _weave(graft, addition, plain)
    guarded = any(each.guarded for each in addition.entity.refs)
    return guard(graft, addition) if guarded else []


def _pass_on(graft: Graft, addition: Addition) -> None:
    """Where the service makes a row of single values, it makes it of the new ones as well."""
    cls, singular = addition.model.cls, addition.model.singular
    made = m.Call(func=m.Name(cls))
    calls = [call for each in graft.body for call in m.findall(each, made)]
    if any(arg.star == "**" for call in calls if isinstance(call, cst.Call) for arg in call.args):
        return
    service = graft.need(f"{cls}Service")
    create = find(service.body.body, f"create_{singular}")
    own = [call for call in m.findall(create, made) if isinstance(call, cst.Call)]
    if len(own) != 1:
        raise CommandError(
            f"{graft.shown}: looked for {cls}(**data.model_dump()) in create_{singular}, "
            f"to let it store {', '.join(each.name for each in addition.entity.columns)}."
        )
    given = {each.name: f"data.{each.name}" for each in addition.entity.columns}
    graft.replace(service, service.deep_replace(own[0], _with_keywords(own[0], given)))


def graft_calls(graft: Graft, cls: str, given: dict[str, str]) -> None:
    """Name the values wherever a row is made."""

    class Lengthen(cst.CSTTransformer):
        def leave_Call(self, _: cst.Call, node: cst.Call) -> cst.Call:  # noqa: N802 - LibCST's
            is_made = m.matches(node, m.Call(func=m.Name(cls)))
            return _with_keywords(node, given) if is_made else node

    graft.body = [each.visit(Lengthen()) for each in graft.body]
    for source in given.values():
        graft.take(cst.parse_expression(source))


def _with_keywords(call: cst.Call, given: dict[str, str]) -> cst.Call:
    none = cst.SimpleWhitespace("")
    known = {arg.keyword.value for arg in call.args if arg.keyword}
    new = [
        cst.Arg(cst.parse_expression(code), cst.Name(name), cst.AssignEqual(none, none))
        for name, code in given.items()
        if name not in known
    ]
    stars = [i for i, arg in enumerate(call.args) if arg.star == "**"]
    return call.with_changes(args=woven(call.args, new, stars[0] if stars else None))


# --- Many --------------------------------------------------------------------------------------


def _weave(graft: Graft, addition: Addition, plain: Graft) -> None:
    """What an answer shows besides the row, and rows in the place of the ids that were sent."""
    helper = next(filter(is_helper, graft.body), None)
    shown = graft.find("SHOWN")
    if helper is not None and shown is not None:
        _one_more(graft, addition, helper, shown)
        return
    service = graft.need(f"{addition.model.cls}Service")
    given = graft.given(f"{addition.model.cls}Service")
    before = plain.need(f"{addition.model.cls}Service")
    body, singular = list(service.body.body), addition.model.singular
    for form in METHODS:
        name = form.format(addition.model.names)
        old, usual = find(body, name), find(before.body.body, name)
        new = find(given.body.body, name)
        if graft.find(OWN) is not None:
            usual, new = (asking(each, singular) or each for each in (usual, new))
        if old is None or not same(old, usual):
            raise CommandError(
                f"{graft.shown}: looked for {name} as `new` writes it, to weave in "
                f"{addition.entity.manys[0].relation}. It is another one: do it by hand."
            )
        new = new.with_changes(leading_lines=old.leading_lines)
        graft.take(new)
        body[body.index(old)] = new
    graft.replace(service, service.with_changes(body=service.body.with_changes(body=body)))
    graft.insert(graft.given("SHOWN"), graft.body.index(graft.need(service.name.value)))
    graft.insert(graft.given(f"_with_{addition.entity.manys[0].relation}"), len(graft.body))


def _one_more(graft: Graft, addition: Addition, helper: Any, shown: Any) -> None:
    value, new = shown.body[0].value, graft.given("SHOWN").body[0].value
    graft.take(new)
    elements = list(value.elements)
    if len(elements) == 1:
        elements = [elements[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
    longer = value.with_changes(elements=woven(elements, new.elements))
    graft.replace(shown, shown.deep_replace(value, longer))
    given = next(filter(is_helper, graft.donor.body))
    known = [each.name.value for each in helper.params.params]
    if any(each.guarded for each in addition.entity.manys) and "user" not in known:
        helper = _told_the_user(graft, helper, given)
    lengthen(graft, helper, given)


def _told_the_user(graft: Graft, helper: Any, given: Any) -> Any:
    """The helper, which asks whose rows they are from now on."""
    name, user = helper.name.value, given.params.params[1]
    graft.take(user)
    params = helper.params.with_changes(params=woven(helper.params.params, [user], 1))
    graft.replace(helper, helper.with_changes(params=params))

    def tell(call: Any, _: Any) -> Any:
        return call.with_changes(args=woven(call.args, [cst.Arg(cst.Name("user"))], 1))

    graft.body = [m.replace(each, m.Call(func=m.Name(name)), tell) for each in graft.body]
    return graft.need(name)


# --- Router ------------------------------------------------------------------------------------


def graft_router(graft: Graft, addition: Addition, unique_sentence: str) -> str:
    """Its docstrings, as far as they are those that `new` writes; the text of the file."""
    names, text = addition.model.names, graft.source
    lists, ends = rf'("""List (?:your )?{names.many}, ', r'sorted; the newest first\."""'
    if any(each.filters for each in addition.entity.attributes):
        text = re.sub(rf"{lists})(?=(?:searched and )?{ends})", r"\1filtered, ", text)
    if addition.searched:
        text = re.sub(rf"{lists}(?:filtered, )?)(?={ends})", r"\1searched and ", text)
    made = f'"""Make {names.article} {names.words}.'
    return text.replace(f'{made}"""', f'{made}{unique_sentence}"""')
