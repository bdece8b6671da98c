"""The replicas of one model: who gets which requests, and what happens when a worker is lost."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.core.distribution import install_command
from evalkit.core.errors import CallError, EvalkitError, ModelError
from evalkit.core.records import Request, Response, TaskView
from evalkit.core.redaction import redact
from evalkit.core.version import __version__
from evalkit.running.executors.ray.replica import UNBOUND, Answers, Failure, Recipe, Replica

LONGEST_SHARD = 32
"""Requests that travel together. More would make the first answers wait for the last."""
_LEAST_DEPTH, _DEPTH, _MOST_DEPTH = 16, 64, 256
"""Requests that a worker may hold at once: at least, where the model does not say, and at most."""
_LOSSES = 4
"""So often a request may be on a worker that is lost; the last two times it was alone or nearly."""
_ROW = 6
"""So many losses in a row, without an answer between them, and a worker is given up."""
_RESTART_S = 20.0
"""Seconds that Ray may take to start a lost worker again before that counts as one more loss."""
_WORDS_AFTER_S, _GIVE_UP_AFTER_S = 30.0, 900.0
"""Seconds without any worker until that is said, and until the model is given up."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What each replica of a model needs."""

    cpus: float
    gpus: float

    def __str__(self) -> str:
        """The needs in words."""
        return f"{self.cpus:g} CPU" + (f" and {self.gpus:g} GPU" if self.gpus else "")


@dataclass(slots=True, eq=False)
class _Item:
    """A request on its way."""

    binding: int
    request: Request
    future: asyncio.Future[Response]
    losses: int = 0
    """Workers that were lost while they held it."""


