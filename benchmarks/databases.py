"""A PostgreSQL server of one's own, for benchmarks and tests."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy


class Missing(Exception):
    """There is no PostgreSQL here, for a reason."""


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of an empty database on a server that ends with the block; Missing where there is no such program.

    The server keeps nothing safe from a power failure: tests and benchmarks need not wait for disks.
    """
    initdb, postgres = (program(name) for name in ("initdb", "postgres"))
    user = unprivileged()
    place = Path(tempfile.mkdtemp(prefix="postgresql-"))
    place.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "password").write_text("s3cret")
    words = ["-D", str(place / "data"), "-U", "tester", "--auth=scram-sha-256", f"--pwfile={place / 'password'}", "-N"]
    subprocess.run([initdb, *words], check=True, capture_output=True, cwd="/", **user)
    server = subprocess.Popen(
        [postgres, "-D", str(place / "data"), "-p", str(port), "-k", str(place), "-h", "127.0.0.1", "-F",
         "-c", "max_connections=500"], stderr=subprocess.DEVNULL, cwd="/", **user)
    url = f"postgresql+psycopg://tester:s3cret@127.0.0.1:{port}/postgres"
    try:
        wait(url)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(place, ignore_errors=True)


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


def wait(url: str) -> None:
    """Returns when the server answers."""
    engine = sqlalchemy.create_engine(url)
    for _ in range(100):
        try:
            engine.connect().close()
            break
        except sqlalchemy.exc.OperationalError:
            time.sleep(0.1)
    engine.dispose()
