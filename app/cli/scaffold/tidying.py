"""ruff on files of a person: it may do what the file has always let it do, and nothing more."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from app.cli.scaffold.rendering import OURS


@dataclass
class Tidiness:
    """Which files ruff would have left alone, before anything was written into them."""

    root: Path
    paths: list[Path]
    sorted: list[Path] = field(init=False)  # imports in order, none of them without use
    formatted: list[Path] = field(init=False)

    def __post_init__(self) -> None:
        check, form = ["check", "--select", "I,F401"], ["format", "--check"]
        self.sorted = [path for path in self.paths if self._ruff(check, [path]) == 0]
        self.formatted = [path for path in self.paths if self._ruff(form, [path]) == 0]

    def restore(self) -> None:
        """Make those files again what they were in this respect."""
        if self.sorted:
            self._ruff(["check", "--select", "I,F401", "--fix"], self.sorted)
        if self.formatted:
            self._ruff(["format"], self.formatted)

    def _ruff(self, arguments: list[str], paths: list[Path]) -> int:
        command = [sys.executable, "-m", "ruff", *arguments, *OURS, "--quiet", "--no-cache"]
        return subprocess.run(
            [*command, *map(str, paths)], cwd=self.root, capture_output=True, check=False
        ).returncode
