"""dcgan dashboard: the trials of all searches in a browser, with their samples, until Ctrl-C."""
import argparse
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from pipeline import folders
from pipeline.errors import InputError

EXAMPLE = "example: dcgan dashboard 8081"


class Server(ThreadingMixIn, WSGIServer):
    """Serves each request in a thread."""
    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """Prints no line for each request: the page asks every few seconds."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What `dcgan dashboard` takes."""
    parser.add_argument("port", nargs="?", type=int, default=8080, help="default 8080")
    parser.add_argument("--host", default="127.0.0.1", help="default 127.0.0.1; 0.0.0.0 shows them to the network")


def run(given: argparse.Namespace) -> None:
    """Serves optuna-dashboard on the storage and the store of artifacts of params.yaml."""
    if not 0 <= given.port <= 65535:
        raise InputError(f"port {given.port}: expected one from 0 to 65535")
    import optuna_dashboard

    from pipeline.params import reading
    from pipeline.tuning import artifacts, storages
    search = reading.load().search
    url, journal = storages.address(search.storage), folders.repository() / storages.JOURNAL
    if url is None and not journal.exists():
        raise InputError(f"{journal}: not found: there is no search yet; `dvc repro search` begins one")
    storage = storages.open_storage(url, folders.repository())
    app = optuna_dashboard.wsgi(storage.backend, artifact_store=artifacts.opened(search.artifacts))
    with make_server(given.host, given.port, app, server_class=Server, handler_class=Quiet) as server:
        print(f"The trials are at http://{given.host}:{server.server_port}/dashboard", flush=True)
        server.serve_forever()
