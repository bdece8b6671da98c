"""The connection to a Ray cluster: one of this run's own, on this machine, or one that is there."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from evalkit.core.distribution import install_command
from evalkit.core.errors import ExecutorError
from evalkit.running.executors.ray._ray import silence_printing
from evalkit.running.executors.ray.address import check_health, cure, last_line, reach
from evalkit.running.executors.ray.environment import bare_environment, forget_settings
from evalkit.running.executors.ray.pool import Pool

_OBJECT_STORE_BYTES = 128 * 2**20
"""Shared memory of a cluster of our own: requests and responses are small, weights never pass through it."""


class Replicated(Protocol):
    """A model that is computed by a cluster."""

    name: str

    @property
    def downloads(self) -> bool:
        """Whether its workers load from Hugging Face's hub."""

    @property
    def n_workers(self) -> int:
        """Its replicas; 0 before that is decided."""

    def prepare(self, say: Callable[[str], None]) -> None:
        """Decide how many replicas there will be."""


class RayCluster:
    """Ray's workers, from `connect` to `close`."""

    def __init__(self, address: str = "", say: Callable[[str], None] = lambda _: None) -> None:
        """`address` is HOST:PORT, ray://HOST:PORT, auto, or empty for a cluster of one's own."""
        self.address = address
        self.say = say
        self.rates = False
        """Whether slow metrics are computed there."""
        self.models: list[Replicated] = []
        """The models that this cluster computes."""
        self._own = False
        self._connected = self._there = False
        self._folder: str | None = None
        self._nodes: list[Mapping[str, float]] = []
        self._holder: Pool | None = None
        self._undo: list[Callable[[], None]] = []

    def __str__(self) -> str:
        """What the cluster has, in words."""
        count = len(self._nodes)
        cpus = sum(node.get("CPU", 0) for node in self._nodes)
        return f"{count} node{'s' * (count != 1)}, {cpus:g} CPUs, {self.gpus:g} GPUs"

    @property
    def connected(self) -> bool:
        """Whether there are workers now."""
        return self._there

    @property
    def gpus(self) -> float:
        """GPUs of all nodes."""
        return sum(node.get("GPU", 0) for node in self._nodes)

    def capacity(self, cpus: float, gpus: float) -> int:
        """How many workers with these needs fit on the nodes."""
        total = 0
        for node in self._nodes:
            rooms = [
                int(node.get(name, 0) / need + 1e-9) for name, need in (("CPU", cpus), ("GPU", gpus)) if need
            ]
            total += min(rooms, default=0)
        return total

    def hand_over(self, pool: Pool) -> None:
        """Make room for this pool: models take turns, and each has the whole cluster."""
        if self._holder is pool:
            return
        if self._holder is not None:
            self._holder.release()
        self._holder = pool

    def __enter__(self) -> RayCluster:
        """The cluster, connected, when there is a model for it to compute."""
        if not self.models and not self.rates:
            self.say("none of these models computes anything here: no Ray workers are needed")
            return self
        self.connect(hub=any(model.downloads for model in self.models))
        try:
            for model in self.models:
                model.prepare(self.say)
        except BaseException:
            self.close()
            raise
        counts = [f"{model.name} {model.n_workers}" for model in self.models]
        self.say(f"Ray: {self}; workers: {', '.join(counts) or 'for slow metrics'}")
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers."""
        self.close()

    def connect(self, *, hub: bool = False) -> None:
        """Nothing, once there is a cluster. Raises ExecutorError within seconds when there is none.

        `hub` says that workers download from Hugging Face's hub, for which they need its token.
        """
        if importlib.util.find_spec("ray") is None:
            raise ExecutorError(f"--executor ray needs Ray: {install_command('ray')}")
        try:
            self._keep_handler()
            own = not (self.address or os.environ.get("RAY_ADDRESS"))
            with bare_environment(hub=hub, own=own) as before:
                self._undo.append(lambda: forget_settings(before))
                self._start()
            import ray

            nodes: Any = ray.nodes
            self._nodes = [node["Resources"] for node in nodes() if node["Alive"]]
            self._there = True
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        address = self.address or os.environ.get("RAY_ADDRESS", "")
        if address.startswith("ray://"):
            reach(address.removeprefix("ray://"), address)
        elif address and address != "auto":
            reach(address, address)
        import ray

        if ray.is_initialized():  # the caller's own connection; it stays
            return
        self._silence(ray)
        options: dict[str, Any] = {
            "log_to_driver": False,
            "configure_logging": False,
            "logging_level": logging.ERROR,
        }
        if address:
            if not address.startswith("ray://"):
                check_health(address)
            options["address"] = address
        else:
            self._own = True
            self._folder = tempfile.mkdtemp(prefix="ek-", dir="/tmp" if os.path.isdir("/tmp") else None)
            options |= {
                "address": "local",
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
            }
            os.environ["RAY_TMPDIR"] = self._folder
        self._connected = True
        try:
            ray.init(**options)
        except Exception as error:
            what = f"the Ray cluster at {address}" if address else "a Ray cluster on this machine"
            raise ExecutorError(f"cannot use {what}: {last_line(error)}. {cure(address)}") from None

    def _silence(self, ray: Any) -> None:
        """Keep Ray's own messages off the terminal: what matters is said in our words."""
        logger = logging.getLogger("ray")
        before = (logger.level, logger.propagate, list(logger.handlers))
        logger.setLevel(logging.CRITICAL)
        logger.propagate = False

        def restore() -> None:
            logger.setLevel(before[0])
            logger.propagate, logger.handlers = before[1], before[2]

        self._undo.append(restore)
        self._undo.append(silence_printing(ray))

    def _keep_handler(self) -> None:
        """Bring back the present handler of SIGTERM afterwards: Ray puts its own in its place."""
        handler = signal.getsignal(signal.SIGTERM)
        if threading.current_thread() is not threading.main_thread() or handler is None:
            return

        def restore() -> None:
            signal.signal(signal.SIGTERM, handler)

        self._undo.append(restore)

    def close(self) -> None:
        """Nothing; ends all workers, and the cluster when it is one's own."""
        self._there = False
        if self._holder is not None:
            self._holder.release()
            self._holder = None
        if self._connected:
            import ray

            ray.shutdown()
            self._connected = False
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
