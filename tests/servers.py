"""Servers that tests start for themselves, as processes on free ports: PostgreSQL and MLflow."""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class PostgreSQL:
    """A server with an empty database at `url`; skips where PostgreSQL is not installed."""

    def __init__(self) -> None:
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        folder = str(programs[-1]) if programs else None
        initdb, postgres = (shutil.which(name, path=folder) or shutil.which(name) for name in ("initdb", "postgres"))
        if not (initdb and postgres):
            pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        root = os.getuid() == 0
        if root and subprocess.run(["id", "postgres"], capture_output=True).returncode:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
        self.user: Any = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
        self.place = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.place.chmod(0o777)
        self.port = free_port()
        self.url = f"postgresql+psycopg://tester:s3cret@127.0.0.1:{self.port}/postgres"
        (self.place / "password").write_text("s3cret")
        data = str(self.place / "data")
        words = ["-D", data, "-U", "tester", "--auth=scram-sha-256", f"--pwfile={self.place / 'password'}", "-N"]
        subprocess.run([initdb, *words], check=True, capture_output=True, cwd="/", **self.user)
        self.words = [postgres, "-D", data, "-p", str(self.port), "-k", str(self.place), "-h", "127.0.0.1", "-F"]

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


class MLflow:
    """An MLflow server on a database, which takes and gives artifacts itself; its files are in `folder`."""

    def __init__(self, database: str, folder: Path) -> None:
        self.port, self.folder = free_port(), folder
        self.url = f"http://127.0.0.1:{self.port}"
        self.words = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", database, "--host", "127.0.0.1",
                      "--artifacts-destination", str(folder / "artifacts"), "--port", str(self.port), "--workers", "1"]

    def start(self) -> None:
        """The server answers."""
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        environment.pop("MLFLOW_TRACKING_URI", None)
        with open(self.folder / "server.log", "a") as log:
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log, cwd=self.folder, env=environment,
                                            start_new_session=True)
        until = time.monotonic() + 120
        while time.monotonic() < until and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self) -> None:
        """The server and its workers have ended."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> "MLflow":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()
