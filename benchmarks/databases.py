"""A PostgreSQL server of one's own, for benchmarks and tests."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import sqlalchemy


class Missing(Exception):
    """There is no PostgreSQL here, for a reason."""


class PostgreSQL:
    """A server with an empty database at `url`; Missing where there is no such program.

    It keeps nothing safe from a power failure: tests and benchmarks need not wait for disks.
    """

    def __init__(self) -> None:
        initdb, postgres = (program(name) for name in ("initdb", "postgres"))
        self.user = unprivileged()
        self.place = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.place.chmod(0o777)
        self.port = free_port()
        self.url = f"postgresql+psycopg://tester:s3cret@127.0.0.1:{self.port}/postgres"
        (self.place / "password").write_text("s3cret")
        data = str(self.place / "data")
        words = ["-D", data, "-U", "tester", "--auth=scram-sha-256", f"--pwfile={self.place / 'password'}", "-N"]
        subprocess.run([initdb, *words], check=True, capture_output=True, cwd="/", **self.user)
        self.words = [postgres, "-D", data, "-p", str(self.port), "-k", str(self.place), "-h", "127.0.0.1", "-F",
                      "-c", "max_connections=500"]

    def start(self) -> None:
        """The server takes connections."""
        self.process = subprocess.Popen(self.words, stderr=subprocess.DEVNULL, cwd="/", **self.user)
        engine = sqlalchemy.create_engine(self.url)
        for _ in range(100):
            try:
                engine.connect().close()
                break
            except sqlalchemy.exc.OperationalError:
                time.sleep(0.1)
        engine.dispose()

    def stop(self) -> None:
        """The server has cut every connection and ended."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def database(self, name: str) -> str:
        """The URL of a new database."""
        engine = sqlalchemy.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url.replace("/postgres", f"/{name}")

    def __enter__(self) -> "PostgreSQL":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.place, ignore_errors=True)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs; Missing when it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = shutil.which(name, path=str(folders[-1]) if folders else None) or shutil.which(name)
    if not found:
        raise Missing("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found


def unprivileged() -> dict[str, Any]:
    """Whom a server runs as, in subprocess's words: not as root."""
    if os.getuid():
        return {}
    if subprocess.run(["id", "postgres"], capture_output=True).returncode:
        raise Missing("PostgreSQL does not run as root, and there is no user postgres")
    return {"user": "postgres", "group": "postgres", "extra_groups": []}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
