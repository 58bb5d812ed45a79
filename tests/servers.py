"""Servers that tests start for themselves, on free ports: MLflow as a process, and a bucket as S3 has it."""
import io
import os
import signal
import subprocess
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

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


class Bucket(BaseHTTPRequestHandler):
    """What boto3 asks S3 for: objects are put, read and deleted; names of objects that there are not are refused."""
    objects: dict[str, bytes]

    def do_PUT(self) -> None:
        body = io.BytesIO(self.rfile.read(int(self.headers["Content-Length"])))
        if "aws-chunked" in self.headers.get("Content-Encoding", ""):
            self.objects[self.path] = b""
            while size := int(body.readline().split(b";")[0], 16):
                self.objects[self.path] += body.read(size)
                body.readline()
        else:
            self.objects[self.path] = body.read()
        self._answer(200)

    def do_GET(self) -> None:
        name = self.path.split("?")[0]
        if name in self.objects:
            self._answer(200, self.objects[name])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_DELETE(self) -> None:
        self.objects.pop(self.path, None)
        self._answer(204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class S3:
    """An S3-compatible store on this machine, with `objects` by /bucket/name."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnBucket", (Bucket,), {"objects": self.objects}))
        self.environment = s3_environment(self.server.server_port)

    def __enter__(self) -> "S3":
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def s3_environment(port: int) -> dict[str, str]:
    """What leads boto3 to an S3-compatible store on a port of this machine."""
    return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_MAX_ATTEMPTS": "1"}
