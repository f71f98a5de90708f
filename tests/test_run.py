"""`python run.py`, as a person runs it: set up, served, restarted, ended, and refused."""

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import sysconfig
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import run as run_py
from tests.beside import beside
from tests.servers import PATIENCE, Server, copy_tree, free_port, run

on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither killpg nor dead links")

PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "a-secret-of-more-than-thirty-two-bytes",
}
# Of a pipe, if nothing else is said. So it is on Windows, in another form.
ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


# --- Set up ----------------------------------------------------------------------------------


def make_venv(path: Path) -> str:
    """A virtual environment without pip; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(path)], check=True)
    return str(python_of(path))


def python_of(environment: Path) -> Path:
    return environment / run_py.VENV_PYTHON.relative_to(run_py.VENV)


def small_tree(folder: Path) -> Path:
    """As much of the project as the set-up needs."""
    tree = folder / "tree"
    tree.mkdir()
    for name in ("run.py", "requirements.txt", "constraints.txt"):
        shutil.copy(run_py.ROOT / name, tree)
    return tree


def run_bare(tree: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """Exit code and output of `python run.py` with a Python that has no packages."""
    python = make_venv(tree.parent / "python")
    with run(tree, *arguments, python=python, **settings) as setup:
        return setup.end(), setup.output


@beside
def test_an_environment_without_pip_that_cannot_get_it_is_told_in_one_line(folder: Path) -> None:
    tree = small_tree(folder)
    make_venv(tree / ".venv")  # as it is when Ctrl-C came before pip
    (folder / "ensurepip.py").write_text("raise SystemExit('no wheels here')")
    code, said = run_bare(tree, PYTHONPATH=str(folder))
    assert code == 1
    assert "has no pip: delete .venv" in said
    assert len(said.splitlines()) == 1


PIP_OFFLINE = """
import sys
if "install" in sys.argv:
    print("Collecting fastapi")
    print("WARNING: Retrying after connection broken by NewConnectionError: /simple/fastapi/")
    print("ERROR: Could not find a version that satisfies the requirement fastapi")
    print("ERROR: No matching distribution found for fastapi")
    sys.exit(1)
"""


@beside
def test_a_pip_that_fails_is_told_in_one_line(folder: Path) -> None:
    tree = small_tree(folder)
    make_venv(tree / ".venv")
    (folder / "pip.py").write_text(PIP_OFFLINE)
    code, said = run_bare(tree, PYTHONPATH=str(folder))
    assert code == 1
    assert said == (
        "Installing packages, this once ...\n"
        "pip could not reach the packages. Is there a network? The first run needs one.\n"
    )
    assert not (tree / ".venv" / "installed-for").exists()  # the next run tries again


@on_posix
@beside
def test_a_python_without_venv_is_told_what_to_install(folder: Path) -> None:
    tree = small_tree(folder)
    python = python_of(tree / ".venv")
    python.parent.mkdir(parents=True)
    python.symlink_to(folder / "gone")  # as after an upgrade
    # What Debian's Python says while its package python3-venv is not installed.
    (folder / "venv.py").write_text("raise SystemExit('ensurepip is not available')")
    code, said = run_bare(tree, PYTHONPATH=str(folder))
    assert code == 1
    assert said.splitlines()[0] == "Making .venv ..."
    assert "sudo apt install python3-venv" in said.splitlines()[1]
    assert not (tree / ".venv").exists()


@beside
def test_an_environment_that_cannot_run_is_told_in_one_line(folder: Path) -> None:
    tree = small_tree(folder)
    python = python_of(tree / ".venv")
    python.parent.mkdir(parents=True)
    python.write_text("not a program")
    code, said = run_bare(tree)
    assert code == 1
    assert "Delete .venv" in said
    assert len(said.splitlines()) == 1


@beside
def test_a_whole_environment_is_used_as_it_is(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    make_venv(tree / ".venv")
    site_packages = next((tree / ".venv").rglob("site-packages"))
    (site_packages / "installed.pth").write_text(sysconfig.get_path("purelib"))
    (tree / ".venv" / "installed-for").write_text(run_py.wanted())
    code, said = run_bare(tree, "migrate", "--help")
    assert code == 0
    assert "REVISION" in said
    assert "Making .venv" not in said


@beside
def test_an_environment_that_still_lacks_packages_is_not_tried_forever(folder: Path) -> None:
    tree = small_tree(folder)
    make_venv(tree / ".venv")
    (tree / ".venv" / "installed-for").write_text(run_py.wanted())
    code, said = run_bare(tree)
    assert code == 1
    assert "delete .venv" in said
    assert len(said.splitlines()) == 1


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


NEW_MODULE = """
from app.core.routing import APIRouter

