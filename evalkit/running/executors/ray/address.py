"""Where a Ray cluster is: the words of --executor, and whether one answers there."""

from __future__ import annotations

import re
import socket
import subprocess
import sys

from evalkit.core.errors import ExecutorError, UsageError, did_you_mean
from evalkit.core.redaction import redact

_REACH_S, _HEALTH_S = 3.0, 60.0
"""Seconds for a connection, and for Ray's own health check (which starts a Python) to end."""
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""How a client of HTTP/2, and so of gRPC, begins (RFC 9113, section 3.4), with empty settings."""
_SETTINGS_FRAME = b"\4"
"""What its server answers with, in the fourth byte (RFC 9113, section 4.1)."""


def parse_executor(text: str) -> str | None:
    """The address in `ray[:ADDRESS]`, empty for workers here; None for `local`. Raises UsageError."""
    kind, colon, address = text.strip().partition(":")
    if kind == "local" and not colon:
        return None
    if kind != "ray" or (colon and not address):
        hint = "" if kind == "ray" else did_you_mean(kind, ("local", "ray"))
        raise UsageError(
            f"no executor {text!r}; write local, ray (workers on this machine), ray:auto or ray:HOST:PORT "
            f"(a running cluster).{hint}"
        )
    if (
        colon
        and address != "auto"
        and not re.fullmatch(r"(ray://)?(\[[0-9A-Fa-f:]+\]|[^\s:/@\[\]]+):\d{1,5}", address)
    ):
        raise UsageError(
            f"--executor {text}: {address!r} is no address of a Ray cluster; write ray:auto, ray:HOST:PORT "
            "(as `ray start` printed it, usually port 6379) or ray:ray://HOST:PORT (usually port 10001)"
        )
    return address


def reach(place: str, address: str) -> None:
    """Nothing, when something listens at HOST:PORT. Ray itself would try for minutes."""
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_S) as connection:
            connection.sendall(_HELLO)
            answer = connection.recv(9)
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise ExecutorError(f"no Ray cluster answers at {address}: {why}. {cure(address)}") from None
    if answer[3:4] != _SETTINGS_FRAME:
        raise ExecutorError(f"what listens at {address} is no Ray cluster. {cure(address)}")


def check_health(address: str) -> None:
    """Nothing, when what listens is a Ray cluster of this version."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check"]
    command += [] if address == "auto" else ["--address", address]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_HEALTH_S, check=False)
    except subprocess.TimeoutExpired:
        raise ExecutorError(f"what listens at {address} is no Ray cluster. {cure(address)}") from None
    if done.returncode and "AuthenticationError" in done.stderr:
        raise ExecutorError(
            f"the Ray cluster at {address} asks for a token: set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN to "
            "what it is on the cluster's machines (or copy their ~/.ray/auth_token)"
        )
    if done.returncode:
        raise ExecutorError(f"no Ray cluster at {address}: {last_line(done.stderr)}. {cure(address)}")


def cure(address: str) -> str:
    """What to do where there is no cluster at the address; empty means a cluster of one's own."""
    if not address:
        return "Without workers: --executor local"
    return (
        "Start one with `ray start --head` and write the address that it prints; --executor ray has its "
        "workers on this machine"
    )


def last_line(error: object) -> str:
    """The last line of an error's words, without a key and without a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return redact(lines[-1]).rstrip(".") if lines else type(error).__name__
