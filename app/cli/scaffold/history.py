"""What git and Alembic remember: which files are recorded, and which migrations can be undone."""

import re
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.cli.scaffold.git import git
from app.core.root import ROOT

_OPERATION = re.compile(r'(?:op|batch_op)\.(\w+)\(\s*(?:op\.f\()?"(\w+)"')
_TABLE = re.compile(r'op\.(?:create_table|drop_table|batch_alter_table)\(\s*"(\w+)"')


def unrecorded(paths: list[Path]) -> list[Path]:
    """Those with changes that would be lost.

    Files that git has never seen are safe to delete as long as nobody has touched them since `new`
    wrote them: it gives all files of a feature the same moment.
    """
    said = git("status", "--porcelain", "-z", "--untracked-files=all", "--", *map(str, paths))
    if said is None:
        new, changed = paths, list[Path]()
    else:
        top = Path((git("rev-parse", "--show-toplevel") or "").strip())
        lines = [line for line in said.split("\0") if line]
        new = [top / line[3:] for line in lines if line.startswith("??")]
        changed = [top / line[3:] for line in lines if not line.startswith("??")]
    moments = {path.stat().st_mtime_ns for path in new if path.exists()}
    return changed + (new if len(moments) > 1 else [])


def undoable(tables: set[str]) -> list[Path]:
    """The newest migrations, as far as they make these tables, nothing else, and are not shared."""
    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    found: list[Path] = []
    left = set(tables)
    for revision in script.walk_revisions():
        path = Path(revision.path)
        text = path.read_text("utf-8").partition("def downgrade")[0]
        touched = set(_TABLE.findall(text))
        made = set(re.findall(r'op\.create_table\(\s*"(\w+)"', text))
        if not touched or not touched <= tables or "op.execute" in text or is_shared(path):
            break
        found.append(path)
        left -= made
        if not left:
            return found
    # Half of them would leave tables that no migration makes.
    return [] if left else found


def is_shared(path: Path) -> bool:
    """Whether others may have applied it: it is in a branch of a remote."""
    commit = (git("log", "-1", "--format=%H", "--", str(path)) or "").strip()
    return bool(commit and (git("branch", "--remotes", "--contains", commit) or "").strip())


def revision_before(paths: list[Path]) -> str:
    """Where the database is when these migrations, the newest ones, are undone."""
    script = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini")))
    by_path = {Path(each.path): each for each in script.walk_revisions()}
    return str(by_path[paths[-1]].down_revision or "base")
