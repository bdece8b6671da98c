"""Lanes of judges that are asked outside of a run."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.models import catalog
from evalkit.models.protocol import Model
from evalkit.models.providers import key_variable
from evalkit.models.resolution import BUILT_IN, Resolved
from evalkit.models.settings import Price
from evalkit.running.executors.work import Lane, Work

_SERVED_CONNECTIONS = 100
_CONNECTIONS = 16


def judge_price(resolved: Resolved) -> Price | None:
    """The judge's price: the user's own, else the list price; None when unknown, and for built-in models."""
    if resolved.provider in BUILT_IN:
        return None
    return resolved.settings.price or catalog.price(resolved.route)


def judge_lane(resolved: Resolved, model: Model, work: Iterator[Work]) -> Lane:
    """The lane of a judge with this work, within the limits that its settings name."""
    served = resolved.provider not in BUILT_IN
    settings = resolved.settings
    most = model.max_connections
    wanted = settings.max_connections or most or (_SERVED_CONNECTIONS if served else _CONNECTIONS)
    key = key_variable(resolved.provider, settings) if served else None
    return Lane(
        name=resolved.name,
        work=work,
        connections=wanted if most is None else min(wanted, most),
        adaptive=served,
        account=f"{resolved.route} {resolved.api_base} {key}" if served else "",
        rpm=settings.rpm,
        tpm=settings.tpm,
        price=judge_price(resolved),
    )
