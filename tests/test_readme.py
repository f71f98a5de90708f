"""The README and the guide do what they say: every command and every listing in them is run."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.core.config import ROOT
from tests.beside import beside
from tests.servers import NOT_COPIED, Process, environment
from tests.support import alembic_config
from tests.test_docs import is_excused

KEPT = ("app", "tests", "alembic")
FILES = ("run.py", "alembic.ini", "pyproject.toml", "requirements.txt", "constraints.txt")

# Every command that a document may show, and how it is tried: here, or by the named test module.
COMMANDS = {
    "python run.py": "tests/test_run.py",
    "python run.py --help": "tests/test_cli.py",
    "python run.py test": "tests/test_cli.py",
    "python run.py user create --username admin --email admin@example.com --admin": (
        "tests/test_cli.py"
    ),
    "python run.py test --database postgresql://postgres@127.0.0.1/app_test": "tests/test_cli.py",
    "python run.py test --database mysql://root@127.0.0.1/app_test": "tests/test_cli.py",
    # Minutes, and servers of its own.
    "python run.py test --faults": "by hand",
    "python run.py test --faults restarted-fast postgresql": "by hand",
    "python run.py test --faults login-timing": "by hand",
    "python run.py test --faults --quick": "by hand",
    "python run.py test --slow": "tests/test_scaffold_run.py",
    "python run.py test --thorough": "tests/test_raw_requests.py",
    "python run.py seed": "tests/test_seed.py",
    "python run.py describe": "tests/test_describe.py",
    "python run.py bench": "tests/test_bench.py",
    "python run.py bench --rounds 1 --seconds 1 --only read,list,create": "tests/test_bench.py",
    "python run.py bench --plot out.png": "tests/test_bench.py",
    "python run.py bench --json": "tests/test_bench.py",
    "python run.py migrate": "tests/test_cli.py",
    "python run.py check": "tests/test_check.py",
    "python run.py check product": "tests/test_check.py",
    "python run.py check --json": "tests/test_check.py",
    "python run.py check --fix": "tests/test_check.py",
    "python run.py check --rules": "tests/test_check.py",
    "python run.py check --explain R14": "tests/test_check.py",
    "cp .env.example .env": "tests/test_settings.py",
    'alembic revision --autogenerate -m "add notes"': "here",
    "alembic downgrade -1": "tests/test_migrations.py",
    "alembic current": "here",
    "bash .ci/run": "by itself",
}


def documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(
        rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_command_is_one_that_is_tried(path: Path) -> None:
    fences = set(re.findall(r"^```(\w+)", path.read_text("utf-8"), re.MULTILINE))
    assert fences <= {"console", "python", "text"}, "commands are `console`, so that they are tried"
    for block in blocks(path, "console"):
        for line in block.splitlines():
            shown = line.partition("#")[0].strip()
            if re.match(r"python run.py (new|copy|remove|add-field) ", shown):
                continue  # tests/test_scaffold_run.py runs them, as they are written there
            assert not shown or shown in COMMANDS, f"{path.name}: {shown}"
            module = COMMANDS.get(shown, "")
            assert not module.startswith("tests/") or (ROOT / module).exists()


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_path_exists(path: Path) -> None:
    text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    named = set(re.findall(r"`((?:app|tests|alembic|docs|\.ci)/[\w./-]*)`", text))
    linked = set(re.findall(r"\]\((?!http|#)([^)#]+)\)", text))
    written = {file for file in named if "note" in file}  # those that the guide makes
    for name in named - written:
        assert (ROOT / name).exists() or is_excused(name), f"{path.name}: {name}"
    for name in linked:
        assert (path.parent / name).exists(), f"{path.name}: {name}"


@beside
def test_the_guide_makes_a_feature(folder: Path) -> None:
    """A person's first feature: type the five files, migrate, run the tests."""
    tree = folder / "tree"
    for name in KEPT:
        shutil.copytree(ROOT / name, tree / name, ignore=NOT_COPIED)
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    if (ROOT / "app/models/note.py").exists():
        pytest.skip("there are notes already")
    guide = ROOT / "docs/add-a-feature.md"
    names = re.findall(r"^## \d.*`([\w/.]+)`$", guide.read_text("utf-8"), re.MULTILINE)
    listings = blocks(guide, "python")
    assert len(names) == len(listings) == 5

    settings = environment(DATABASE_URL=f"sqlite:///{folder}/app.db", ENVIRONMENT="test")

    def run(*command: str) -> str:
        with Process([sys.executable, "-m", *command], tree, settings) as process:
            assert process.end() == 0, process.output
            return process.output

    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    run("alembic", "upgrade", "head")  # as the first run left it
    for name, listing in zip(names, listings, strict=True):
        (tree / name).write_text(listing, "utf-8")
    run("alembic", "revision", "--autogenerate", "-m", "add notes")
    assert run("alembic", "current").split()[0] == head
    # The tests of the copy begin by applying the new one.
    tests = run("pytest", "tests/test_notes.py", "tests/test_access.py", "-k", "note or row")
    assert "8 passed" in tests, tests  # its own two, its access rows, and that none is missing
