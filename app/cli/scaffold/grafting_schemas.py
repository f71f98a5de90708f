"""New fields in the living schemas: what goes in, what comes out, how lists are filtered."""

import re
from dataclasses import dataclass, field
from typing import Any

import libcst as cst
from libcst import matchers as m

from app.cli.console import CommandError
from app.cli.scaffold.addition import Addition
from app.cli.scaffold.grafting import Graft, bound_name, find, woven

FIELD = m.SimpleStatementLine(body=[m.AnnAssign()])


@dataclass
class Schemas:
    """The classes that the methods of a service name, as they are written there."""

    create: list[str] = field(default_factory=list)  # of create_x and replace_x
    update: str = ""
    params: str = ""
    listed: str = ""
    methods: dict[str, str] = field(default_factory=dict)  # which method names which class


def schemas_of(service: Graft, addition: Addition) -> Schemas:
    names = addition.model.names
    node = service.need(f"{names.cls}Service", ", the class of the service,")
    found = Schemas()
    for method in node.body.body:
        if not isinstance(method, cst.FunctionDef):
            continue
        name, types = method.name.value, _annotations(method)
        data = types.get("data", "")
        if data:
            found.methods.setdefault(data, name)
        if name in (f"create_{names.singular}", f"replace_{names.singular}") and data:
            found.create.append(data)
        elif name == f"update_{names.singular}":
            found.update = data
        elif name == f"list_{names.plural}":
            found.params = types.get("params", "")
            page = re.fullmatch(r"Page\[(\w+)\]", types.get("", ""))
            found.listed = page[1] if page else ""
    found.create = list(dict.fromkeys(found.create))
    return found


def _annotations(method: cst.FunctionDef) -> dict[str, str]:
    """The types of the parameters by their name, and of the result by none."""
    module = cst.Module([])
    types = {
        each.name.value: module.code_for_node(each.annotation.annotation)
        for each in method.params.params
        if each.annotation
    }
    if method.returns:
        types[""] = module.code_for_node(method.returns.annotation)
    return types


def answers_of(graft: Graft, addition: Addition, schemas: Schemas) -> list[set[str]]:
    """The fields of each schema of an answer, as they are now."""
    found = []
    for cls in {f"{addition.model.cls}Read", schemas.listed} - {""}:
        classes = [graft.find(name) for name in (cls, *_bases(graft, cls))]
        nodes = [each for node in classes if node is not None for each in node.body.body]
        found.append({str(bound_name(each)) for each in nodes if m.matches(each, FIELD)})
    return found


def graft_schemas(graft: Graft, addition: Addition, schemas: Schemas) -> None:
    names, entity = addition.model.names, addition.entity
    for each in entity.attributes:
        if each.rule:
            _alias(graft, each.alias)
    given = {
        kind: graft.given(f"{names.cls}{kind}") for kind in ("Create", "Update", "Read", "Params")
    }
    for cls in _outermost(graft, schemas.create, schemas, required=bool(addition.asked)):
        _fields(graft, cls, given["Create"])
    if schemas.update:
        _need(graft, schemas.update, schemas)
        _fields(graft, schemas.update, given["Update"])
    for each in entity.manys:
        if not graft.binds(each.small):
            graft.insert(graft.given(each.small), graft.body.index(graft.need(f"{names.cls}Read")))
    graft.need(f"{names.cls}Read", ", what an answer shows,")
    read = [schemas.listed] if graft.find(schemas.listed) else []
    for cls in _outermost(graft, [*read, f"{names.cls}Read"], schemas):
        _fields(graft, cls, given["Read"], skip={"id", "user_id", "created_at", "updated_at"})
    if schemas.params:
        _need(graft, schemas.params, schemas)
        _params(graft, addition, schemas.params, given["Params"])


def _alias(graft: Graft, name: str) -> None:
    """The constrained type of a field, behind the others."""
    if graft.binds(name):
        raise CommandError(
            f"{graft.shown} has something called {name} already, which the type of the field "
            "would be called. Take another name for the field."
        )
    classes = [i for i, each in enumerate(graft.body) if isinstance(each, cst.ClassDef)]
    end = classes[0] if classes else len(graft.body)
    alias = m.SimpleStatementLine(body=[m.Assign()])
    places = [i for i in range(end) if m.matches(graft.body[i], alias)]
    lines = [] if places else [cst.EmptyLine(indent=False)]
    node = graft.given(name).with_changes(leading_lines=lines)
    graft.insert(node, places[-1] + 1 if places else end)


