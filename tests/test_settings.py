"""Settings: read from the environment, then `.env`, and refused in words when they are wrong."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import make_url

from app.core import config
from app.core.config import EXAMPLE_SECRET, ROOT, Settings, get_settings

LONG = "x" * 32
Read = Callable[..., Settings]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty checkout, in a terminal without settings."""
    monkeypatch.setattr(config, "ROOT", tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path


@pytest.fixture
def read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """The settings of a process with these variables."""

    def read_settings(**variables: str) -> Settings:
        for name, value in variables.items():
            monkeypatch.setenv(name.upper(), value)
        return get_settings.__wrapped__()

    return read_settings


# --- Values ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgres://me:p%40ss@host/name", "postgresql+psycopg://me:p%40ss@host/name"),
        ("postgresql://host:5433/name", "postgresql+psycopg://host:5433/name"),
        ("postgresql+psycopg://host/name", "postgresql+psycopg://host/name"),
        ("mysql://me@host/name", "mysql+pymysql://me@host/name"),
        (
            "mariadb://me@host/name?charset=utf8mb4",
            "mariadb+pymysql://me@host/name?charset=utf8mb4",
        ),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
    ],
)
def test_a_database_url_names_its_driver(given: str, wanted: str, read: Read) -> None:
    assert read(database_url=given).url == make_url(wanted)


def test_a_relative_sqlite_path_is_beside_run_py(read: Read, folder: Path) -> None:
    for given in ("sqlite:///./data/app.db", "sqlite:///data/app.db"):
        assert read(database_url=given).url.database == (folder / "data" / "app.db").as_posix()


def test_an_absolute_sqlite_path_stays(read: Read, tmp_path: Path) -> None:
    path = (tmp_path / "other.db").as_posix()
    assert Path(str(read(database_url=f"sqlite:///{path}").url.database)) == Path(path)


def test_lists_are_separated_by_commas(read: Read) -> None:
    settings = read(cors_origins="https://a.example, https://b.example,")
    assert settings.cors_origins == ["https://a.example", "https://b.example"]


def test_an_empty_variable_is_none(read: Read) -> None:
    settings = read(allowed_hosts="", migrate_on_start="", db_pool_size="")
    assert (settings.allowed_hosts, settings.migrate_on_start) == (["*"], None)
    assert settings.db_pool_size == 20


def test_printed_settings_hold_no_secret(read: Read) -> None:
    url = "postgresql://me:hunter2@host/name"
    settings = read(secret_key="hunter2" * 5, smtp_password="hunter2", database_url=url)
    assert "hunter2" not in repr(settings) + str(settings)


@pytest.mark.parametrize(("given", "wanted"), [("api/v2/", "/api/v2"), ("/api", "/api"), ("/", "")])
def test_the_prefix_has_one_slash_before_it(given: str, wanted: str, read: Read) -> None:
    assert read(api_prefix=given).api_prefix == wanted


@pytest.mark.parametrize(
    ("environment", "given", "wanted"),
    [
        ("development", None, True),
        ("development", "false", False),
        ("production", None, False),
        ("production", "true", True),
        ("test", None, False),
    ],
)
def test_migrations_run_at_start_in_development_or_if_told(
    environment: str, given: str | None, wanted: bool, read: Read
) -> None:
    told = {} if given is None else {"migrate_on_start": given}
    assert read(environment=environment, secret_key=LONG, **told).migrates_on_start is wanted


# --- Refused ---------------------------------------------------------------------------------

UNSAFE = {
    "SECRET_KEY is missing": {"secret_key": ""},
    "SECRET_KEY is the one of the example": {"secret_key": EXAMPLE_SECRET},
    "SECRET_KEY is shorter than 32 bytes": {"secret_key": "hunter2"},
    "DEBUG must be off": {"debug": "true"},
    "CORS_ORIGINS must name": {"cors_origins": "https://a.example,*"},
}


