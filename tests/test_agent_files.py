"""AGENTS.md and `.claude`: as short as they promise, well-formed, and about what is there."""

import ast
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.config import ROOT
from tests.test_docs import AGENTS, blocks, name_of

LONGEST = {"AGENTS.md": 600}  # words


def test_documents_are_as_short_as_they_promise() -> None:
    for name, most in LONGEST.items():
        words = len((ROOT / name).read_text("utf-8").split())
        assert words <= most, f"{name} has {words} words, {most} are allowed"


def front_matter(path: Path) -> dict[str, Any]:
    """Of the two forms that are used here: `key: value`, and a list."""
    match = re.match(r"---\n(.*?)\n---\n", path.read_text("utf-8"), re.DOTALL)
    assert match, f"{name_of(path)} has no front matter"
    found: dict[str, Any] = {}
    for line in match[1].splitlines():
        if item := re.fullmatch(r'  - "(.*)"', line):
            found[list(found)[-1]].append(item[1])
        else:
            key, _, value = line.partition(":")
            found[key] = value.strip() or []
    return found


def test_each_rule_is_for_files_that_are_there() -> None:
    rules = sorted((AGENTS / "rules").glob("*.md"))
    assert {each.stem for each in rules} >= {
        *("models", "schemas", "services", "routers", "tests", "migrations")
    }
    for path in rules:
        patterns = front_matter(path)["paths"]
        assert patterns, name_of(path)
        for pattern in patterns:
            assert list(ROOT.glob(pattern)), f"{name_of(path)}: nothing is {pattern}"


def test_experts_and_skills_are_named_like_their_files_and_say_when_to_take_them() -> None:
    experts = sorted((AGENTS / "agents").glob("*.md"))
    skills = sorted((AGENTS / "skills").glob("*/SKILL.md"))
    assert (len(experts), len(skills)) >= (3, 6)
    named = [(path, path.stem) for path in experts] + [(path, path.parent.name) for path in skills]
    for path, name in named:
        matter = front_matter(path)
        assert matter["name"] == name
        assert 20 < len(matter["description"]) < 500, name_of(path)
    for path in experts:
        assert blocks(path, "text"), f"{name_of(path)} has no example prompt"


def test_claude_takes_in_what_all_agents_read() -> None:
    lines = (ROOT / "CLAUDE.md").read_text("utf-8").splitlines()
    assert "@AGENTS.md" in lines


def test_the_settings_name_tools_and_files_that_are_there() -> None:
    settings = json.loads((AGENTS / "settings.json").read_text("utf-8"))
    (server,) = json.loads((ROOT / ".mcp.json").read_text("utf-8"))["mcpServers"]
    module = ast.parse((ROOT / "app/cli/mcp_tools.py").read_text("utf-8"))
    functions = [n for n in module.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    tools = {f"mcp__{server}__{each.name}" for each in functions if each.decorator_list}
    granted = [each for rules in settings["permissions"].values() for each in rules]
    assert {each for each in granted if each.startswith("mcp__")} == tools
    assert settings["enabledMcpjsonServers"] == [server]
    (hook,) = (each for group in settings["hooks"]["PostToolUse"] for each in group["hooks"])
    script = hook["command"].partition("$CLAUDE_PROJECT_DIR/")[2].strip('"')
    assert (ROOT / script).exists()


# --- The hook --------------------------------------------------------------------------------


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(AGENTS / "hooks")
    import check_edited

    yield check_edited
    sys.modules.pop("check_edited")


@pytest.mark.parametrize(
    ("edited", "judged"),
    [
        (str(ROOT / "app/api/users.py"), "app/api/users.py"),
        ("tests/test_users.py", "tests/test_users.py"),
        ("README.md", None),
        (".claude/hooks/check_edited.py", None),
        ("/etc/hosts.py", None),
        ("", None),
    ],
)
def test_the_hook_judges_the_code_of_the_project(hook: Any, edited: str, judged: str) -> None:
    assert hook.edited_file({"tool_input": {"file_path": edited}}) == judged


def test_the_hook_tells_the_faults_of_the_file_that_was_edited(hook: Any) -> None:
    fault = {"rule": "R20", "line": 7, "what": "it commits twice", "remedy": "commit last"}
    report = {"faults": [fault | {"file": f"app/services/{name}.py"} for name in ("a", "b")]}
    told = hook.faults_in("app/services/b.py", report)
    assert told == ["R20 app/services/b.py:7 it commits twice. → commit last"]
