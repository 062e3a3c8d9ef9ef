"""Opens a database, SQLite in WAL mode below the output folder or Postgres by URL, and migrates its tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.orm import Session

from pipeline.errors import StoreError, StoreLost

HEAD = "0008"  # the newest file in migrations/versions
FILE = "easel.db"
_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x65617365  # Postgres advisory lock: one process migrates at a time


def open_engine(url: str, create: bool = True) -> Engine:
    """An engine on a database with up-to-date tables. Raises StoreError if the database cannot be used, and without
    `create` if it holds no store."""
    try:
        address = make_url(driver(url))
        if address.get_backend_name() not in ("sqlite", "postgresql"):
            raise ArgumentError("neither SQLite nor Postgres")
        engine = create_engine(address, **_options(url))
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StoreError(
            f"{masked(url)} is not an address of a store ({error}); write sqlite:///FILE or "
            "postgresql://USER@HOST/DATABASE"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _on_connect)
        event.listen(engine, "begin", _on_begin)
    file = file_of(engine)
    if not create and file and not (file.exists() and file.stat().st_size):
        raise _no_store(url)  # SQLite would make one
    with store_errors(engine):
        version = _version(engine)
        if version is None and not create:
            engine.dispose()
            raise _no_store(url)
        if version != HEAD:  # rarely, and alembic is slow to import
            _migrate_to_head(engine)
    if file:
        event.listen(engine, "begin", partial(_check_file, file, identity(file)))
    return engine


def _no_store(url: str) -> StoreError:
    return StoreError(f"no store in {masked(url)}; give the --store of earlier runs")


def file_of(engine: Engine) -> Path | None:
    """The file of an SQLite database; None for others."""
    name = engine.url.database if engine.dialect.name == "sqlite" else None
    return Path(name) if name and not name.startswith((":", "file:")) else None


def identity(path: Path) -> tuple[int, int] | None:
    """What a file or folder is, whatever its name: device and inode. None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def driver(url: str) -> str:
    """The URL with psycopg 3 as its driver, if it names Postgres and no driver."""
    for plain in ("postgresql://", "postgres://"):
        if url.startswith(plain):
            return "postgresql+psycopg://" + url.removeprefix(plain)
    return url


def masked(url: str) -> str:
    """The URL without its password and query, for messages."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, login = head.partition("://")
    return f"{scheme}{slashes}{login.partition(':')[0]}{at}{tail.partition('?')[0]}"


def _options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        return {"connect_args": {"timeout": 30, "check_same_thread": False}}
    return {"pool_pre_ping": True, "connect_args": {"connect_timeout": 10}}


def _on_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin in _on_begin
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _on_begin(connection: Connection) -> None:
    # SQLite fails a transaction that first reads and then writes while another one writes, whatever the timeout.
    # A writing transaction therefore takes the lock when it begins.
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def store_errors(engine: Engine) -> Iterator[None]:
    """Turns database errors into a StoreError that says what to do."""
    try:
        yield
    except DBAPIError as error:
        where = masked(engine.url.render_as_string(hide_password=True))
        why = " ".join(str(error.orig).split())
        kind = StoreLost if _lost(engine, error) else StoreError
        raise kind(f"the store {where} cannot be used ({why}); {_advice(why)}") from None


def _lost(engine: Engine, error: DBAPIError) -> bool:
    """Whether a server ended the connection, or refused a new one."""
    return engine.dialect.name != "sqlite" and (
        error.connection_invalidated or isinstance(error, OperationalError)
    )


def _advice(why: str) -> str:
    for sign, step in (
        ("locked", "another process holds it; end that one and start again"),
        ("disk is full", "make room and start again: what is in it is kept"),
        ("full", "make room and start again: what is in it is kept"),
        ("readonly", "make the folder writable, or choose another with --out"),
        ("unable to open", "make the folder writable, or choose another with --out"),
        ("malformed", "the file is damaged; move it away and start again, pictures stay where they are"),
        ("not a database", "the file is damaged; move it away and start again, pictures stay where they are"),
    ):
        if sign in why:
            return step
    return "see that the database runs and that the address is right, then start again"


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """A session in one transaction: committed at the end, rolled back on an error."""
    with store_errors(engine), Session(engine) as session, session.begin():
        yield session


def _check_file(file: Path, opened: tuple[int, int] | None, _: Connection) -> None:
    # SQLite goes on with a file that was moved or deleted, without an error.
    if identity(file) != opened:
        raise StoreError(
            f"the store {file} is gone: moved or deleted while Easel used it; pictures and run folders are kept, "
            "start again for a new one"
        )


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A session that only reads; it does not wait for writers."""
    with store_errors(engine), Session(engine.execution_options(reading=True)) as session:
        yield session


def _migrate_to_head(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        migrate(connection)


def _version(engine: Engine) -> str | None:
    with engine.execution_options(reading=True).connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if found is not None and found > HEAD:
            raise StoreError(
                f"the store was written by a newer Easel (schema {found}, this one knows {HEAD}); update Easel"
            )
        return found


def migrate(connection: Connection, revision: str = "head") -> None:
    """Migrate the tables to a revision, inside the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
