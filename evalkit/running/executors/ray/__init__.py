"""Models computed by many processes, on one machine or many: `--executor ray[:ADDRESS]` (extra `ray`).

The run stays where it is: its one loop, its cache, its journal, its limits and its order are those of the
process that was called. Only the computing of a model goes elsewhere: to Ray actors that hold a replica each
and are handed shards of requests. Ray places them, starts them again and watches them; nothing here does.
"""

from __future__ import annotations

from evalkit.running.executors.ray.address import parse_executor
from evalkit.running.executors.ray.cluster import RayCluster
from evalkit.running.executors.ray.model import ReplicatedModel, replicate
from evalkit.running.executors.ray.scoring import RayRaters

__all__ = ["RayCluster", "RayRaters", "ReplicatedModel", "parse_executor", "replicate"]
