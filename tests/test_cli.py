"""The commands: accounts, migrations, help, and what they say when they cannot."""

import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.cli.main import cli
from app.cli.serving import tell_how_to_log_in
from app.core import database as database_module
from app.core.config import ROOT, get_settings
from app.core.database import Database, session_scope
from app.models.user import Role, User
from tests.beside import beside
from tests.factories import PASSWORD, make_user
from tests.servers import Process, environment
from tests.support import stored

Capture = pytest.CaptureFixture[str]
Type = Callable[[bytes], None]


def words(capture: Capture) -> str:
    """What was said, on one line, without colours and frames."""
    said = capture.readouterr()
    return " ".join(re.sub(r"\x1b\[[0-9;]*m|[─│╭╮╰╯]", "", said.out + said.err).split())


def complaint(capture: Capture) -> str:
    """What was said as an error: one line of it, and nothing else."""
    said = capture.readouterr()
    assert said.out == ""
    assert "✗" in said.err
    assert len(said.err.splitlines()) == 1
    return said.err


# --- user create -----------------------------------------------------------------------------


def test_a_start_tells_how_to_make_an_administrator_until_there_is_one(capsys: Capture) -> None:
    make_user(role=Role.MODERATOR)
    gone = make_user(role=Role.ADMIN)
    with session_scope() as db:
        db.get_one(User, gone.id).deleted_at = datetime.now(UTC)
    tell_how_to_log_in()
    assert "python run.py user create" in words(capsys)
    make_user(role=Role.ADMIN)
    tell_how_to_log_in()
    assert words(capsys) == ""


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Gives the command these bytes as standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def create(*options: str, username: str = "ana", email: str = "ana@example.com") -> int:
    return cli(["user", "create", "--username", username, "--email", email, *options])


@pytest.mark.parametrize(("options", "role"), [([], Role.USER), (["--admin"], Role.ADMIN)])
def test_user_create_makes_an_account_that_can_log_in(
    options: list[str], role: Role, type_in: Type, client: TestClient, capsys: Capture
) -> None:
    type_in("pässword of ana\r\nignored".encode())
    assert create("--password-stdin", *options) == 0
    assert words(capsys) == f"✓ ana ({role}) can log in."
    assert [user.role for user in stored(User)] == [role]
    login = client.post("/auth/login", data={"username": "ana", "password": "pässword of ana"})
    assert login.status_code == 200


@pytest.mark.parametrize(
    ("password", "username", "email", "expected"),
    [
        (b"short", "ana", "ana@example.com", "password: has 8 to 128 characters"),
        (b"", "ana", "ana@example.com", "password: has 8 to 128 characters"),
        (b"password123", "ana", "ana@example.com", "password: is one of the most common"),
        (b"ana.souza", "ana.souza", "ana@example.com", "password: is your own name"),
        (b"\xff\xfe of ana", "ana", "ana@example.com", "password: is not UTF-8"),
        (PASSWORD.encode(), "a", "ana@example.com", "username: "),
        (PASSWORD.encode(), "ana souza", "ana@example.com", "username: "),
        (PASSWORD.encode(), "ana", "ana", "email: "),
        (PASSWORD.encode(), "TAKEN", "ana@example.com", "This username is already taken."),
        (PASSWORD.encode(), "ana", "Taken@example.com", "This email is already taken."),
    ],
)
def test_user_create_tells_in_one_line_what_is_wrong(
    password: bytes, username: str, email: str, expected: str, type_in: Type, capsys: Capture
) -> None:
    make_user(username="taken", email="taken@example.com")
    type_in(password + b"\n")
    assert create("--password-stdin", username=username, email=email) == 1
    assert expected in complaint(capsys)
    assert len(stored(User)) == 1


