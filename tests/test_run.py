"""`python run.py`, as a person runs it: set up, served, restarted, ended, and refused."""

import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import run as run_py
from tests.servers import PATIENCE, Process, Server, copy_tree, free_port, run

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups and signals are POSIX")

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-secret-of-more-than-thirty-two-bytes",
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_tree(tmp_path_factory.mktemp("run") / "tree")


@pytest.fixture(scope="module", autouse=True)
def servers(tree: Path, refusals: object) -> Iterator[dict[str, Server]]:
    """Started together, with all that is refused: no core waits while another one works."""
    with (
        Server(tree) as development,
        Server(tree, "--workers=2", DATABASE_URL="sqlite:///./p.db", **PRODUCTION) as production,
    ):
        yield {"development": development, "production": production}


# --- Set up ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python without any packages."""
    return make_venv(tmp_path_factory.mktemp("bare") / "python")


def make_venv(path: Path) -> str:
    """A virtual environment without pip; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    return str(path / "bin" / "python")


def small_tree(parent: Path) -> Path:
    """As much of the project as the set-up needs."""
    tree = parent / "tree"
    tree.mkdir()
    for name in ("run.py", "requirements.txt", "constraints.txt"):
        shutil.copy(run_py.ROOT / name, tree)
    return tree


def test_an_environment_without_pip_that_cannot_get_it_is_told_in_one_line(
    tmp_path: Path, bare_python: str
) -> None:
    tree = small_tree(tmp_path)
    make_venv(tree / ".venv")  # as it is when Ctrl-C came before pip
    (tmp_path / "ensurepip.py").write_text("raise SystemExit('no wheels here')")
    with run(tree, python=bare_python, PYTHONPATH=str(tmp_path)) as setup:
        assert setup.end() == 1
    assert "has no pip: delete .venv" in setup.output
    assert len(setup.output.splitlines()) == 1


PIP_OFFLINE = """
import sys
if "install" in sys.argv:
    print("Collecting fastapi")
    print("WARNING: Retrying after connection broken by NewConnectionError: /simple/fastapi/")
    print("ERROR: Could not find a version that satisfies the requirement fastapi")
    print("ERROR: No matching distribution found for fastapi")
    sys.exit(1)
"""


def test_a_pip_that_fails_is_told_in_one_line(tmp_path: Path, bare_python: str) -> None:
    tree = small_tree(tmp_path)
    make_venv(tree / ".venv")
    (tmp_path / "pip.py").write_text(PIP_OFFLINE)
    with run(tree, python=bare_python, PYTHONPATH=str(tmp_path)) as setup:
        assert setup.end() == 1
    assert setup.output == (
        "Installing packages, this once ...\n"
        "pip could not install the packages: Could not find a version that satisfies the "
        "requirement fastapi (Is there a network? The first run needs one.)\n"
    )
    assert not (tree / ".venv" / "installed-for").exists()  # the next run tries again


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path, bare_python: str) -> None:
    tree = small_tree(tmp_path)
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").symlink_to(tmp_path / "gone")  # as after an upgrade
    # What Debian's Python says while its package python3-venv is not installed.
    (tmp_path / "venv.py").write_text("raise SystemExit('ensurepip is not available')")
    with run(tree, python=bare_python, PYTHONPATH=str(tmp_path)) as setup:
        assert setup.end() == 1
    assert setup.output.splitlines()[0] == "Making .venv ..."
    assert "sudo apt install python3-venv" in setup.output.splitlines()[1]
    assert not (tree / ".venv").exists()


def test_an_environment_that_cannot_run_is_told_in_one_line(
    tmp_path: Path, bare_python: str
) -> None:
    tree = small_tree(tmp_path)
    (tree / ".venv" / "bin").mkdir(parents=True)
    (tree / ".venv" / "bin" / "python").write_text("not a program")
    with run(tree, python=bare_python) as setup:
        assert setup.end() == 1
    assert "Delete .venv" in setup.output
    assert len(setup.output.splitlines()) == 1


def test_a_whole_environment_is_used_as_it_is(tree: Path, bare_python: str, tmp_path: Path) -> None:
    copy = copy_tree(tmp_path / "tree")
    make_venv(copy / ".venv")
    site_packages = next((copy / ".venv" / "lib").glob("*/site-packages"))
    (site_packages / "installed.pth").write_text(sysconfig.get_path("purelib"))
    (copy / ".venv" / "installed-for").write_text(run_py.wanted())
    with run(copy, "migrate", "--help", python=bare_python) as helped:
        assert helped.end() == 0
    assert "REVISION" in helped.output
    assert "Making .venv" not in helped.output


def test_an_environment_that_still_lacks_packages_is_not_tried_forever(
    tmp_path: Path, bare_python: str
) -> None:
    tree = small_tree(tmp_path)
    make_venv(tree / ".venv")
    (tree / ".venv" / "installed-for").write_text(run_py.wanted())
    with run(tree, python=bare_python) as setup:
        assert setup.end() == 1
    assert "delete .venv" in setup.output
    assert len(setup.output.splitlines()) == 1


def test_missing_packages_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_py.missing_packages() == []
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(
        "# no-comment\n-c no-file\nno-such-one[extra]>=1  # why\npytest\n"
        'no-windows; sys_platform == "win32"\nNo_Other==2\n'
    )
    monkeypatch.setattr(run_py, "REQUIREMENTS", requirements)
    assert run_py.missing_packages() == ["no-such-one", "No_Other"]


# --- Served ----------------------------------------------------------------------------------


def test_it_says_where_swagger_is_and_how_to_log_in(servers: dict[str, Server]) -> None:
    server = servers["development"]
    assert server.get("/health/ready").status_code == 200
    assert f"Swagger: {server.url}/docs" in server.output
    assert "python run.py user create" in server.output


def test_it_uses_importable_packages_as_they_are(servers: dict[str, Server], tree: Path) -> None:
    servers["development"].get("/health/ready")
    assert not (tree / ".venv").exists()
    assert (tree / "app.db").exists()  # beside run.py, though it was started somewhere else


NEW_MODULE = """
from app.core.routing import APIRouter

