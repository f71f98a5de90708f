"""The evals hold together; with --slow, each is proved by a good and a bad solution."""

import shutil
from pathlib import Path

import pytest

from app.cli.scaffold.project import Project
from app.core.config import ROOT
from tests.evals import Edit, load, names, prompt
from tests.evals.__main__ import main
from tests.evals.grading import Point, grade, points_of
from tests.servers import copy_tree
from tests.support import has_grown

EXAMPLES = {"categories", "comments", "orders", "posts", "products", "reviews", "tags"}
ARE_GONE = sorted(EXAMPLES - Project(ROOT).tables)
pytestmark = [
    pytest.mark.skipif(bool(ARE_GONE), reason=f"were removed: {', '.join(ARE_GONE)}"),
    pytest.mark.skipif(has_grown(*EXAMPLES), reason="the examples are no longer as shipped"),
]


def test_there_is_one_for_each_prompt() -> None:
    prompts = ["products", "categories", "reviews"]
    experts = ["posts", "orders", "blog-suite"]
    assert names() == sorted(prompts + experts)


@pytest.mark.parametrize("name", names())
def test_an_eval_is_whole(name: str, tmp_path: Path) -> None:
    """Its prompt is there, its points say something, and its bad solution still is one."""
    module = load(name)
    assert module.__doc__
    assert len(prompt(name).split()) > 30
    mutants: dict[str, Edit] = getattr(module, "MUTANTS", {})
    points = points_of(Path(str(module.__file__))) or dict.fromkeys(mutants, "broken")
    assert len(points) >= 7
    assert all(points.values()), "each point has a docstring"
    assert points.keys() >= module.MISSES
    for path in module.MODULES:
        assert (ROOT / path).exists()
    for edits in (module.BAD, *([each] for each in mutants.values())):
        tree = tmp_path / str(len(list(tmp_path.iterdir())))
        for edit in edits:
            file = tree / edit.path
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / edit.path, file)
            edit.apply(tree)
            compile(file.read_text("utf-8"), edit.path, "exec")


def score(name: str, tree: Path, folder: Path, *, whole: bool) -> dict[str, Point]:
    folder.mkdir()
    points = grade(name, tree, folder, lambda point: None, whole=whole)
    return {point.name: point for point in points}


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_the_good_solution_has_all_points(name: str, tmp_path: Path) -> None:
    points = score(name, ROOT, tmp_path / "grading", whole=True)
    assert [point for point in points.values() if not point.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_of_the_bad_solution_is_told_what_it_misses(name: str, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "bad")
    for edit in load(name).BAD:
        edit.apply(tree)
    points = score(name, tree, tmp_path / "grading", whole=False)
    missed = {each.name for each in points.values() if not each.passed}
    assert missed == load(name).MISSES, points
    assert all(each.why for each in points.values() if not each.passed)


def test_what_cannot_be_graded_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for words, said in (
        (["zzz"], "There is no eval zzz. There are blog-suite, categories"),
        (["posts", "--tree", str(tmp_path)], "it has no run.py"),
        (["posts", "--start", str(tmp_path)], "is there already"),
    ):
        assert main(words) == 1
        told = capsys.readouterr()
        assert told.out == ""
        assert said in told.err
    assert main([]) == 0
    assert capsys.readouterr().out.count("\n") == len(names())


@pytest.mark.slow
def test_a_tree_that_does_not_start_has_no_points_and_is_told_why(tmp_path: Path) -> None:
    tree = copy_tree(tmp_path / "broken")
    (tree / "app/models/base.py").write_text("import nothing_like_it\n", "utf-8")
    points = score("categories", tree, tmp_path / "grading", whole=True)
    assert [each for each in points.values() if each.passed] == []
    assert "nothing_like_it" in points["test_list"].why
