"""What `python run.py new` writes, against the shipped feature that it is to write."""

import shutil
from pathlib import Path

import pytest

from app.cli.scaffold.describing import describe
from app.cli.scaffold.entity import Entity
from app.cli.scaffold.project import Project
from app.cli.scaffold.rendering import AS_TIGHT, render, ruff
from app.cli.scaffold.sides import remove_sides, sides_in
from app.core.config import ROOT
from tests.support import has_grown

pytestmark = [
    pytest.mark.skipif(
        not (ROOT / "app/models/category.py").exists(), reason="the examples were removed"
    ),
    pytest.mark.skipif(has_grown("categories"), reason="category is no longer as it was shipped"),
]
CATEGORY = ["name:str:100:unique", "description:text:optional"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The models that the others refer to, and their factories."""
    (tmp_path / "app/models").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ("app/models/user.py", "tests/factories.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def write(tree: Path, entity: Entity) -> dict[str, str]:
    """The five files by their path, as they are written into `tree`."""
    files = render(Project(tree), entity)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    ruff(tree, list(files), *AS_TIGHT)
    return {path.relative_to(tree).as_posix(): path.read_text("utf-8") for path in files}


def test_the_shipped_category_is_what_new_writes(tree: Path) -> None:
    written = write(tree, describe(Project(tree), "category", CATEGORY, write="staff"))
    assert len(written) == 5
    for name, text in written.items():
        path = ROOT / name
        shipped = path.read_text("utf-8")
        for side in ("Product", "Post"):
            if sides_in(shipped, side):
                shutil.copy(path, tree / name)
                (tree / name).write_text(remove_sides(shipped, side), "utf-8")
                ruff(tree, [tree / name])
                shipped = (tree / name).read_text("utf-8")
        assert text == shipped, name
