"""Slow metrics as Ray tasks: programs that a model wrote are run on all machines of the cluster."""

from __future__ import annotations

from typing import Any

from evalkit.metrics import Case, Metric
from evalkit.running.executors.ray.cluster import RayCluster
from evalkit.running.executors.ray.replica import Failure, failure_of

_LOOK_S = 1.0
"""Seconds between two looks whether the run has been stopped meanwhile."""


class RayRaters:
    """Computes the scores of slow metrics on a cluster. Called by many threads at once."""

    def __init__(self, cluster: RayCluster) -> None:
        self._cluster = cluster

    @property
    def n_threads(self) -> int:
        """How many scores may be computed at a time: one for each CPU of the cluster."""
        return max(1, self._cluster.capacity(1, 0))

    def rate(self, metric: Metric, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """What the metric's `rate` gives, where a worker cannot tell here. Raises as it does."""
        import ray
        from ray.exceptions import GetTimeoutError, RayError

        # No CPU is asked for: replicas may hold them all, and the threads bound how many run.
        task = ray.remote(rate_case).options(num_cpus=0, max_retries=3, scheduling_strategy="SPREAD")
        try:
            reference = task.remote(metric, case)
        except Exception:  # a metric of a task's own code may not travel
            return metric.rate(case)
        while self._cluster.connected:
            try:
                found: Any = ray.get(reference, timeout=_LOOK_S)
            except GetTimeoutError:
                continue
            except RayError:  # its workers were lost four times, or know no such metric
                return metric.rate(case)
            if isinstance(found, Failure):
                raise found.exception(f"metric {metric.name!r}")
            rated: tuple[float | None, tuple[str, ...]] = found
            return rated
        return None, ()


def rate_case(metric: Metric, case: Case) -> tuple[float | None, tuple[str, ...]] | Failure:
    """What `rate` gives, or the record of why there is none; a worker calls this."""
    try:
        return metric.rate(case)
    except Exception as error:
        return failure_of(error)
