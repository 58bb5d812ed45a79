"""A server of MLflow that tests start for themselves, as a process on a free port."""
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from benchmarks.databases import free_port


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
