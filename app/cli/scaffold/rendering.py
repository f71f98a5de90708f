"""The files of a feature, from `templates/`, as ruff formats them."""

import ast
import json
import subprocess
import textwrap
from pathlib import Path
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemBytecodeCache,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
)
from ruff import find_ruff_bin  # type: ignore[import-untyped]

from app.cli.console import CommandError
from app.cli.scaffold.entity import Entity
from app.cli.scaffold.kinds import RANGES
from app.cli.scaffold.project import Model, Project
from app.cli.scaffold.samples import member

LINE = 100  # characters
TEMPLATES = Path(__file__).parent / "templates"
OWN_TEMPLATES = "templates/new"  # in the project: a file here takes the place of one of ours

# Names of app.schemas.base that a schema may need; ruff takes out those that it does not.
SHARED = (
    "INT53, Day, Email, Flag, Id, InputSchema, JsonId, JsonObject, ListParams, Moment, "
    "QueryBigInt, QueryFloat, QueryInt, ReadSchema, SearchParams, TimeOfDay, UpdateSchema, Uuid, "
    "amount, left_out, line, real, slug, sortable, text, url, whole"
)
OURS = ["--config", "lint.isort.known-first-party=['app', 'tests']"]
# What fits on a line is on one: the commas of a template ask for nothing.
AS_TIGHT = [
    argument
    for setting in (
        "format.skip-magic-trailing-comma=true",
        "lint.isort.split-on-trailing-comma=false",
    )
    for argument in ("--config", setting)
]


def render(project: Project, entity: Entity) -> dict[Path, str]:
    """Path and text of the five files, not yet formatted."""
    environment = Environment(
        loader=ChoiceLoader(
            [FileSystemLoader(project.root / OWN_TEMPLATES), FileSystemLoader(TEMPLATES)]
        ),
        # In the user's temporary folder. To compile the templates takes a tenth of `new`.
        bytecode_cache=FileSystemBytecodeCache(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Python is written, no HTML
    )
    environment.filters |= {"quote": quote, "member": member, "docstring": docstring}
    context = _context(project, entity)
    found = {}
    for name, path in project.files(entity.names).items():
        try:
            found[path] = environment.get_template(f"{name}.py.jinja").render(context)
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            where = f"{name}.py.jinja, line {line}" if line else f"{name}.py.jinja"
            raise CommandError(f"{where}: {error}. Mend the template.") from None
    return found


def docstring(text: str, indent: int = 4) -> str:
    """On one line if it fits."""
    line = f'"""{text}"""'
    if indent + len(line) > LINE:
        line = "\n".join([*textwrap.wrap(f'"""{text}', LINE - indent - 3), '"""'])
    return textwrap.indent(line, " " * indent)


def quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _context(project: Project, entity: Entity) -> dict[str, Any]:
    user = project.find("user")
    targets = {each.target for each in entity.relations if each.target} | (
        {user} if entity.owned and user else set[Model]()
    )
    ordered = sorted(targets, key=lambda model: model.module)
    optional = [each for each in entity.plain if not each.field.required]
    filters = [name for each in entity.attributes for name, _ in each.filters]
    guarded = [each for each in entity.refs if each.guarded]
    queries = [query for each in entity.plain for query in each.matches]
    return {
        "e": entity,
        "n": entity.names,
        "shared": SHARED,
        "targets": ordered,
        "asked_targets": [
            each for each in ordered if each in {a.target for a in (*entity.manys, *guarded)}
        ],
        "guarded_refs": guarded,
        "guarded_manys": [each for each in entity.manys if each.guarded],
        "guarded_new": entity.sends_own or any(each.field.required for each in guarded),
        "filtered": bool(filters),
        "unique_sentence": unique_sentence(entity),
        "all_targets": ordered,
        "factories": sorted({(project.factory(each), f"make_{each.singular}") for each in ordered}),
        "parents": [each for each in entity.refs if not each.field.nullable],
        "required_refs": [each for each in entity.refs if each.field.required],
        "nullable_refs": [each for each in entity.refs if each.field.nullable],
        "takes_values": entity.owned,
        "numbered": any("number" in each.made for each in entity.plain if each.field.required),
        "change": _change(entity),
        "freed": bool(entity.unique)
        and (not entity.soft_delete or all(each.keyed for each in entity.unique)),
        "queries": queries,
        "bad_queries": [
            f"{name}=-"
            for each in entity.attributes
            for name, _ in each.filters
            if each.field.type in (*RANGES, "bool", "enum", "uuid", "ref")
        ],
        "accented": [
            each
            for each in entity.searched
            if each.field.type in ("str", "text") and each.field.length >= 6
        ],
        "statements": 1 + len(entity.manys) + entity.owned,
        "planned": [
            *(f"limit=1&{query}" for query, _ in queries if query.isascii()),
            *(f"limit=3&sort={name}" for name in entity.sortable),
        ],
        "optional": optional,
    }


def _change(entity: Entity) -> str:
    """A PATCH that changes something, as source code."""
    if entity.plain:
        one = entity.plain[0]
        same = ast.literal_eval(one.samples[1]) == ast.literal_eval(one.default_json)
        return f'{{"{one.name}": {one.samples[0 if same else 1]}}}'
    one = next((each for each in entity.attributes if each.target), entity.attributes[0])
    return f'{{"{one.name}": {"[]" if one.is_many else one.parent_json}}}'


def unique_sentence(entity: Entity) -> str:
    names = [each.name.replace("_", " ") for each in entity.unique if each.keyed]
    if not names:
        return ""
    one = "is its own" if len(names) == 1 else "are its own"
    return f" Its {' and its '.join(names)} {one}, without regard to case."


def ruff(root: Path, paths: list[Path], *settings: str) -> None:
    """Sort imports, take out those that are not needed, format; the files are changed."""
    options = [*OURS, *settings, "--quiet", "--no-cache"]
    for arguments in (["check", "--select", "I,F401", "--fix"], ["format"]):
        done = subprocess.run(
            [find_ruff_bin(), *arguments, *options, *map(str, paths)],
            cwd=root,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            raise CommandError(f"ruff refuses what was written: {done.stdout}{done.stderr}")