def _need(graft: Graft, cls: str, schemas: Schemas) -> Any:
    return graft.need(cls, f", which {schemas.methods.get(cls, 'the list')} takes,")


def _outermost(
    graft: Graft, classes: list[str], schemas: Schemas, *, required: bool = False
) -> list[str]:
    """Of these classes, those that do not inherit from another one of them.

    required: the ones that they inherit from instead, if they are in the same file: who makes a
    row by one of those has to send the field as well.
    """
    found: list[str] = []
    for cls in classes:
        _need(graft, cls, schemas)
        bases = _bases(graft, cls)
        if required and bases:
            found.append(bases[-1])
        elif not set(bases) & set(classes):
            found.append(cls)
    return list(dict.fromkeys(found))


def _bases(graft: Graft, cls: str) -> list[str]:
    """Those in the same file, the nearest first."""
    node = graft.find(cls)
    if not isinstance(node, cst.ClassDef):
        return []
    own = [base.value.value for base in node.bases if isinstance(base.value, cst.Name)]
    return [name for base in own if graft.find(base) for name in (base, *_bases(graft, base))]


def _fields(
    graft: Graft, cls: str, given: Any, skip: frozenset[str] | set[str] = frozenset()
) -> None:
    """The fields of `given` behind those of the class; before the moments that end an answer."""
    node = graft.find(cls)
    body = list(node.body.body)
    new = [
        each for each in given.body.body if m.matches(each, FIELD) and bound_name(each) not in skip
    ]
    new = [each for each in new if find(body, str(bound_name(each))) is None]
    places = [i for i, each in enumerate(body) if m.matches(each, FIELD)]
    place = places[-1] + 1 if places else len(body)
    while skip and place and bound_name(body[place - 1]) in ("created_at", "updated_at"):
        place -= 1
    _put(graft, node, body, new, place)


def _put(graft: Graft, node: Any, body: list[Any], new: list[Any], place: int) -> None:
    graft.take(*new)
    body[place:place] = [each.with_changes(leading_lines=[]) for each in new]
    graft.replace(node, node.with_changes(body=node.body.with_changes(body=body)))


# --- Lists -------------------------------------------------------------------------------------


def _params(graft: Graft, addition: Addition, cls: str, given: Any) -> None:
    """Filters before the `sort`, which may be in a class that this one inherits from."""
    if addition.searched and not addition.is_searched:
        _search(graft, cls)
    homes = [each for each in (cls, *_bases(graft, cls)) if _sort(graft, each) is not None]
    home = homes[0] if homes else cls
    sort = _sort(graft, home)
    if sort is not None:
        names = [each.name for each in addition.entity.plain if each.sortable]
        graft.replace(
            graft.find(home), graft.find(home).deep_replace(sort, _sorted_by(sort, names))
        )
    node = graft.find(home)
    body = list(node.body.body)
    filters = [name for each in addition.entity.attributes for name, _ in each.filters]
    new = [find(given.body.body, name) for name in filters if find(body, name) is None]
    sort = _sort(graft, home)
    _put(graft, node, body, new, body.index(sort) if sort is not None else len(body))


def _sort(graft: Graft, cls: str) -> Any:
    node = graft.find(cls)
    line: Any = find(node.body.body, "sort") if isinstance(node, cst.ClassDef) else None
    call = m.Call(func=m.Name("sortable"))
    return (
        line
        if line and m.matches(line, m.SimpleStatementLine(body=[m.AnnAssign(value=call)]))
        else None
    )


def _sorted_by(line: Any, names: list[str]) -> Any:
    call = line.body[0].value
    known = [arg for arg in call.args if arg.keyword is None]
    said = {
        arg.value.value.strip("'\"") for arg in known if isinstance(arg.value, cst.SimpleString)
    }
    new = [cst.Arg(cst.SimpleString(f'"{name}"')) for name in names if name not in said]
    ends = known and m.matches(known[-1], m.Arg(value=m.SimpleString('"created_at"')))
    return line.deep_replace(
        call, call.with_changes(args=woven(call.args, new, len(known) - bool(ends)))
    )


def _search(graft: Graft, cls: str) -> None:
    """SearchParams in the place of ListParams."""
    for name in (cls, *_bases(graft, cls)):
        node = graft.find(name)
        for base in node.bases:
            if m.matches(base, m.Arg(value=m.Name("ListParams"))):
                search = cst.Name("SearchParams")
                graft.replace(node, node.deep_replace(base, base.with_changes(value=search)))
                graft.take(search)
                return
    raise CommandError(
        f"{graft.shown}: looked for ListParams, which {cls} would inherit from, to let q search."
    )
