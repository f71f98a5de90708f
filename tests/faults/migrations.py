"""Faults of migrations: killed half way, and two at once."""

from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, make_url
from sqlalchemy.pool import NullPool

from app.cli.testing import create_if_missing
from app.core.config import ROOT, Settings
from app.models import Base
from tests.faults.stage import Stage
from tests.faults.suite import fault
from tests.servers import copy_tree

LONG = '''"""two tables, and a long time in between"""

import os
import time

import sqlalchemy as sa
from alembic import op

revision = "half"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("firsts", sa.Column("id", sa.Integer(), primary_key=True))
    op.create_index("ix_firsts_id", "firsts", ["id"])
    print("half way", flush=True)
    time.sleep(float(os.environ.get("BREAK", "0")))
    op.create_table("seconds", sa.Column("id", sa.Integer(), primary_key=True))
    op.execute("INSERT INTO seconds (id) VALUES (1)")


def downgrade() -> None:
    op.drop_table("seconds")
    print("half way", flush=True)
    time.sleep(float(os.environ.get("BREAK", "0")))
    op.drop_table("firsts")
'''


@fault()
def migration_killed(stage: Stage) -> None:
    """A migration is killed half way, up and down; run again, it does the rest."""
    tree = copy_tree(stage.folder("half"))
    head = ScriptDirectory.from_config(Config(str(ROOT / "alembic.ini"))).get_current_head()
    long = tree / "alembic" / "versions" / "2999_01_01_0000_long.py"
    long.write_text(LONG.format(head=head), "utf-8")
    url = new_database(stage, "half")
    for revision, added in (("head", {"firsts", "seconds"}), ("-1", set())):
        with stage.command("migrate", revision, tree=tree, DATABASE_URL=url, BREAK="60") as half:
            half.wait_for(lambda killed=half: "half way" in killed.output)  # type: ignore[misc]
        migrate(stage, tree, url, revision)
        expect_tables(stage, url, added)


@fault()
def two_migrators(stage: Stage) -> None:
    """Two services that start together migrate the same empty database."""
    url = new_database(stage, "twice")
    settings = {"DATABASE_URL": url, "MIGRATE_ON_START": "true"}
    with stage.new_service(1, **settings) as one, stage.new_service(1, **settings) as other:
        stage.is_ready(one, workers=1)
        stage.is_ready(other, workers=1)
    expect_tables(stage, url, set())


def new_database(stage: Stage, name: str) -> str:
    url = stage.host.address(name)
    create_if_missing(make_url(Settings.name_the_driver(url)))
    return url


def migrate(stage: Stage, tree: Path, url: str, revision: str) -> None:
    with stage.command("migrate", revision, tree=tree, DATABASE_URL=url) as again:
        if again.end() != 0:
            said = [line for line in again.output.splitlines() if "Error" in line]
            stage.ledger.wrong.append(f"migrate {revision}, run again: {said[-1:]}")


def expect_tables(stage: Stage, url: str, added: set[str]) -> None:
    wanted = {*Base.metadata.tables, "alembic_version", *added}
    engine = create_engine(Settings.name_the_driver(url), poolclass=NullPool)
    found = set(inspect(engine).get_table_names())
    if found != wanted:
        stage.ledger.wrong.append(f"tables that are missing or too many: {sorted(found ^ wanted)}")