router = APIRouter(prefix="/fresh", tags=["fresh"])


@router.get("")
def list_fresh() -> list[str]:
    return ["here"]
"""


def wait_for(condition: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, server.output
        time.sleep(0.02)


def test_a_change_restarts_the_worker_without_migrating(
    servers: dict[str, Server], tree: Path
) -> None:
    """A file that is new, broken, mended by being deleted: what happens on a stage."""
    server, module = servers["development"], tree / "app" / "api" / "fresh.py"
    server.get("/health/live")
    module.write_text(NEW_MODULE, "utf-8")
    assert server.get("/api/v1/fresh", lambda answer: answer.is_success).json() == ["here"]
    module.write_text("router = (\n", "utf-8")  # half of it, saved too early
    wait_for(lambda: "✗ app/api/fresh.py, line 1: SyntaxError" in server.output, server)
    assert "Traceback" not in server.output
    module.unlink()
    server.get("/api/v1/fresh", lambda answer: answer.status_code == 404)
    assert server.output.count("Database schema") == 1


def test_production_starts_workers_and_does_not_migrate(servers: dict[str, Server]) -> None:
    server = servers["production"]
    ready = server.get("/health/ready", lambda _: server.output.count("startup complete") == 2)
    assert ready.status_code == 503
    assert server.get("/health/live").status_code == 200
    assert "Database schema" not in server.output
    assert "reloader" not in server.output


@pytest.mark.parametrize("name", ["development", "production"])
def test_ctrl_c_ends_it_quietly(name: str, servers: dict[str, Server]) -> None:
    """The last of the servers' tests, because it ends them."""
    server = servers[name]
    server.get("/health/live")
    assert server.interrupt() == 0
    assert "Traceback" not in server.output
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(server.url.rpartition(":")[2]))) != 0


# --- Refused ---------------------------------------------------------------------------------

REFUSED = {
    "database": ({"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}, "127.0.0.1:1/x"),
    "missing": ({"ENVIRONMENT": "production"}, "SECRET_KEY is missing"),
    "short": (PRODUCTION | {"SECRET_KEY": "hunter2"}, "SECRET_KEY is shorter than 32 bytes"),
}


@pytest.fixture(scope="module")
def refusals(tree: Path) -> Iterator[dict[str, Process]]:
    with ExitStack() as stack, socket.create_server(("127.0.0.1", 0)) as listening:
        taken = str(listening.getsockname()[1])
        started = {
            name: stack.enter_context(run(tree, "--port", str(free_port()), **settings))
            for name, (settings, _) in REFUSED.items()
        }
        yield started | {"port": stack.enter_context(run(tree, "--port", taken))}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(name: str, refusals: dict[str, Process]) -> None:
    refused = refusals[name]
    assert refused.end() == 1
    assert REFUSED[name][1] in refused.output
    assert len(refused.output.splitlines()) == 1
    assert "hunter2" not in refused.output


def test_a_taken_port_is_refused_before_anything_else(refusals: dict[str, Process]) -> None:
    assert refusals["port"].end() == 1
    assert "is taken" in refusals["port"].output
    assert "python run.py --port" in refusals["port"].output
    assert len(refusals["port"].output.splitlines()) == 1