router = APIRouter(prefix="/fresh", tags=["fresh"])


@router.get("")
def list_fresh() -> list[str]:
    return ["here"]
"""


@on_posix
@beside
def test_development_from_the_start_to_ctrl_c(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    with Server(tree, **ASCII) as server:
        says_where_swagger_is_and_how_to_log_in(server)
        # Importable packages are used as they are; it was started somewhere else.
        assert not (tree / ".venv").exists()
        assert (tree / "app.db").exists()
        change_restarts_the_worker_without_migrating(server, tree)
        ctrl_c_ends_it_quietly(server)
    # What is copied is the whole database: no journal is left beside it.
    assert [path.name for path in tree.glob("app.db*")] == ["app.db"]


def says_where_swagger_is_and_how_to_log_in(server: Server) -> None:
    assert server.get("/health/ready").status_code == 200
    assert f"Swagger: {server.url}/docs" in server.output
    assert "python run.py user create" in server.output


def change_restarts_the_worker_without_migrating(server: Server, tree: Path) -> None:
    """A file that is new, broken, mended by being deleted: what happens on a stage."""
    module = tree / "app" / "api" / "fresh.py"
    module.write_text(NEW_MODULE, "utf-8")
    assert server.get("/api/v1/fresh", lambda answer: answer.is_success).json() == ["here"]
    module.write_text("router = (\n", "utf-8")  # half of it, saved too early
    server.wait_for(lambda: "✗ app/api/fresh.py, line 1: SyntaxError" in server.output)
    assert "Traceback" not in server.output
    module.unlink()
    server.get("/api/v1/fresh", lambda answer: answer.status_code == 404)
    assert server.output.count("Database schema") == 1


def ctrl_c_ends_it_quietly(server: Server) -> None:
    server.get("/health/live")
    assert server.interrupt() == 0
    assert "Traceback" not in server.output
    assert not is_listening(server)


def is_listening(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) == 0


@on_posix
@beside
def test_ctrl_c_is_one_though_the_worker_hears_it_late(folder: Path) -> None:
    """What is served is finished first, and then what the app does at its end."""
    body = b"username=ana&password=wrong"
    head = (
        b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n"
    )
    with Server(copy_tree(folder / "tree")) as server:
        server.get("/health/live")
        worker = int(re.findall(r"Started server process \[(\d+)\]", server.output)[-1])
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as client:
            client.sendall(head % len(body) + body[:-1])
            server.get("/health/live")  # by then, the first half has arrived
            os.kill(server.popen.pid, signal.SIGINT)
            server.wait_for(lambda: "Shutting down" in server.output)
            os.kill(worker, signal.SIGINT)
            client.sendall(body[-1:])
            assert client.recv(1000).startswith(b"HTTP/1.1 401")
        assert server.end() == 0
        assert "shutdown complete" in server.output
        assert "Traceback" not in server.output


@beside
def test_a_server_that_is_killed_leaves_no_worker(folder: Path) -> None:
    """It would hold the port, and the next start could only say that it is taken."""
    with Server(copy_tree(folder / "tree")) as server:
        server.get("/health/live")
        server.popen.kill()
        deadline = time.monotonic() + PATIENCE
        while is_listening(server):
            assert time.monotonic() < deadline
            time.sleep(0.02)


@beside
def test_requests_wait_for_the_migrations(folder: Path) -> None:
    """The worker imports the app while they are applied, and then waits."""
    tree = copy_tree(folder / "tree")
    last = tree / "app/api/zz_last.py"
    imported = last.with_suffix(".imported")
    last.write_text(f"from pathlib import Path\n\nPath({str(imported)!r}).touch()\n", "utf-8")
    other = sqlite3.connect(tree / "app.db", isolation_level=None)
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("BEGIN IMMEDIATE")  # so no migration can be applied yet
    with Server(tree) as server:
        server.wait_for(imported.exists)
        other.execute("ROLLBACK")
        other.close()
        assert server.get("/health/ready").status_code == 200
        assert server.output.index("Swagger") < server.output.index("startup complete")


@on_posix
@beside
def test_production_starts_workers_and_does_not_migrate(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    # Not measured: a worker is told to end twice, and coverage would save while it saves.
    unmeasured = {"COVERAGE_PROCESS_CONFIG": "", "COVERAGE_PROCESS_START": ""}
    options = {"DATABASE_URL": "sqlite:///./p.db", **PRODUCTION, **unmeasured}
    with Server(tree, "--workers=2", **options) as server:
        ready = server.get("/health/ready", lambda _: server.output.count("startup complete") == 2)
        assert ready.status_code == 503
        assert server.get("/health/live").status_code == 200
        assert "Database schema" not in server.output
        assert "reloader" not in server.output
        ctrl_c_ends_it_quietly(server)


# --- Refused ---------------------------------------------------------------------------------

REFUSED = [
    ({"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}, "127.0.0.1:1/x"),
    ({"ENVIRONMENT": "production"}, "SECRET_KEY is missing"),
    (PRODUCTION | {"SECRET_KEY": "hunter2"}, "SECRET_KEY is shorter than 32 bytes"),
    ({"DATABASE_URL": "sqlite://"}, "a database in memory"),
    ({"DATABASE_URL": "mysql://me:hunter2@127.0.0.1/x?foo=1"}, "does not take an option"),
    ({"DATABASE_URL": "postgresql://me@127.0.0.1:1/x?password=hunter2"}, "127.0.0.1:1/x ("),
    ({"DATABASE_URL": "sqlite:///./no/such/folder.db"}, "a folder that is there"),
]


@beside
def test_what_cannot_work_is_refused_in_one_line(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        # It takes connections and says nothing. What a statement may take is not waited for.
        place = f"127.0.0.1:{silent.getsockname()[1]}/x"
        cases = REFUSED + [
            ({"DATABASE_URL": f"{name}://me:hunter2@{place}"}, f"does not answer: {driver}://me:")
            for name, driver in [("postgresql", "postgresql+psycopg"), ("mysql", "mysql+pymysql")]
        ]
        started = [  # all together: they wait for their databases
            stack.enter_context(run(tree, "--port", str(free_port()), **settings, **ASCII))
            for settings, _ in cases
        ]
        for refused, (_, reason) in zip(started, cases, strict=True):
            assert refused.end() == 1
            assert reason in refused.output
            assert "✗" in refused.output
            assert len(refused.output.splitlines()) == 1
            assert "hunter2" not in refused.output


@beside
def test_a_taken_port_is_refused_before_anything_else(folder: Path) -> None:
    tree = copy_tree(folder / "tree")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        with run(tree, "--port", str(listening.getsockname()[1])) as refused:
            assert refused.end() == 1
        assert "is taken" in refused.output
        assert "python run.py --port" in refused.output
        assert len(refused.output.splitlines()) == 1


def test_progress_leaves_standard_output_to_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    run_py.tell("Making .venv ...\n")
    assert capsys.readouterr() == ("", "Making .venv ...\n")
