"""A PostgreSQL server for a test or a benchmark, that lives as long as a block."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from server import closed_port

REQUIRE = "EVALKIT_REQUIRE_POSTGRES"
"""The variable that makes a missing server a failure: where it is set to 1, nothing is skipped."""
REQUIRED = os.environ.get(REQUIRE) == "1"  # read at once: tests do not see variables of this name


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where no server is installed."""
    found = shutil.which("pg_ctl")
    if found:
        return Path(found).parent
    known = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")]
    return max(known, key=lambda path: int(path.parent.name)) if known else None


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database; skips the test where no server is installed, unless one is required."""
    bin_folder = programs()
    if bin_folder is None:
        if REQUIRED:
            pytest.fail(f"no PostgreSQL server is installed, and {REQUIRE}=1 says that there must be one")
        pytest.skip("no PostgreSQL server is installed (pg_ctl)")
    with tempfile.TemporaryDirectory(prefix="evalkit-pg-") as folder:
        port = closed_port()
        user: list[str] = []
        if os.geteuid() == 0:  # the server refuses to run as root
            user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            shutil.chown(folder, "postgres")
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder}"
        initdb = [*user, str(bin_folder / "initdb"), "-D", f"{folder}/data", "-U", "evalkit", "--auth=trust"]
        control = [*user, str(bin_folder / "pg_ctl"), "-D", f"{folder}/data", "-w"]
        _run(initdb, folder)
        _run([*control, "-l", f"{folder}/log", "-o", options, "start"], folder)
        try:
            yield f"postgresql+psycopg://evalkit@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)


def _run(command: list[str], folder: str) -> None:
    """Nothing; its output goes to a file, since a server that is started would hold a pipe open."""
    with tempfile.TemporaryFile() as told:
        code = subprocess.run(
            command, check=False, cwd=folder, stdout=told, stderr=told, stdin=subprocess.DEVNULL
        ).returncode
        told.seek(0)
        assert code == 0, f"{command}: {told.read().decode()}"