@dataclass(slots=True, eq=False)
class _Worker:
    """One replica as this side sees it."""

    number: int
    actor: Any
    held: int = 0
    """Requests that it holds."""
    alone: bool = False
    """Whether it holds requests that must have a worker to themselves."""
    lost: bool = False
    row: int = 0
    """Losses since its last answer."""
    counted: float = 0.0
    """When the last loss was counted, on the clock of the event loop."""
    sent: set[asyncio.Task[None]] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Pool:
    """The replicas of one model. They are made when the first request comes, and again after `release`."""

    def __init__(self, name: str, recipe: Recipe, own_connections: int | None) -> None:
        """`own_connections` is the most requests that one replica takes at a time; None: it does not say."""
        self.name = name
        self.lost = 0
        """Workers that were lost."""
        self.again = 0
        """Requests that were computed again because their worker was lost."""
        self.notes: dict[int, dict[int, tuple[str, ...]]] = {}
        """Binding -> worker -> what it says of the model."""
        self.depth = min(max(own_connections or _DEPTH, _LEAST_DEPTH), _MOST_DEPTH)
        self.hosts: set[str] = set()
        """The machines that worked."""
        self._recipe = recipe
        self._views: list[TaskView] = []
        self._references: dict[int, Any] = {}
        self._queue: deque[_Item] = deque()
        self._suspects: deque[_Item] = deque()
        self._workers: list[_Worker] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: EvalkitError | None = None
        self._size = 0
        self._ready = 0
        self._needs = Needs(1, 0)
        self._say: Callable[[str], None] = lambda _: None

    def prepare(self, size: int, needs: Needs, say: Callable[[str], None]) -> None:
        """Decide how many replicas there will be and what each needs; nothing is started yet."""
        self._size, self._needs, self._say = size, needs, say

    @property
    def size(self) -> int:
        """How many replicas there are to be; 0 before it is known."""
        return self._size

    def bind(self, view: TaskView) -> int:
        """The key under which replicas know the model bound to this task."""
        self._views.append(view)
        return len(self._views) + UNBOUND

    async def ask(self, request: Request, binding: int) -> Response:
        """The response that some replica gives. Raises what the model raises, and CallError."""
        if self._failure is not None:
            raise self._failure
        if not self._tasks:
            self._start()
        item = _Item(binding, request, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._wake()
        return await item.future

    def release(self) -> None:
        """Let the replicas go; those who still wait are told that the run was stopped."""
        for task in self._tasks:
            task.cancel()
        workers, self._workers, self._tasks, self._ready = self._workers, [], [], 0
        for worker in workers:
            for task in worker.sent:
                task.cancel()
            _kill(worker.actor)
        self._references.clear()
        self._give_up(CallError("the run was stopped", kind="stopped", action="fail_sample"), for_good=False)

    def _start(self) -> None:
        import ray

        replica = ray.remote(Replica).options(
            num_cpus=self._needs.cpus,
            num_gpus=self._needs.gpus,
            max_restarts=-1,  # Ray starts a lost worker again, elsewhere if its machine is gone
            max_task_retries=0,  # what it held is handed to whoever is free
            max_concurrency=2 * _MOST_DEPTH,
            scheduling_strategy="SPREAD",
        )
        self._workers = [_Worker(number, replica.remote(self._recipe)) for number in range(self._size)]
        self._tasks = [asyncio.create_task(self._serve(worker)) for worker in self._workers]
        for task in self._tasks:
            task.add_done_callback(self._served)
        self._tasks.append(asyncio.create_task(self._watch()))

    async def _serve(self, worker: _Worker) -> None:
        """Feed one worker until it is given up."""
        while worker.row < _ROW:
            if worker.row:
                await asyncio.sleep(min(0.1 * 2**worker.row, 5.0))
            if not await self._greet(worker):
                continue
            self._ready += 1
            try:
                await self._feed(worker)
            finally:
                self._ready -= 1
        _kill(worker.actor)
        self._workers.remove(worker)
        if not self._workers:
            self._give_up(
                CallError(
                    f"{self.name}: all its workers were lost again and again; is there enough memory for a "
                    "replica on each? For fewer on a machine, set num_cpus, num_gpus or workers of the model "
                    "in evalkit.yaml",
                    kind="worker_lost",
                    action="stop_model",
                )
            )

    async def _greet(self, worker: _Worker) -> bool:
        """Whether the worker is there; one that cannot make its model ends the whole pool."""
        from ray.exceptions import ActorUnavailableError, RayError

        try:
            hello: Any = await worker.actor.ready.remote()
        except ActorUnavailableError:  # Ray is starting it again, which takes long on a busy machine
            if asyncio.get_running_loop().time() - worker.counted > _RESTART_S:
                self._count_loss(worker)
            return False
        except RayError as error:
            if "No module named 'evalkit" in str(error):
                self._give_up(
                    ModelError(
                        "evalkit is not installed on Ray's workers; install the same version there: "
                        f"{install_command('ray', f'v{__version__}')}"
                    )
                )
            self._count_loss(worker)
            return False
        if isinstance(hello, Failure):
            self._give_up(_redacted(hello).exception(self.name))
            return False
        if hello.version != __version__:
            self._give_up(
                ModelError(
                    f"evalkit is {__version__} here and {hello.version} on {hello.host}; install "
                    "the same version on all machines"
                )
            )
            return False
        worker.lost = False
        self.hosts.add(hello.host)
        return True

    async def _feed(self, worker: _Worker) -> None:
        """Hand shards to the worker until it is lost."""
        while not worker.lost:
            shard = self._take(worker)
            if shard:
                task = asyncio.create_task(self._send(worker, shard))
                worker.sent.add(task)
                task.add_done_callback(worker.sent.discard)
                await asyncio.sleep(0)  # the others take theirs
                continue
            worker.wake.clear()
            await worker.wake.wait()
        while worker.sent:  # what else it held is lost too
            await asyncio.wait(worker.sent)

    def _take(self, worker: _Worker) -> list[_Item]:
        """The next requests for this worker: its fair share of what there is, none beyond its depth."""
        if worker.alone:
            return []
        if worker.held == 0 and self._suspects:
            longest = LONGEST_SHARD // 2 if self._suspects[0].losses < _LOSSES - 1 else 1
            shard = _pop(self._suspects, longest)
            worker.alone = bool(shard)
            if shard:
                return shard
        held = sum(each.held for each in self._workers)
        share = min(self.depth, math.ceil((len(self._queue) + held) / len(self._workers)))
        room = share - worker.held
        if room <= 0:
            return []
        return _pop(self._queue, min(room, LONGEST_SHARD, max(1, share // 2)))

    async def _send(self, worker: _Worker, shard: Sequence[_Item]) -> None:
        """Settle the requests of a shard by what the worker answers; put them back when it is lost."""
        from ray.exceptions import RayError, RayTaskError

        worker.held += len(shard)
        try:
            answers: Answers = await worker.actor.ask.remote(
                [(item.binding, item.request) for item in shard],
                {item.binding: [self._reference(item.binding)] for item in shard if item.binding != UNBOUND},
            )
        except RayTaskError as error:
            lines = str(error).strip().splitlines()
            failure = ModelError(f"{self.name} failed on a worker: {redact(lines[-1]) if lines else error}")
            _settle(shard, failure)
        except RayError:
            if not worker.lost:
                worker.lost = True
                self._count_loss(worker)
            self._put_back(shard)
        else:
            worker.row = 0
            for binding, notes in answers.notes.items():
                self.notes.setdefault(binding, {})[worker.number] = notes
            for item, outcome in zip(shard, answers.outcomes, strict=True):
                if isinstance(outcome, Failure):
                    _settle([item], _redacted(outcome).exception(self.name))
                elif not item.future.done():
                    item.future.set_result(outcome)
        finally:
            worker.held -= len(shard)
            worker.alone = False
            self._wake()

    def _reference(self, binding: int) -> Any:
        """Where Ray keeps the task of a binding: it is sent to a machine once."""
        import ray

        if binding not in self._references:
            self._references[binding] = ray.put(self._views[binding - UNBOUND - 1])
        return self._references[binding]

    def _count_loss(self, worker: _Worker) -> None:
        worker.row += 1
        worker.counted = asyncio.get_running_loop().time()
        self.lost += 1

    def _put_back(self, shard: Sequence[_Item]) -> None:
        """Queue requests of a lost worker again; who was lost before is asked apart, to spare the others."""
        waiting = [item for item in shard if not item.future.done()]
        self.again += len(waiting)
        self._say(f"{self.name}: a worker was lost; its {len(waiting)} requests are computed again")
        for item in waiting:
            item.losses += 1
            if item.losses >= _LOSSES:
                _settle(
                    [item],
                    CallError(
                        f"the worker was lost {item.losses} times while it computed this request (was there "
                        "not enough memory for it?)",
                        kind="worker_lost",
                        action="fail_sample",
                    ),
                )
        self._queue.extendleft(reversed([item for item in waiting if item.losses == 1]))
        self._suspects.extend(item for item in waiting if 1 < item.losses < _LOSSES)

    async def _watch(self) -> None:
        """Say when there is no worker, and give the model up when that does not end."""
        waited = 0.0
        while self._failure is None:
            await asyncio.sleep(1.0)
            waited = 0.0 if self._ready else waited + 1.0
            if waited == _WORDS_AFTER_S:
                self._say(
                    f"{self.name} waits for Ray to start its workers ({self._size} of {self._needs} each); "
                    "is the cluster busy?"
                )
            if waited >= _GIVE_UP_AFTER_S:
                self._give_up(
                    CallError(
                        f"{self.name}: Ray has started none of its {self._size} workers ({self._needs} each) "
                        f"for {_GIVE_UP_AFTER_S:.0f} seconds; see what the cluster has with: ray status",
                        kind="worker_lost",
                        action="stop_model",
                    )
                )

    def _served(self, task: asyncio.Task[None]) -> None:
        """Let nobody wait for a worker whose feeding has failed."""
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._give_up(ModelError(f"{self.name}: {type(error).__name__}: {redact(str(error))}"))

    def _give_up(self, error: EvalkitError, *, for_good: bool = True) -> None:
        """Let all who wait have this error, and with `for_good` all who will ask."""
        if for_good:
            self._failure = self._failure or error
        _settle([*self._queue, *self._suspects], error)
        self._queue.clear()
        self._suspects.clear()

    def _wake(self) -> None:
        for worker in self._workers:
            worker.wake.set()


def _pop(queue: deque[_Item], most: int) -> list[_Item]:
    """The first requests of a queue that somebody still waits for."""
    taken: list[_Item] = []
    while queue and len(taken) < most:
        item = queue.popleft()
        if not item.future.done():
            taken.append(item)
    return taken


def _settle(items: Sequence[_Item], error: EvalkitError) -> None:
    for item in items:
        if not item.future.done():
            item.future.set_exception(error)


def _redacted(failure: Failure) -> Failure:
    from dataclasses import replace

    return replace(failure, message=redact(failure.message))


def _kill(actor: Any) -> None:
    """End a worker at once; nothing when the cluster is gone already."""
    import ray
    from ray.exceptions import RayError

    if ray.is_initialized():
        try:
            ray.kill(actor, no_restart=True)
        except (RayError, ValueError, ConnectionError):
            return
