"""ruff on files of a person: it may do what the file has always let it do, and nothing more."""

import json
import subprocess
from pathlib import Path

from ruff import find_ruff_bin  # type: ignore[import-untyped]

from app.cli.scaffold.rendering import OURS

IMPORTS = ["--select", "I,F401"]  # in order, and none without use


class Tidiness:
    """Which files ruff would have left alone, before anything was written into them."""

    def __init__(self, root: Path, paths: list[Path]) -> None:
        self.root, self.paths = root, paths
        loose = self._complaints("check", *IMPORTS)
        unformatted = self._complaints("format", "--check")
        self.sorted = [path for path in paths if path.resolve() not in loose]
        self.formatted = [path for path in paths if path.resolve() not in unformatted]

    def _complaints(self, command: str, *arguments: str) -> set[Path]:
        said = _ruff(self.root, command, *arguments, "--output-format=json", paths=self.paths)
        return {Path(each["filename"]).resolve() for each in json.loads(said)}

    def restore(self) -> None:
        """Make those files again what they were in this respect."""
        if self.sorted:
            _ruff(self.root, "check", *IMPORTS, "--fix", paths=self.sorted)
        if self.formatted:
            _ruff(self.root, "format", paths=self.formatted)


def _ruff(root: Path, command: str, *arguments: str, paths: list[Path]) -> str:
    words = [find_ruff_bin(), command, *arguments, *OURS, "--no-cache"]
    done = subprocess.run(
        [*words, *map(str, paths)],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout
