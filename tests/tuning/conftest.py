"""What tests of studies share: an empty repository, and a server of PostgreSQL."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository is an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty database on a server of our own; skips where PostgreSQL is not installed."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    folder = str(programs[-1]) if programs else None
    initdb, postgres = (shutil.which(name, path=folder) or shutil.which(name) for name in ("initdb", "postgres"))
    if not (initdb and postgres):
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    root = os.getuid() == 0
    if root and subprocess.run(["id", "postgres"], capture_output=True).returncode:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    user = {"user": "postgres", "group": "postgres", "extra_groups": []} if root else {}
    place = Path(tempfile.mkdtemp(prefix="postgresql-"))
    place.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (place / "password").write_text("s3cret")
    words = ["-D", str(place / "data"), "-U", "tester", "--auth=scram-sha-256", f"--pwfile={place / 'password'}", "-N"]
    subprocess.run([initdb, *words], check=True, capture_output=True, cwd="/", **user)  # type: ignore[call-overload]
    server = subprocess.Popen(  # type: ignore[call-overload]
        [postgres, "-D", str(place / "data"), "-p", str(port), "-k", str(place), "-h", "127.0.0.1", "-F"],
        stderr=subprocess.DEVNULL, cwd="/", **user)
    url = f"postgresql+psycopg://tester:s3cret@127.0.0.1:{port}/postgres"
    try:
        engine = sqlalchemy.create_engine(url)
        for _ in range(100):
            try:
                engine.connect().close()
                break
            except sqlalchemy.exc.OperationalError:
                time.sleep(0.1)
        engine.dispose()
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(place, ignore_errors=True)