def test_user_create_does_not_ask_without_a_terminal(type_in: Type, capsys: Capture) -> None:
    type_in(PASSWORD.encode())
    assert create() == 1
    assert "use --password-stdin" in complaint(capsys)


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@beside
def test_user_create_asks_twice_and_shows_nothing(folder: Path) -> None:
    command = [sys.executable, str(ROOT / "run.py"), "user", "create"]
    command += ["--username", "ana", "--email", "ana@example.com", "--admin"]
    spawn = f"import pty, sys; sys.exit(pty.spawn({command!r}) >> 8)"
    url = f"sqlite:///{folder}/app.db"
    settings = environment(ENVIRONMENT="development", SECRET_KEY="x" * 32, DATABASE_URL=url)
    settings |= {"NO_COLOR": "1"}
    with Process([sys.executable, "-c", spawn], folder, settings, subprocess.PIPE) as terminal:
        keyboard = terminal.popen.stdin
        assert keyboard
        for answers, answer in enumerate([PASSWORD, "something else", PASSWORD, PASSWORD]):
            prompt = "Repeat for confirmation:" if answers % 2 else "Password:"
            wait_for_prompt(terminal, prompt, answers // 2 + 1)
            keyboard.write(f"{answer}\n".encode())
            keyboard.flush()
        assert terminal.end() == 0
        assert "✓ ana (admin) can log in." in terminal.output
        assert PASSWORD not in terminal.output


def wait_for_prompt(terminal: Process, prompt: str, times: int) -> None:
    terminal.wait_for(
        lambda: terminal.output.count(prompt) == times and terminal.output.endswith(f"{prompt} ")
    )


# --- migrate ---------------------------------------------------------------------------------


@pytest.fixture
def empty_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A new file takes the place of the database of the tests."""
    file = Database(f"sqlite:///{tmp_path}/new.db", get_settings())
    monkeypatch.setattr(database_module, "database", file)
    yield file
    file.dispose()


def test_migrate_goes_to_the_newest_schema_and_back(
    empty_database: Database, capsys: Capture
) -> None:
    assert cli(["migrate"]) == 0
    assert re.match(r"Database schema: empty → \w+ \([0-9.]+ s\)\.", words(capsys))
    assert cli(["migrate", "head"]) == 0
    assert words(capsys).endswith("nothing to do.")
    assert cli(["migrate", "-1"]) == 0
    assert cli(["migrate", "+1"]) == 0
    assert cli(["migrate", "base"]) == 0
    assert "→ empty" in words(capsys)


@pytest.mark.parametrize("revision", ["no-such-one", "-1", "+99", "--fast"])
def test_migrate_tells_in_one_line_that_there_is_no_such_revision(
    revision: str, empty_database: Database, capsys: Capture
) -> None:
    assert cli(["migrate", revision]) == 1
    assert "Alembic: " in complaint(capsys)


def test_a_database_of_another_branch_is_told_in_one_line(
    empty_database: Database, capsys: Capture
) -> None:
    assert cli(["migrate"]) == 0
    capsys.readouterr()
    with empty_database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'elsewhere'"))
    assert cli(["migrate"]) == 1
    assert "revision elsewhere, which alembic/versions does not have" in complaint(capsys)


def test_user_create_wants_the_newest_schema(
    empty_database: Database, type_in: Type, capsys: Capture
) -> None:
    type_in(PASSWORD.encode())
    assert create("--password-stdin") == 1
    assert "Run: python run.py migrate" in complaint(capsys)


# --- Help, and usage -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ([], ["apply the migrations and serve", "--port", "--no-reload", "test Run the tests."]),
        (["user"], ["create Make a user, or an administrator"]),
        (["user", "create"], ["--username NAME", "--password-stdin", "The password is asked for."]),
        (["migrate"], ["head, base, +1, -1, an id."]),
        (["test"], ["--database URL", "Everything else goes to pytest"]),
    ],
)
def test_help_is_good_to_read(
    command: list[str], wanted: list[str], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for option in ("--help", "-h"):
        assert cli([*command, option]) == 0
        said = words(capsys)
        assert said.startswith(" ".join(["Usage: python run.py", *command]))
        for each in wanted:
            assert each in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["serve"], "No such command 'serve'."),
        (["--port", "http"], "Invalid value for '--port'"),
        (["--port", "70000"], "Invalid value for '--port'"),
        (["--workers", "0"], "Invalid value for '--workers'"),
        (["--fast"], "No such option: --fast"),
        (["user", "create"], "Missing option '--username'."),
    ],
)
def test_a_wrong_command_is_explained(arguments: list[str], expected: str, capsys: Capture) -> None:
    assert cli(arguments) == 2
    said = words(capsys)
    assert expected in said
    assert said.startswith("Usage: python run.py")


def test_serving_refuses_what_cannot_work(capsys: Capture) -> None:
    assert cli(["--workers", "2", "--reload"]) == 1
    assert "--workers and --reload do not go together" in complaint(capsys)
    assert cli(["--host", "192.0.2.1"]) == 1
    assert "192.0.2.1 is no address of this machine" in complaint(capsys)
    assert cli(["--host", "no such host"]) == 1
    assert "no such host is no address of this machine" in complaint(capsys)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli(["--port", str(port)]) == 1
    assert f"Port {port} is taken" in complaint(capsys)
