"""Where studies live: a journal file for the processes of one machine, a PostgreSQL database between several.

Each has a lock, which ends with the process that holds it, and keeps classifiers by their digests.
"""
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import (URL, Column, Engine, LargeBinary, MetaData, String, Table, create_engine, insert, make_url,
                        select, text)
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from pipeline import files, processes
from pipeline.errors import InputError
from pipeline.tuning import journals

JOURNAL = "optuna.log"
KEPT = "optuna_classifiers"  # beside the journal
TABLE = Table("dcgan_classifiers", MetaData(), Column("key", String(64), primary_key=True),
              Column("content", LargeBinary, nullable=False))
ADVISORY_LOCK = 1511_06434  # any number that no other application of the database locks
HEARTBEAT_SECONDS, GRACE_SECONDS = 20, 90
CONNECT_SECONDS = 10
# The server ends the session, and with it the lock, of a machine that is silent for a minute.
NOTICE_DEATH = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


@dataclass(frozen=True)
class Storage:
    """A place for studies, and for bytes under keys, which are `kept` somewhere.

    Only one process at a time is inside `lock()`.
    """
    name: str  # without a password
    backend: BaseStorage
    lock: Callable[[], AbstractContextManager[Any]]
    close: Callable[[], None]
    kept: str
    keep: Callable[[str, bytes], None]
    fetch: Callable[[str], bytes | None]


def address(url: str | None) -> str | None:
    """search.storage, or what the environment has in its place; None for a file."""
    return url or os.environ.get("DCGAN_STORAGE") or None


def open_storage(url: str | None, folder: Path) -> Storage:
    """The journal file in `folder`, or the PostgreSQL database at `url`; InputError when it cannot be used."""
    url = address(url)
    if url is not None:
        return _database(url)
    path, lock = folder / JOURNAL, folder / ".work" / "optuna.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with processes.alone(lock):
        journal = journals.open_journal(path, lock.with_name("optuna.new"))
    kept = folder / KEPT

    def fetch(key: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return (kept / key).read_bytes()
        return None

    return Storage(str(path), journal, lambda: processes.alone(lock), lambda: None, str(kept),
                   lambda key, content: files.write(kept / key, content), fetch)


def _database(url: str) -> Storage:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise InputError("params.yaml: search.storage: not a URL; expected postgresql+psycopg://user@host/database "
                         "or nothing, for a file") from None
    shown = address.set(query={}).render_as_string(hide_password=True)
    if address.drivername != "postgresql+psycopg":
        raise InputError(f"params.yaml: search.storage = {shown}: expected postgresql+psycopg://… or nothing, for a "
                         "file: other databases lose trials when several workers write at once")
    engine, options = _engine(address)
    try:
        with _advisory_lock(engine), warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
            backend = _backend(address, options)
            TABLE.metadata.create_all(engine)
    except RuntimeError:
        engine.dispose()
        raise InputError(f"params.yaml: search.storage = {shown}: has tables of MLflow's, or of another version of "
                         f"Optuna than {optuna.__version__}; give the search a database of its own") from None
    except SQLAlchemyError as error:
        engine.dispose()
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        for secret in (address.password, address.query.get("password")):
            reason = reason.replace(str(secret or "***"), "***")
        raise InputError(f"params.yaml: search.storage = {shown}: does not answer ({reason})") from None

    def close() -> None:
        backend.remove_session()
        backend.engine.dispose()
        engine.dispose()

    return Storage(shown, backend, lambda: _advisory_lock(engine), close, f"{shown}, table {TABLE.name}",
                   partial(_insert, engine), partial(_select, engine))


def _backend(address: URL, options: dict[str, Any]) -> RDBStorage:
    """Optuna's storage; RuntimeError, and no connection left, when the tables are those of another version or program.
    """
    backend = RDBStorage(address.render_as_string(hide_password=False), options, skip_compatibility_check=True,
                         heartbeat_interval=HEARTBEAT_SECONDS, grace_period=GRACE_SECONDS)
    try:
        backend._version_manager.check_table_schema_compatibility()
    except RuntimeError:
        backend.engine.dispose()
        raise
    return backend


def _engine(address: URL) -> tuple[Engine, dict[str, Any]]:
    """Connections to a database, and the options that they have; InputError without psycopg."""
    options = {"connect_args": {"connect_timeout": CONNECT_SECONDS, "options": NOTICE_DEATH}, "pool_pre_ping": True}
    try:
        return create_engine(address, **options), options
    except ImportError:
        raise InputError("params.yaml: search.storage needs psycopg: pip install -c constraints.txt "
                         "-e '.[postgresql]'") from None


def _insert(engine: Engine, key: str, content: bytes) -> None:
    with engine.begin() as connection:
        connection.execute(insert(TABLE).values(key=key, content=content))


def _select(engine: Engine, key: str) -> bytes | None:
    with engine.connect() as connection:
        return connection.execute(select(TABLE.c.content).where(TABLE.c.key == key)).scalar()


@contextmanager
def _advisory_lock(engine: Engine) -> Iterator[None]:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        yield
