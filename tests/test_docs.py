"""What documents say stays true: commands, paths, routes, names, and how long they are.

A file that is renamed, an option that goes, a function of another name turns this red. The guide
and the commands of README are run besides (tests/test_readme.py).
"""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import alembic.op
import sqlalchemy.orm
import typer
from fastapi import FastAPI

from app.cli.console import CommandError
from app.cli.main import cli_app
from app.cli.scaffold.fields import parse_fields
from app.cli.scaffold.project import Project
from app.core.config import ROOT, get_settings

AGENTS = ROOT / ".claude"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md", "CLAUDE.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(AGENTS.rglob("*.md")),
]

# What documents make up, so that nobody has to look for it.
MADE_UP = re.compile(
    r"books?|book_id|magazines?|notes?|pages|color|maker|test_a_stranger_cannot_change_it"
)
PLACEHOLDER = re.compile(r"X[A-Z]\w*|\w+_|_\w+")  # XService; is_ and _at
# Names of other tools and languages.
FOREIGN = re.compile(
    r"GET|POST|PUT|PATCH|DELETE|SELECT|EXPLAIN|UPDATE|WHERE|CASCADE|RESTRICT|SET|NULL|Retry|After"
    r"|FORWARDED_ALLOW_IPS|new_column_name|alembic|git|mypy|ruff|venv|python3?"
)
# Examples can be taken away (`remove --examples`), and what is said of them goes with them.
EXAMPLES = {
    "category": "categor",
    **{name: name for name in ("product", "review", "order", "post", "tag", "comment")},
}
TABLES = {"category": "categories"}


@cache
def gone() -> list[str]:
    there = Project(ROOT).tables
    return [stem for name, stem in EXAMPLES.items() if TABLES.get(name, f"{name}s") not in there]


def is_excused(name: str) -> bool:
    return any(stem in name.lower() for stem in gone())


