"""`python -m tests.fuzz`: starts the app on an empty database and lets schemathesis loose on it.

TEST_DATABASE_URL names the server on which that database is made; without it, it is SQLite.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from app.cli.testing import prepare
from app.core.config import ROOT, get_settings
from tests import DATABASE_URL
from tests.databases import scratch, variant
from tests.fuzz.cast import CAST, PEERS, bring_back, header_of
from tests.servers import Server, copy_tree, run

CONFIG = """
hooks = "tests.fuzz.hooks"

[auth]
auto-signup = false

[auth.wfc]
path = {cast}
peers = {peers}

[checks.negative_data_rejection]
expected-statuses = ["4xx"]  # 413 as well: too large is refused before it is looked at

[cache]
enabled = false
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=10, help="cases of each operation")
    parser.add_argument("--seed", type=int, default=1)
    arguments, others = parser.parse_known_args()
    prepare(DATABASE_URL)
    get_settings().access_token_minutes = 24 * 60  # a run by hand may be a long one
    with tempfile.TemporaryDirectory() as folder, scratch(Path(folder)) as url:
        return fuzz(Path(folder), url, arguments.examples, arguments.seed, others)


def fuzz(folder: Path, url: str, examples: int, seed: int, others: list[str]) -> int:
    settings = {
        "ENVIRONMENT": "development",
        "DATABASE_URL": url,
        "SECRET_KEY": get_settings().secret_key,
        "PASSWORD_HASH_MEMORY_KIB": "8",
        "PASSWORD_HASH_ROUNDS": "1",
        "RATE_LIMIT_ENABLED": "false",
        "LOG_LEVEL": "WARNING",
    }
    tree = copy_tree(folder / "tree")
    for command in ("migrate", "seed"):
        with run(tree, command, **settings) as process:
            assert process.end() == 0, process.output
    with variant(url):
        bring_back()
    config = write_config(folder)
    with Server(tree, "--no-reload", **settings) as server:
        server.get("/health/ready")
        command = [
            *(str(Path(sys.executable).with_name("st")), "--config-file", str(config), "run"),
            *(f"{server.url}/openapi.json", "--checks", "all", "--continue-on-failure"),
            *("--max-examples", str(examples), "--seed", str(seed)),
            *("--generation-database", "none", "--output-truncate", "true"),
            *others,
        ]
        environment = {"TEST_DATABASE_URL": url, "PYTHONPATH": str(ROOT)}
        code = subprocess.run(command, cwd=folder, env=os.environ | environment).returncode
        if code:
            print(server.output[-10_000:])
    return code


def write_config(folder: Path) -> Path:
    auth = [
        {"name": name, "fixedHeaders": [{"name": "Authorization", "value": header_of(name)}]}
        for name in CAST
    ]
    cast = folder / "cast.json"
    cast.write_text(json.dumps({"auth": auth}))
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG.format(cast=json.dumps(str(cast)), peers=json.dumps(PEERS)))
    return config


if __name__ == "__main__":
    sys.exit(main())
