"""Was it done? Acceptance tests for the prompts of this project, for the tree that an agent left.

    python run.py eval                              the names
    python run.py eval products --start ../shop     the tree to begin with, and the prompt
    python run.py eval products --tree ../shop      the score, and what is missing

Each module beside this one is an eval: acceptance tests, of which each is a point and its docstring
says which. They know the prompt and the tests' own fixtures, and nothing of how it was solved. Two
solutions are recorded with each: the good one is this tree, the bad one is this tree with the edits
in `BAD`, and `MISSES` names the points that it must lose.

They run outside of the suite: `tests/test_evals.py` holds them together, and proves them by both
solutions with `python run.py test --slow`.
"""

import importlib
import pkgutil
import re
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from app.core.config import ROOT

TOOLS = ("asking", "grading")


@dataclass(frozen=True)
class Edit:
    """A place in the tree, and what stands there instead."""

    path: str
    old: str
    new: str

    def apply(self, tree: Path) -> None:
        file = tree / self.path
        text = file.read_text("utf-8")
        if text.count(self.old) != 1:
            raise LookupError(f"{self.path}: not there, or not once: {self.old!r}")
        file.write_text(text.replace(self.old, self.new), "utf-8")


def names() -> list[str]:
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return sorted(n.replace("_", "-") for n in found if n not in TOOLS and n[0] != "_")


def load(name: str) -> ModuleType:
    return importlib.import_module(f"tests.evals.{name.replace('-', '_')}")


def prompt(name: str) -> str:
    """The listing in the document that the eval names, below the heading that it names."""
    document, heading = load(name).PROMPT
    text = (ROOT / document).read_text("utf-8").partition(f"## {heading}\n")[2]
    found = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    if found is None:
        raise LookupError(f"{document}: there is no prompt below {heading}")
    return found[1]