def prose(path: Path) -> str:
    """Without front matter and listings."""
    text = re.sub(r"\A---\n.*?^---\n", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    pattern = rf"^( *)```{language}\n(.*?)^ *```"
    found = re.findall(pattern, path.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return ["".join(line.removeprefix(i) for line in b.splitlines(True)) for i, b in found]


def spans(path: Path) -> list[str]:
    """What stands in backticks, put on one line."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose(path))]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- Commands --------------------------------------------------------------------------------


def commands() -> Iterator[tuple[str, str]]:
    """Where, and what: `python run.py ...` wherever somebody is told to type it."""
    for path in DOCUMENTS:
        lines = [line for block in blocks(path, "console") for line in block.splitlines()]
        for line in [*lines, *spans(path)]:
            if line.startswith("python run.py"):
                yield name_of(path), line.partition(" #")[0].strip()
        for line in re.findall(r"python run\.py eval [\w-]+", path.read_text("utf-8")):
            yield name_of(path), line
    settings = json.loads((AGENTS / "settings.json").read_text("utf-8"))
    for granted in settings["permissions"].values():
        for rule in granted:
            if match := re.fullmatch(r"Bash\((python run\.py.*?)(:\*)?\)", rule):
                yield ".claude/settings.json", match[1]
    for server in json.loads((ROOT / ".mcp.json").read_text("utf-8"))["mcpServers"].values():
        yield ".mcp.json", shlex.join(["python", *server["args"]])


COMMANDS: Any = typer.main.get_command(cli_app)


def complaint_about(command: str) -> str | None:
    """What the command line would say of it, short of running it. `new ...` is left open."""
    words = [word for word in shlex.split(command)[2:] if word not in ("...", "…")]
    group = COMMANDS
    while words and words[0] in getattr(group, "commands", ()):
        group = group.commands[words.pop(0)]
    if hasattr(group, "commands") and words and not words[0].startswith("-"):
        return f"there is no command {words[0]}"
    named_alone = len(shlex.split(command)) == 3  # `python run.py new`: the command, as a subject
    if named_alone or "--help" in words:
        return None
    try:
        given = group.make_context(group.name, list(words)).params
        if group.name in ("new", "add-field"):
            parse_fields(given["fields"] or [])
    except (typer.TyperException, CommandError) as error:
        return str(error)
    return None


def test_every_command_is_one_of_the_command_line() -> None:
    found = list(commands())
    assert len(found) > 60
    wrong = [
        f"{where}: {what} ({said})" for where, what in found if (said := complaint_about(what))
    ]
    assert wrong == []


def test_a_command_that_is_none_would_be_told() -> None:
    assert complaint_about("python run.py tets") == "there is no command tets"
    assert "No such option" in str(complaint_about("python run.py copy a b --dry"))
    assert "Missing parameter" in str(complaint_about("python run.py copy book"))


def test_every_rule_is_one_of_check() -> None:
    rules = "".join(p.read_text("utf-8") for p in (ROOT / "app/cli/checks").glob("*.py"))
    said = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    named = set(re.findall(r"--explain (R\d\d)", said))
    assert "R07" in named
    assert [each for each in sorted(named) if f'rule("{each}"' not in rules] == []


# --- Paths, routes, names --------------------------------------------------------------------


def is_there(name: str) -> bool:
    """A path from the root, or the bare name of a file of the code."""
    if (ROOT / name).exists():
        return True
    return "/" not in name and any(
        path for top in ("app", "tests") for path in (ROOT / top).rglob(name)
    )


def test_every_path_exists() -> None:
    wrong = []
    for path in DOCUMENTS:
        text = re.sub(
            r"^```text.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        named = set(re.findall(r"(?:app|tests|alembic|docs|\.ci|\.claude)/[\w./-]*\w/?", text))
        named |= {each for each in spans(path) if re.fullmatch(r"[\w.-]+\.(md|py|txt|json)", each)}
        linked = set(re.findall(r"\]\((?!http|#)([^)#]+)\)", text))
        missing = [each for each in sorted(named) if not is_there(each)]
        excused = {each for each in missing if MADE_UP.search(each) or is_excused(each)}
        wrong += [f"{name_of(path)}: {each}" for each in missing if each not in excused]
        wrong += [
            f"{name_of(path)}: {each}" for each in linked if not (path.parent / each).exists()
        ]
    assert wrong == []


def test_every_route_exists(app: FastAPI) -> None:
    prefix = get_settings().api_prefix
    known = {path.removeprefix(prefix) for path in app.openapi()["paths"]}
    known |= {"/docs", "/redoc", "/openapi.json"}
    wrong = []
    for path in DOCUMENTS:
        for each in spans(path):
            route = re.fullmatch(r"(?:GET |POST |PUT |PATCH |DELETE )?(/[a-z/{}_.-]*)", each)
            if route and route[1] not in known and not is_excused(each):
                wrong.append(f"{name_of(path)}: {each}")
    assert wrong == []


def without_comments(path: Path) -> str:
    """The code: no comment, no docstring, nor any other text of several words."""
    text = re.sub(r"^ *#.*|  # .*", "", path.read_text("utf-8"), flags=re.MULTILINE)
    text = re.sub(r'"""(.*?)"""', "", text, flags=re.DOTALL)
    return re.sub(r'"[^"\n]* [^"\n]*"', "", text)


@cache
def known_names() -> set[str]:
    """Every name and every string of one word in the code, every setting, and of libraries."""
    found = set(re.findall(r"\w+", (ROOT / ".env.example").read_text("utf-8")))
    found |= set(re.findall(r"\w+", (ROOT / ".ci/run").read_text("utf-8")))
    found |= {*dir(sqlalchemy), *dir(sqlalchemy.orm), *dir(alembic.op)}
    for folder in ("app", "tests", "alembic"):
        for path in (ROOT / folder).rglob("*.py"):
            if path != Path(__file__):  # it would know what it looks for
                found |= set(re.findall(r"[^\W\d]\w*", without_comments(path)))
    for folder in ("rules", "agents", "skills"):
        found |= {each.stem for each in (AGENTS / folder).iterdir()}
    return found


def test_every_name_is_one_of_the_code() -> None:
    wrong = []
    for path in DOCUMENTS:
        if path.parent.name == "docs" and path.name != "prompts.md":
            continue  # references of their own words, with tests of their own
        for span in spans(path):
            if re.match(r"(python|alembic|git|bash|pip) |[\w.-]*\.(md|py|txt)$", span) or {
                "/",
                "\\",
            } & set(span):
                continue  # a command, a route or a path
            if span in known_names():
                continue
            for word in re.findall(r"[A-Za-z_]\w+", re.sub(r"[\"'].*?[\"']", "", span)):
                made_up = MADE_UP.fullmatch(word) or PLACEHOLDER.fullmatch(word)
                fine = made_up or FOREIGN.fullmatch(word) or is_excused(word)
                if not fine and word not in known_names():
                    wrong.append(f"{name_of(path)}: `{span}` ({word})")
    assert wrong == []


def test_listings_are_python_and_import_what_is_there() -> None:
    for path in DOCUMENTS:
        for block in blocks(path, "python"):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("app."):
                    file = ROOT / (str(node.module).replace(".", "/") + ".py")
                    excused = MADE_UP.search(file.stem) or is_excused(file.stem)
                    assert file.exists() or excused, f"{name_of(path)}: {node.module}"
