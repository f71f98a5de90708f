"""New fields in a living model, and the other sides of what they refer to."""

import re
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.console import CommandError
from app.cli.scaffold.addition import Addition
from app.cli.scaffold.attribute import Attribute
from app.cli.scaffold.grafting import Graft, bound_name, find, woven

RELATIONSHIP = m.SimpleStatementLine(body=[m.AnnAssign(value=m.Call(func=m.Name("relationship")))])
COLUMN = m.SimpleStatementLine(body=[m.AnnAssign()])


def graft_model(graft: Graft, addition: Addition) -> None:
    entity, cls = addition.entity, addition.model.cls
    for each in entity.enums:
        if graft.binds(each.enum):
            raise CommandError(
                f"{graft.shown} has something called {each.enum} already: "
                f"take another name than {each.name}."
            )
        _above(graft, graft.given(each.enum), cls, cst.ClassDef, m.ClassDef())
    for each in entity.manys:
        _above(graft, graft.given(each.between), cls, cst.SimpleStatementLine, _TABLE)
    node = graft.need(cls, ", the model,")
    graft.replace(node, _with_fields(graft, addition, node))
    for each in entity.refs:
        if each.several:
            _name_key_of_others(graft, addition, each)


_TABLE = m.SimpleStatementLine(body=[m.Assign(value=m.Call(func=m.Name("Table")))])


def _above(graft: Graft, new: Any, cls: str, _kind: type, like: Any) -> None:
    """Before the model, behind the last of its kind; else before what the model stands on."""
    end = graft.body.index(graft.need(cls))
    alike = [i for i in range(end) if m.matches(graft.body[i], like)]
    if alike:
        place = alike[-1] + 1
    elif isinstance(new, cst.ClassDef):
        place = next((i for i in range(end) if m.matches(graft.body[i], _TABLE)), end)
    else:
        place = end
    graft.insert(new, place)


def _with_fields(graft: Graft, addition: Addition, node: cst.ClassDef) -> cst.ClassDef:
    given = graft.given(addition.model.cls)
    body = list(node.body.body)
    for each in addition.entity.columns:
        for name in (each.name, f"{each.name}_key" if each.keyed else ""):
            if name:
                _insert(graft, body, find(given.body.body, name), _columns(body))
    for each in addition.entity.relations:
        for name in (each.relation, each.other_side if each.target is None else ""):
            if name:
                line = find(given.body.body, name)
                if addition.is_behind(each) or graft.is_for_checking(each.target_cls):
                    graft.quote([each.target_cls])
                    line = _quoted(line, each.target_cls)
                _insert_relation(graft, body, line)
    node = node.with_changes(body=node.body.with_changes(body=body))
    names = [each.name for each in addition.searched]
    return _searched(graft, addition, node, names) if names else node


def _columns(body: list[Any]) -> int:
    """Behind the last column."""
    columns = [
        i for i, each in enumerate(body) if m.matches(each, COLUMN) and not _is_relation(each)
    ]
    if columns:
        return columns[-1] + 1
    assigned = [i for i, each in enumerate(body) if bound_name(each)]
    return assigned[-1] + 1 if assigned else len(body)


def _is_relation(node: Any) -> bool:
    return m.matches(node, RELATIONSHIP)


def _insert(graft: Graft, body: list[Any], line: Any, place: int) -> None:
    first = not any(m.matches(each, COLUMN) for each in body)
    lines = [cst.EmptyLine(indent=False)] if first else []
    body.insert(place, line.with_changes(leading_lines=lines))
    graft.take(line)


def _insert_relation(graft: Graft, body: list[Any], line: Any) -> None:
    relations = [i for i, each in enumerate(body) if _is_relation(each)]
    place = relations[-1] + 1 if relations else _columns(body)
    lines = [] if relations else [cst.EmptyLine(indent=False)]
    body.insert(place, line.with_changes(leading_lines=lines))
    graft.take(line)


def _quoted(line: cst.SimpleStatementLine, cls: str) -> cst.SimpleStatementLine:
    """`Mapped[Tag | None]` as `Mapped["Tag | None"]`: the class is not there when it is read."""
    code = cst.Module([line]).code
    code = re.sub(rf"\[({cls}(?: \| None)?)\]", r'["\1"]', code, count=1)
    parsed = cst.parse_module(code).body[0]
    assert isinstance(parsed, cst.SimpleStatementLine)
    return parsed


