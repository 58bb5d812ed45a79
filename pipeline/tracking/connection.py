"""Where MLflow's runs are, and whether it answers."""
import logging
import os
import sqlite3
import textwrap
import urllib.error
import urllib.request
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import unquote

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from pipeline import folders

HEALTH_SECONDS = 2.0
# A request that hangs is given up after so long, and not repeated: the tracker itself tries again.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "8", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}


def file() -> str:
    """The URL of the database in the repository's folder, whatever characters the folder's name has."""
    return URL.create("sqlite", database=str(folders.repository() / "mlflow.db")).render_as_string()


def artifacts() -> str:
    """The URL of the folder of that database's artifacts."""
    return (folders.repository() / "mlruns").as_uri()


def connect() -> bool:
    """MLflow speaks to the server or the file where this project's runs are; it prints no more than errors.

    True for the file. Ask before MLflow is told: it puts what it is told into MLFLOW_TRACKING_URI.
    """
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
             "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
    for name, value in (PATIENCE | quiet).items():
        os.environ.setdefault(name, value)
    import mlflow
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    address = os.environ.get("MLFLOW_TRACKING_URI") or file()
    mlflow.set_tracking_uri(address)
    return address == file()


def tidy() -> None:
    """Removes the empty folder that MLflow makes where it takes a quoted URL for a path."""
    quoted = Path(file().removeprefix("sqlite:///")).parent
    if str(quoted) != unquote(str(quoted)):
        with suppress(OSError):
            os.removedirs(quoted)


def answers(opened: bool) -> bool:
    """Whether MLflow's server takes requests, or the file, once it has been `opened`, takes a writer."""
    server = os.environ.get("MLFLOW_TRACKING_URI", "")
    try:
        if server.startswith("http"):
            urllib.request.urlopen(f"{server.rstrip('/')}/health", timeout=HEALTH_SECONDS).close()
        elif opened and server == file():
            with closing(sqlite3.connect(folders.repository() / "mlflow.db", HEALTH_SECONDS)) as database:
                database.execute("BEGIN IMMEDIATE")
    except urllib.error.HTTPError as error:
        return error.code < 500
    except (OSError, ValueError, sqlite3.Error):
        return False
    return True


def refused(error: Exception) -> bool:
    """Whether MLflow has answered that it will never take this: trying again would be useless."""
    from mlflow.exceptions import MlflowException
    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
        return status < 500 and status not in (401, 403, 408, 409, 429, 499)
    return not isinstance(error, OSError | SQLAlchemyError)


def about_the_run(error: Exception) -> bool:
    """Whether MLflow itself refuses this run, and may take others; not so a wrong address."""
    from mlflow.exceptions import MlflowException
    return isinstance(error, MlflowException) and refused(error) and error.error_code != "ENDPOINT_NOT_FOUND"


def reason(error: Exception) -> str:
    """The first line of what an error says, and no more than 200 characters of it."""
    return textwrap.shorten((str(error).splitlines() or [type(error).__name__])[0], 200)