@pytest.mark.parametrize("complaint", UNSAFE)
def test_production_refuses_what_is_unsafe(complaint: str, read: Read) -> None:
    with pytest.raises(ValidationError, match=complaint) as refused:
        read(**{"environment": "production", "secret_key": LONG} | UNSAFE[complaint])
    for secret in ("hunter2", EXAMPLE_SECRET, LONG):
        assert secret not in str(refused.value)


@pytest.mark.parametrize("values", UNSAFE.values())
def test_development_does_not_mind(values: dict[str, str], read: Read) -> None:
    assert read(**values).secret_key


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("database_url", "hunter2", "is not a database URL: write sqlite:///"),
        ("database_url", "postgresql://me@host:hunter2/x", "is not a database URL: write"),
        ("database_url", "oracle://hunter2@host/name", "names a driver that is not installed"),
        ("database_url", "postgresql+psycopg2://host/name", "a driver that is not installed"),
        ("database_url", "mysql://me:hunter2@host", "names no database"),
        ("database_url", "mysql://me:h@hunter2@host/x", "has an @ in its user or password"),
        ("redis_url", "hunter2://x", "is not a Redis URL, e.g. redis://"),
        ("rate_limit_account", "often", 'is not a rate, e.g. "10/minute"'),
        ("rate_limit_address", "10", 'is not a rate, e.g. "10/minute"'),
        ("environment", "staging", "'development', 'test' or 'production'"),
        ("db_pool_size", "0", "greater than or equal to 1"),
        ("smtp_security", "ssl", "'none', 'starttls' or 'tls'"),
    ],
)
def test_a_wrong_value_is_explained(name: str, value: str, complaint: str, read: Read) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)) as refused:
        read(**{name: value})
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]
    assert "hunter2" not in str(refused.value)


# --- The local secret ------------------------------------------------------------------------


def test_development_makes_a_secret_once(read: Read, folder: Path) -> None:
    first = read().secret_key
    assert len(first) >= 32
    assert read().secret_key == first
    assert (folder / ".secret_key").read_text() == first
    if os.name != "nt":
        assert stat.S_IMODE((folder / ".secret_key").stat().st_mode) == 0o600


def test_a_folder_that_cannot_be_written_gives_a_secret_all_the_same(
    read: Read, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "ROOT", folder / "no such folder")
    assert len(read().secret_key) >= 32


def test_a_test_run_leaves_no_secret_behind(read: Read, folder: Path) -> None:
    assert read(environment="test").secret_key != read().secret_key
    assert list(folder.iterdir()) == []


# --- Files -----------------------------------------------------------------------------------


def test_the_environment_goes_before_the_file(read: Read, folder: Path) -> None:
    (folder / ".env").write_text("APP_NAME=From the file\nLOG_LEVEL=ERROR\nUNKNOWN=1\n")
    settings = read(log_level="DEBUG")
    assert (settings.app_name, settings.log_level) == ("From the file", "DEBUG")


def test_a_test_run_ignores_the_file(read: Read, folder: Path) -> None:
    (folder / ".env").write_text("APP_NAME=From the file\n")
    assert read(environment="test").app_name == Settings.model_fields["app_name"].default


def test_a_file_in_another_encoding_is_told_in_one_line(read: Read, folder: Path) -> None:
    (folder / ".env").write_bytes("DATABASE_URL=sqlite:///./x.db".encode("utf-16"))
    with pytest.raises(SystemExit, match=r"\.env is not UTF-8"):
        read()


def test_the_example_holds_every_setting() -> None:
    names = re.findall(r"^#? ?([A-Z_]+)=", (ROOT / ".env.example").read_text("utf-8"), re.MULTILINE)
    assert names == [name.upper() for name in Settings.model_fields]


def test_the_example_copied_is_the_same_as_none(read: Read, folder: Path) -> None:
    without = read()
    (folder / ".env").write_bytes((ROOT / ".env.example").read_bytes())
    assert read() == without