# --- Search ------------------------------------------------------------------------------------


def _searched(
    graft: Graft, addition: Addition, node: cst.ClassDef, names: list[str]
) -> cst.ClassDef:
    if not addition.is_searched:
        given = graft.given(addition.model.cls)
        node = node.with_changes(bases=woven(node.bases, [cst.Arg(value=cst.Name("SearchMixin"))]))
        graft.take(cst.Name("SearchMixin"))
        body = list(node.body.body)
        place = [i for i, each in enumerate(body) if m.matches(each, _ASSIGNED)]
        body.insert(place[-1] + 1 if place else 0, find(given.body.body, "searched"))
        return node.with_changes(body=node.body.with_changes(body=body))
    each: Any
    for each in node.body.body:
        if bound_name(each) == "searched":
            value = each.body[0].value
            if isinstance(value, cst.Tuple):
                return node.deep_replace(each, _longer(each, value, names))
    raise CommandError(
        f'{graft.shown}: looked for searched = ("...",) in {addition.model.cls}, '
        "and there is no such tuple."
    )


_ASSIGNED = m.SimpleStatementLine(body=[m.Assign()])


def _longer(line: Any, value: cst.Tuple, names: list[str]) -> Any:
    elements = list(value.elements)
    if len(elements) == 1:  # the comma of a tuple of one parts nothing
        elements = [elements[0].with_changes(comma=cst.MaybeSentinel.DEFAULT)]
    new = [cst.Element(cst.SimpleString(f'"{name}"')) for name in names]
    return line.deep_replace(value, value.with_changes(elements=woven(elements, new)))


# --- Several references to one table -------------------------------------------------------------


def _name_key_of_others(graft: Graft, addition: Addition, new: Attribute) -> None:
    """The relationship that was alone with a table says now by which column it goes."""
    if column := _lone_key(addition, new):
        code = f'"{addition.model.cls}.{column}"' if new.target is None else f"[{column}]"
        node = graft.need(addition.model.cls)
        graft.replace(node, _with_keys(node, new.target_cls, code))


def _lone_key(addition: Addition, new: Attribute) -> str | None:
    """The one column that refers to the same table already; of several, each is named already."""
    columns = [name for name, table in addition.keys if table == new.table]
    return columns[0] if len(columns) == 1 else None


def graft_other_side(graft: Graft, addition: Addition, attribute: Attribute, code: str) -> None:
    """`code`, the list of the rows that refer to it, in the model of the other."""
    cls = addition.model.cls
    node = graft.need(attribute.target_cls, ", the model that it refers to,")
    if attribute.several and (column := _lone_key(addition, attribute)):
        node = _with_keys(node, cls, f'"{cls}.{column}"')
    body = list(node.body.body)
    _insert_relation(graft, body, cst.parse_statement(code))
    graft.quote([cls])
    graft.take(cst.Name(cls))
    graft.replace(
        graft.find(attribute.target_cls), node.with_changes(body=node.body.with_changes(body=body))
    )


def _with_keys(node: cst.ClassDef, target: str, code: str) -> cst.ClassDef:
    """foreign_keys=code in the relationships of a class to `target` that do not say how they go."""
    body: list[Any] = []
    each: Any
    for each in node.body.body:
        if _is_relation(each) and re.search(rf"\b{target}\b", _annotation(each)):
            call = each.body[0].value
            said = {arg.keyword.value for arg in call.args if arg.keyword}
            if not said & {"secondary", "foreign_keys", "primaryjoin"}:
                new = cst.parse_expression(f"relationship(foreign_keys={code})")
                assert isinstance(new, cst.Call)
                at = 1 if "remote_side" in said else 0
                call = call.with_changes(args=woven(call.args, new.args, at))
                each = each.deep_replace(each.body[0].value, call)
        body.append(each)
    return node.with_changes(body=node.body.with_changes(body=body))


def _annotation(line: Any) -> str:
    return cst.Module([]).code_for_node(line.body[0].annotation.annotation)
