"""What the processes of a cluster of our own inherit: Ray's settings, and no keys."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Set

from evalkit.core.redaction import redact

_SETTINGS: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_worker_prestart": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""No telemetry, no idle workers, no noise."""
_SECRET = re.compile(
    r"(^|_)(API)?(KEYS?|TOKENS?|SECRETS?|CREDENTIALS?|DSN)(_|$)|PASSW|DATABASE_URL|^EVALKIT_", re.I
)
_KEPT = re.compile(r"^(RAY_AUTH_\w+|\w+_proxy)$", re.I)
_HUB_TOKENS = frozenset({"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"})
_TOKEN = secrets.token_hex(32)
"""The token of clusters of our own: made anew by every process, so that no other user can send them work."""


@contextlib.contextmanager
def bare_environment(*, hub: bool, own: bool) -> Iterator[Set[str]]:
    """The names that the environment had; for as long as Ray is started, it is without keys.

    The processes of a cluster of one's own inherit it; those of a running cluster have their own.
    """
    before = dict(os.environ)
    kept = _HUB_TOKENS if hub else frozenset()
    for name, value in before.items():
        if name not in kept and not _KEPT.match(name) and (_SECRET.search(name) or redact(value) != value):
            del os.environ[name]
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    if own:
        os.environ.setdefault("RAY_AUTH_TOKEN", _TOKEN)
    try:
        yield before.keys()
    finally:
        os.environ.update(before)


def forget_settings(before: Set[str]) -> None:
    """Take Ray's settings out of the environment again, but for those that were there before."""
    for name in [name for name in os.environ if name.startswith("RAY_") and name not in before]:
        del os.environ[name]
