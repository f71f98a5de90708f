"""The rules of the house that `check` does not judge, because no feature has to know them."""

import ast
import enum
import importlib
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from app.core.config import ROOT
from tests.beside import beside
from tests.servers import NOT_COPIED, Process, environment

# The corner of app/core that knows the framework.
FRAMEWORK = {
    *("database", "docs", "health", "middleware"),
    *("hop", "one_hop", "openapi", "problems", "routing", "strict"),
}
WRAPPED = {"jose": "security", "passlib": "security", "limits": "rate_limit", "smtplib": "mail"}


def sources() -> list[Path]:
    return sorted((ROOT / "app").rglob("*.py"))


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


@cache
def imports(path: Path) -> list[tuple[int, str, list[str]]]:
    """Line, module and names of every import of a file, those inside of functions included."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, []
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: no relative imports"
            yield node.lineno, node.module or "", [alias.name for alias in node.names]


def test_libraries_stay_where_they_belong() -> None:
    for path in sources():
        layer, name = layer_of(path), path.stem
        for line, module, _ in imports(path):
            package = module.split(".")[0]
            if package in ("fastapi", "starlette"):
                known = layer in ("api", "main") or (layer == "core" and name in FRAMEWORK)
                assert known, f"{path}:{line}: app/{layer} does not know the framework"
            if package in WRAPPED:
                assert name in (WRAPPED[package], "config"), f"{path}:{line}: {package}"


def test_schemas_take_no_table_from_the_models() -> None:
    for path in sorted((ROOT / "app/schemas").glob("*.py")):
        for line, module, names in imports(path):
            if not module.startswith("app.models"):
                continue
            for name in names:
                value = getattr(importlib.import_module(module), name)
                table = isinstance(value, type) and not issubclass(value, enum.Enum)
                assert not table, f"{path.name}:{line}: {name} is no enum"


# --- Discovery: in a copy of the tree, as a person works on it --------------------------------


ROUTER = """
from app.core.routing import APIRouter

router = APIRouter(prefix="/doodles", tags=["doodles"])


@router.get("")
def list_doodles() -> list[str]:
    return []
"""
MODEL = """
from app.models.base import Base, IdMixin


class Doodle(Base, IdMixin):
    __tablename__ = "doodles"
"""


def run(folder: Path, dropped_in: dict[str, str], code: str) -> tuple[int, str]:
    """Exit code and output of `code` in a copy with these files, by their path below app/."""
    shutil.copytree(ROOT / "app", folder / "app", ignore=NOT_COPIED)
    for path, content in dropped_in.items():
        (folder / "app" / path).write_text(content, "utf-8")
    command = [sys.executable, "-c", code]
    with Process(command, folder, environment(ENVIRONMENT="test")) as process:
        return process.end(), process.output


@beside
def test_a_dropped_in_module_is_found_and_one_without_a_router_skipped(folder: Path) -> None:
    unfinished = {
        f"{layer}/{name}.py": content
        for layer in ("api", "models", "services", "schemas")
        for name, content in {"a": "", "b": '"""To be written."""', "c": "import re"}.items()
    }
    code = """
from app.main import app
from app.models import Base
print("/api/v1/doodles" in app.openapi()["paths"], "doodles" in Base.metadata.tables)
"""
    files = {"api/doodles.py": ROUTER, "models/doodle.py": MODEL} | unfinished
    assert run(folder, files, code) == (0, "True True\n")


@beside
def test_what_is_wrong_with_a_dropped_in_module_is_told_with_file_and_line(folder: Path) -> None:
    broken = "x = 1\nimport nothing_like_it\n"
    misnamed = ROUTER.replace("router = ", "sketches = ").replace("@router", "@sketches")
    files = {"models/doodle.py": broken, "api/doodles.py": broken, "api/sketches.py": misnamed}
    # One after the other: each is mended by being deleted.
    code = f"""
import importlib, pathlib, traceback
for path in {list(files)}:
    try:
        importlib.import_module("app." + path.partition("/")[0])
    except Exception:
        traceback.print_exc()
    pathlib.Path("app", path).unlink()
import app.main
"""
    exit_code, said = run(folder, files, code)
    assert exit_code == 0, said
    for path in ("models/doodle.py", "api/doodles.py"):
        assert f'{Path("app") / path}", line 2' in said
    assert said.count("No module named 'nothing_like_it'") == 2
    assert "app/api/sketches.py: call it `router`, not `sketches`" in said
