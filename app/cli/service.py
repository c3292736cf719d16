"""The service: one process that holds the scheduler, the API and the pages.

example | folders | lock | port | migrate | key check | first key | apply  ->  welcome  ->  serve until SIGTERM
"""

import fcntl
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import uvicorn

from app.api.auth import new_key
from app.cli.configuration import apply_to, write_example
from app.cli.languages import load_listening_settings, spanish
from app.cli.logs import start_log
from app.cli.paper import say
from app.cli.refusal import Refusal
from app.cli.rooms import make_folders, open_rooms
from app.clock import utc_now
from app.config import load_config
from app.main import make_app
from app.settings import Settings
from app.storage import Storage

FIRST_KEY = "first-api-key"
GRACE_S = 10  # requests under way at SIGTERM may take this long

Application = Callable[..., Awaitable[None]]
"""ASGI 3: https://asgi.readthedocs.io/en/latest/specs/main.html"""


def serve(*, init: bool, migrate: bool, apply: bool) -> None:
    """Run until told to stop. Raises `Refusal` when the port or the database belongs to somebody else."""
    if init:
        write_example()
    settings = load_listening_settings()
    start_log(settings)
    make_folders(settings)
    with only_one(settings), listening(settings) as listener:
        settings = settings.at_port(listener.getsockname()[1])
        first_key = prepare(settings, migrate=migrate, apply=apply)
        run(make_app(settings), listener, lambda: say("\n".join(welcome(settings, first_key))))


def prepare(settings: Settings, *, migrate: bool, apply: bool) -> Path | None:
    """Bring the database to where the service can start. Returns where the first API key is, if it is still there.

    Raises `StorageError`, `VaultError` when stored secrets cannot be opened, `ConfigError` when the file is wrong.
    """
    config = load_config(settings.config) if apply and settings.config.exists() else None
    if config:
        config.check()  # before the database is touched
    with open_rooms(settings) as storage:
        if migrate:
            storage.migrate()
        storage.check_ready()
        open_every_secret(storage)
        path = make_first_key(storage, settings.data_dir.absolute() / FIRST_KEY)
        if config and (planned := apply_to(storage, config)).differences:
            say(f"{settings.config} applied: {planned.summary()}")
    return path


def open_every_secret(storage: Storage) -> None:
    """Raises `VaultError` now rather than when the first alert is to be sent."""
    storage.channels.all(include_archived=True)
    storage.sources.all(include_archived=True)


def make_first_key(storage: Storage, path: Path) -> Path | None:
    """Make the first admin key, once, in a file that only this user may read. Returns the file where it exists."""
    if not storage.keys.any():
        made = new_key("first", "admin", None, utc_now())
        path.unlink(missing_ok=True)
        with private_file(path) as file:
            file.write(made.text + "\n")
        storage.keys.create(
            made.key, made.sha256
        )  # after the file: a key that nobody can read would lock everybody out
    return path if path.exists() else None


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock beside the embedded database; the system lets go of it however the process ends."""
    if settings.database_file is None:
        yield
        return
    path = settings.database_file.with_name(settings.database_file.name + ".lock")
    with private_file(path) as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock, never held on by a child that outlives us
        except BlockingIOError:
            holder = file.read().strip() or "unknown"
            raise Refusal(
                f"another `avizor serve` (process {holder}) uses {settings.database_file}: "
                "stop it, or give this one another AVIZOR_DATA_DIR"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def private_file(path: Path) -> TextIO:
    """A file to read and write that only this user may open, made if need be. Raises `Refusal`."""
    try:
        return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+")
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}") from None


@contextmanager
def listening(settings: Settings) -> Iterator[socket.socket]:
    """The port, taken before anything is changed. Raises `Refusal` when it is taken or not ours to take."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
        except OSError as error:
            raise Refusal(
                f"cannot listen on {settings.host} port {settings.port}: {error.strerror}. "
                "AVIZOR_HOST and AVIZOR_PORT choose another"
            ) from None
        yield listener


def run(app: Application, listener: socket.socket, started: Callable[[], None] = lambda: None) -> None:
    """Serve HTTP on a socket until SIGTERM or Ctrl-C, then let what is under way finish, and exit with 0.

    `started` is called once the service answers. Raises `Refusal` when it cannot start.
    """
    server = _Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_S,
        ),
        started,
    )
    # uvicorn raises the signal again when it is done, for whoever ran it: a stop that was asked for is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        server.run(sockets=[listener])
    except SystemExit:
        if not server.started:
            raise Refusal("the service did not start: the log says why") from None
        raise


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._when_started()


def welcome(settings: Settings, first_key: Path | None) -> list[str]:
    """Five lines of what to do next, in the language of the terminal."""
    page, file = settings.public_url, settings.config.absolute()
    if spanish():
        key = f"en {first_key}" if first_key else "la que guardaste; otra: avizor keys create NOMBRE"
        return [
            f"Avizor está en marcha. Página: {page}/",
            f"  Clave de la API: {key}",
            f"  Qué vigila:      edita {file}" + ("" if file.exists() else " (créalo con: avizor init)"),
            "  Aplicar cambios: avizor plan (qué cambiaría), avizor apply",
            f"  Documentación:   carpeta docs/; la API: {page}/openapi.json",
        ]
    key = f"in {first_key}" if first_key else "the one you kept; another: avizor keys create NAME"
    return [
        f"Avizor is running. Page: {page}/",
        f"  API key:        {key}",
        f"  What it hears:  edit {file}" + ("" if file.exists() else " (write one with: avizor init)"),
        "  Apply changes:  avizor plan (what would change), avizor apply",
        f"  Documentation:  the folder docs/; the API: {page}/openapi.json",
    ]
