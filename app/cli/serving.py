"""`python run.py`: migrations once, in this process, and then the server."""

import errno
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any

import uvicorn
from uvicorn._subprocess import get_subprocess
from uvicorn.supervisors import ChangeReload

from app.cli import say_utf8
from app.cli.console import CommandError, console, explain, place_of, said_by
from app.core.config import ROOT, get_settings
from app.core.logging import configure_logging

MAKE_ADMIN = "python run.py user create --username admin --email admin@example.com --admin"
NO_ADDRESS = "{} is no address of this machine. Try --host 127.0.0.1"


def serve(host: str, port: int, workers: int | None, reload: bool | None) -> None:
    settings = get_settings()
    if workers is not None and reload:
        raise CommandError("--workers and --reload do not go together: leave out one of them.")
    if reload is None:
        reload = settings.environment == "development" and workers is None
    check_port(host, port)
    if settings.is_in_memory:
        raise CommandError(
            "DATABASE_URL is a database in memory, of which each process has its own. "
            "Take a file, such as sqlite:///./app.db"
        )
    # In development a restart must not wait; else, longer than a statement may take: a client
    # would get a 500 for what is then committed after all.
    grace = 3 if settings.environment == "development" else settings.db_statement_timeout + 5
    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "log_config": None,
        "access_log": False,
        "server_header": False,
        # By name: a parent of workers needs it not.
        "http": "app.core.http_protocol:HttpProtocol",
        "timeout_graceful_shutdown": grace,
    }
    if reload:
        options |= {"factory": True, "reload": True, "reload_dirs": [str(ROOT / "app")]}
        config = uvicorn.Config("app.cli.serving:load_app", **options)
        Reloader(config, partial(prepare, host, port)).run()
    else:
        prepare(host, port)
        uvicorn.run("app.main:app", workers=workers, **options)


def prepare(host: str, port: int) -> None:
    """What comes before the first request: the tables, and a word about what is served where."""
    settings = get_settings()
    configure_logging(settings)
    if settings.migrates_on_start:
        from app.cli.schema import migrate

        console.print(migrate())
        if settings.environment == "development":
            tell_how_to_log_in()
    greet(host, port, settings.docs_enabled)
    sys.stdout.flush()


class Reloader(ChangeReload):  # type: ignore[misc,valid-type]  # one of two, by what is installed
    """uvicorn's, whose first worker imports the app while this process prepares what it needs.

    Each of the two takes about a second, and a person waits for both.
    """

    process: SpawnProcess

    def __init__(self, config: uvicorn.Config, prepare: Callable[[], None]) -> None:
        self.prepare = prepare
        super().__init__(config, self.next_target(config), [config.bind_socket()])

    def next_target(self, config: uvicorn.Config) -> Callable[[list[socket.socket]], None]:
        """What the next worker does, until `line` is closed or this process has died."""
        heard, self.line = multiprocessing.Pipe(duplex=False)
        return partial(work, config, heard)

    def startup(self) -> None:
        super().startup()
        # Until then, Ctrl-C ends this process at once, and not when it looks for changes.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.prepare()
        except BaseException:
            self.process.terminate()
            self.process.join()
            raise
        finally:
            signal.signal(signal.SIGINT, handler)
        self.line.send("prepared")

    def end_worker(self) -> None:
        self.line.close()
        self.process.join(self.config.timeout_graceful_shutdown + 1)
        self.process.kill()
        self.process.join()

    def shutdown(self) -> None:
        self.end_worker()
        super().shutdown()

    def restart(self) -> None:
        """Another worker, with the code as it is now.

        uvicorn sends a signal. On Windows that is a Ctrl-C for all that runs in the console, an
        error where there is no console or the worker has died of a mistake, and a wait without an
        end if nobody hears it.
        """
        self.end_worker()
        self.target = self.next_target(self.config)
        self.line.send("prepared")
        self.process = get_subprocess(self.config, self.target, self.sockets)
        self.process.start()


class Worker(uvicorn.Server):
    """Ended by its parent, for Ctrl-C reaches both.

    The first one is left to the parent: had that closed the line before it is heard here, uvicorn
    would take it for a second one, and leave out what the app does at its end.
    """

    interrupted = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if sig == signal.SIGINT and not self.interrupted:
            self.interrupted = True
        else:
            super().handle_exit(sig, frame)


def work(config: uvicorn.Config, line: Connection, sockets: list[socket.socket]) -> None:
    """Serve, in a process of its own."""
    say_utf8()
    server, prepared = Worker(config), threading.Event()
    threading.Thread(target=listen, args=(line, server, prepared), daemon=True).start()
    load_app()
    prepared.wait()
    server.run(sockets)


def listen(line: Connection, server: uvicorn.Server, prepared: threading.Event) -> None:
    try:
        line.recv()
        prepared.set()
        line.recv()
    except EOFError:  # what is served is finished; what is imported by then is not
        if not server.started:
            os._exit(0)
        server.should_exit = True


def load_app() -> Any:
    """The app of a reloaded worker. On a stage, the line to mend matters, and not the way there."""
    try:
        from app.main import app
    except Exception as error:
        if get_settings().keeps_diagnostics:
            from app.core.diagnostics import note_error

            note_error(error)
        where, line, code = place_of(error)
        explain(f"{where}, line {line}: {type(error).__name__}: {said_by(error)}")
        if code:
            print(f"    {code}", file=sys.stderr)
        print("  Save it mended, and the server starts again.", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    return app


def check_port(host: str, port: int) -> None:
    """Find out now: the server would tell in the middle of its log, or not until a reload."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except socket.gaierror:
        raise CommandError(NO_ADDRESS.format(host)) from None
    for family, _, _, _, address in found:  # localhost is two: 127.0.0.1 and ::1
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if os.name != "nt":
                # A port that was closed a moment ago is free. On Windows it would mean any is.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                    continue  # no IPv6 here
                raise CommandError(_why(error, host, port)) from None


def _why(error: OSError, host: str, port: int) -> str:
    if isinstance(error, PermissionError):
        return f"Port {port} is not allowed. Try --port 8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return NO_ADDRESS.format(host)
    return f"Port {port} is taken. Stop what runs there, or: python run.py --port {port + 1}"


def greet(host: str, port: int, docs_enabled: bool) -> None:
    everywhere = host == "0.0.0.0"  # noqa: S104 - that is what was asked for, and no page's address
    shown = "127.0.0.1" if everywhere else f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{port}"
    console.print(f"Swagger: [bold cyan]{url}/docs[/]" if docs_enabled else f"API: {url}")


def tell_how_to_log_in() -> None:
    from app.core import database
    from app.models.user import Role, User
    from app.services.base import exists

    with database.database.reading() as db:
        if not exists(db, User, User.role == Role.ADMIN):
            console.print("Nobody administers yet. Make an administrator, then Authorize at /docs:")
            console.print(f"  [bold]{MAKE_ADMIN}[/]", soft_wrap=True)
            console.print(
                "Or fill the database, demo accounts included: [bold]python run.py seed[/]"
            )
