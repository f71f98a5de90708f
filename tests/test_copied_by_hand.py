"""Five files under another name are a feature: there is nothing to register."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from app.core.config import ROOT
from tests.beside import beside
from tests.servers import NOT_COPIED, Process, environment
from tests.support import has_grown

FILES = {
    "app/models/category.py": "app/models/genre.py",
    "app/schemas/category.py": "app/schemas/genre.py",
    "app/services/category_service.py": "app/services/genre_service.py",
    "app/api/categories.py": "app/api/genres.py",
    "tests/test_categories.py": "tests/test_genres.py",
}
pytestmark = [
    pytest.mark.skipif(
        not (ROOT / "app/models/category.py").exists(), reason="the examples were removed"
    ),
    pytest.mark.skipif(has_grown("categories"), reason="category is no longer as it was shipped"),
]


def renamed(text: str) -> str:
    for old, new in (("categories", "genres"), ("category", "genre")):
        text = text.replace(old, new).replace(old.capitalize(), new.capitalize())
    return text


@beside
def test_a_feature_is_copied_by_hand(folder: Path) -> None:
    tree = folder / "tree"
    for name in ("app", "tests", "alembic"):
        shutil.copytree(ROOT / name, tree / name, ignore=NOT_COPIED)
    for name in ("run.py", "alembic.ini", "pyproject.toml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tree / name)
    settings = environment(DATABASE_URL=f"sqlite:///{folder}/app.db", ENVIRONMENT="test")

    def run(*command: str, code: int = 0) -> str:
        with Process([sys.executable, *command], tree, settings) as process:
            assert process.end() == code, process.output
            return process.output

    for old, new in FILES.items():
        (tree / new).write_text(renamed((tree / old).read_text("utf-8")), "utf-8")
    model = tree / "app/models/genre.py"
    lines = model.read_text("utf-8")
    if "products" in lines:  # what others have added to the original is told, with its line
        said = run("-c", "import app.models", code=1).splitlines()[-1]
        assert re.match(r"RuntimeError: app/models/genre\.py:\d+: products: ", said), said
        assert "delete the line" in said
        side = r"\n    products: Mapped.*?\n    \)\n|\n    products: Mapped[^\n]*\)\n"
        model.write_text(re.sub(side, "", lines, flags=re.DOTALL), "utf-8")
    run("-m", "alembic", "upgrade", "head")
    run("-m", "alembic", "revision", "--autogenerate", "-m", "add genres")
    said = run("-m", "pytest", "tests/test_genres.py", "tests/test_access.py", "-k", "genre or row")
    passed = re.search(r"(\d+) passed", said)
    assert passed, said
    assert int(passed[1]) > 40, said
