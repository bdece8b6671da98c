"""The runner: plan -> requests -> responses -> scores -> store, in one loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from evalkit.core import signals
from evalkit.core.errors import EvalkitError, ExtractorError, MetricError, StatsError
from evalkit.core.records import CellResult, ModelInfo, Response, Run, RunStatus, SampleResult
from evalkit.core.version import __version__
from evalkit.core.watchdog import doing
from evalkit.metrics import Case, Metric
from evalkit.models.protocol import Model, Placed
from evalkit.models.providers import key_variable
from evalkit.models.resolution import BUILT_IN, Resolved, model_info
from evalkit.models.settings import Price
from evalkit.running.executors.budget import Budget
from evalkit.running.executors.local import Lane, LocalExecutor, RetryPolicy, Work, describe
from evalkit.running.grouping import average_groups
from evalkit.running.planning import Plan, PlannedCell, task_info
from evalkit.running.request import RunRequest
from evalkit.running.results import cell_result, make_scorer
from evalkit.running.scoring import CellScorer
from evalkit.store.cache import Cache
from evalkit.store.folders import CellWriter, StoredRun, attempt_all, raise_all
from evalkit.store.provenance import git_state, library_versions, new_folder, start_time

DEFAULT_CONNECTIONS = 16
_SERVED_CONNECTIONS = 100
"""The ceiling of a served model when nobody names one; how many are used, its server decides."""
_TELL_S = 2.0
"""Seconds between two records of a run that goes on."""
_ONE_MODEL_AT_A_TIME = frozenset({"ollama", "ollama_chat", "lm_studio", "docker_model_runner"})
"""Servers that load a model when it is asked: two at once would push each other out of memory."""


class Watcher(Protocol):
    """Somebody who looks on: a progress bar, or nobody."""

    def start(self, plan: Plan, executor: LocalExecutor) -> None:
        """The run begins."""

    def update(self) -> None:
        """A response has been delivered."""

    def interrupt(self, n_in_flight: int) -> None:
        """The user asked to stop; so many calls are still being finished."""

    def stopped(self, model: str, why: str) -> None:
        """A model is given up and not asked any more; said once, at that moment."""

    def finish(self) -> None:
        """The run is over."""


class Nobody:
    """A watcher that does nothing."""

    def start(self, plan: Plan, executor: LocalExecutor) -> None:
        """Nothing."""

    def update(self) -> None:
        """Nothing."""

    def interrupt(self, n_in_flight: int) -> None:
        """Nothing."""

    def stopped(self, model: str, why: str) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""


class Raters(Protocol):
    """Somebody who computes slow metrics elsewhere, as a cluster does."""

    @property
    def n_threads(self) -> int:
        """How many may be waited for at a time."""

    def rate(self, metric: Metric, case: Case) -> tuple[float | None, tuple[str, ...]]:
        """What the metric's `rate` gives."""


class Director(Protocol):
    """Somebody who decides the order of the work and when there is enough of it, as a gate does."""

    def begin(self, plan: Plan, folder: Path) -> None:
        """The folder of the run is there, and nothing was asked yet."""

    def order(self, cells: Sequence[PlannedCell]) -> Iterator[Work]:
        """The work of these cells, which are all of one model, in the order in which it is to be asked."""

    def receive(self, work: Work, result: SampleResult) -> bool:
        """Whether the run has enough: no more work is taken up, and what is in flight is finished."""


@dataclass(frozen=True)
class RunOptions:
    """How a plan is carried out."""

    request: RunRequest = field(default_factory=RunRequest)
    """What was asked: here its name, limits, and which kept answers are asked again."""
    out: Path = Path("reports")
    cache: str | None = None
    """SQLAlchemy URL; None for no cache."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    command: str = ""
    raters: Raters | None = None
    """Computes slow metrics elsewhere; None: in threads of this process."""
    follow: Callable[[StoredRun], None] | None = None
    """Hears of the run as it stands, in a thread, every few seconds; None: nobody does."""
    director: Director | None = None
    """Orders the work and may end it early; None asks everything in the order of the data."""


def execute(plan: Plan, options: RunOptions, watcher: Watcher | None = None) -> StoredRun:
    """The finished run of a plan, as it stands in its folder; its status says how it ended.

    Raises EvalkitError when it cannot begin or go on (cache or folder not writable).
    """
    execution = _Execution(plan, options, watcher or Nobody())
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return execution.run()
    # In a notebook a loop runs already: the run gets a thread with its own.
    outcome: list[StoredRun | BaseException] = []

    def work() -> None:
        try:
            outcome.append(execution.run())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="evalkit-run")
    thread.start()
    thread.join()
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


class _Execution:
    """One execution of a plan; lives as long as the run."""

    def __init__(self, plan: Plan, options: RunOptions, watcher: Watcher) -> None:
        self.plan = plan
        self.options = options
        self.watcher = watcher
        self.epoch = os.environ.get("SOURCE_DATE_EPOCH")
        self.created = start_time(self.epoch)
        self.started = time.monotonic()
        self.scorers = [make_scorer(cell, plan.options.trust, plan.options.judge) for cell in plan.cells]
        for scorer in self.scorers:
            scorer.rate_slow = options.raters.rate if options.raters is not None else None
        self.infos = {model.name: model_info(model, plan.instances[model.name]) for model in plan.models}
        self.judges = {name: model_info(entry, model) for name, (entry, model) in plan.judges.items()}
        self.interrupted = False
        self.lanes: list[Lane] = []
        self.judge_lanes: list[Lane] = []
        self.writers: list[CellWriter] = []
        self.folder = options.out
        self.stop: Callable[[], None] = lambda: None
        self.record: Callable[[Run], None] = lambda _: None
        self.raters: ThreadPoolExecutor | None = None
        """Threads of metrics that take long; None until one is needed."""

    def run(self) -> StoredRun:
        options = self.options
        cache = Cache(options.cache, replace_entries=options.request.fresh) if options.cache else None
        failures: list[EvalkitError] = []
        try:
            run_id, writer = new_folder(options.out, options.request.name, self.created)
            self.folder = writer.folder
            self.base, self.record = self._base(run_id), writer.write
            self.record(self.base)
            if options.director is not None:
                options.director.begin(self.plan, writer.folder)
            self.writers = [writer.cell(cell.slug) for cell in self.plan.cells]
            try:
                asyncio.run(self._ask(cache))
            except (KeyboardInterrupt, asyncio.CancelledError):
                self.interrupted = True
            except EvalkitError as error:
                failures.append(error)
            finally:
                run = self._result()
                closing = [cell_writer.close for cell_writer in self.writers]
                failures += attempt_all([*closing, lambda: self.record(run)])
                self.watcher.finish()
        finally:
            if cache is not None:
                cache.close()
        raise_all(failures)
        return StoredRun(run, writer.folder)

    async def _ask(self, cache: Cache | None) -> None:
        executor = LocalExecutor(
            cache=cache,
            read_cache=not self.options.request.fresh,
            ask_again=tuple(self.options.request.retry),
            retry=self.options.retry,
            budget=Budget(self.options.request.max_cost),
        )
        self.stop = executor.stop
        executor.on_stop = self.watcher.stopped
        self.lanes = list(self._make_lanes())
        self.judge_lanes = [
            self._lane(resolved, model, self.judges[name], iter(()), is_judge=True)
            for name, (resolved, model) in self.plan.judges.items()
        ]
        self.judge_lanes += [
            self._lane(resolved, model, model_info(resolved, model), iter(()), is_judge=True)
            for resolved, model in self.plan.finders.values()
        ]
        self.watcher.start(self.plan, executor)
        release = self._catch_signals(executor)
        telling = asyncio.create_task(self._tell())
        try:
            await executor.run(self.lanes, self._deliver, self.judge_lanes)
        except BaseExceptionGroup as group:
            error = describe(group)
            raise error from None
        finally:
            telling.cancel()
            release()
            if self.raters is not None:
                self.raters.shutdown(wait=False, cancel_futures=True)
            others = [model for _, model in (*self.plan.judges.values(), *self.plan.finders.values())]
            for model in {id(each): each for each in (*self.plan.instances.values(), *others)}.values():
                await model.aclose()

    async def _tell(self) -> None:
        """Keep the run's record as it stands, for those who look into the folder meanwhile."""
        pause = _TELL_S
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            for writer in self.writers:
                writer.flush()
            with contextlib.suppress(MetricError, StatsError):  # a number that so few samples do not define
                cells = tuple(
                    cell_result(cell, scorer, so_far=True)
                    for cell, scorer in zip(self.plan.cells, self.scorers, strict=True)
                    if scorer.n_results
                )
                run = replace(self.base, cells=cells)
                self.record(run)
                if self.options.follow is not None:
                    await asyncio.to_thread(self.options.follow, StoredRun(run, self.folder))
            pause = max(_TELL_S, 20 * (time.monotonic() - began))

    def _make_lanes(self) -> Iterator[Lane]:
        for resolved in self.plan.models:
            cells = [cell for cell in self.plan.cells if cell.model is resolved]
            model, info = self.plan.instances[resolved.name], self.infos[resolved.name]
            yield self._lane(resolved, model, info, self._work(cells))

    def _lane(
        self,
        resolved: Resolved,
        model: Model,
        info: ModelInfo,
        work: Iterator[Work],
        *,
        is_judge: bool = False,
    ) -> Lane:
        price = info.price
        served = resolved.provider not in BUILT_IN
        settings = resolved.settings
        key = key_variable(resolved.provider, settings) if served else None
        turn = f"{resolved.api_base}" if resolved.provider in _ONE_MODEL_AT_A_TIME else None
        if isinstance(model, Placed):
            turn = "placed"  # each model has all the workers, and gives them back when it is finished
        return Lane(
            name=resolved.name,
            work=work,
            connections=self._connections(settings.max_connections, model.max_connections, served),
            adaptive=served,
            wide=bool(settings.max_connections or self.options.request.max_connections),
            account=f"{resolved.route} {resolved.api_base} {key}" if served else "",
            turn=turn,
            rpm=settings.rpm,
            tpm=settings.tpm,
            price=Price(price["input"], price["output"]) if price else None,
            model=model if is_judge else None,
            slow_delivery=any(scorer.slow for scorer in self.scorers),
        )

    def _work(self, cells: Sequence[PlannedCell]) -> Iterator[Work]:
        if self.options.director is not None:
            return self.options.director.order(cells)
        return itertools.chain.from_iterable(cell.work() for cell in cells)

    def _connections(self, configured: int | None, own: int | None, served: bool) -> int:
        default = _SERVED_CONNECTIONS if served else DEFAULT_CONNECTIONS
        wanted = configured or self.options.request.max_connections or own or default
        return min(wanted, own) if own is not None else wanted

    def _deliver(self, work: Work, response: Response) -> Awaitable[None] | None:
        scorer = self.scorers[work.cell]
        if scorer.slow:
            return self._deliver_later(scorer, work, response)
        task = self.plan.cells[work.cell].task.task
        try:
            with doing(task.file, "what scores sample", work.sample.id):
                scored = scorer.score(work.position, work.sample, work.request, response)
        except ExtractorError as error:  # a pattern that takes too long
            raise ExtractorError(f"{task.file}, sample {work.sample.id}: {error}") from None
        self._write(work, scored)
        return None

    async def _deliver_later(self, scorer: CellScorer, work: Work, response: Response) -> None:
        """Rate the response in a thread, so that calls and signals are heard meanwhile."""
        loop = asyncio.get_running_loop()
        if self.raters is None:
            elsewhere = self.options.raters
            n_threads = elsewhere.n_threads if elsewhere is not None else os.cpu_count() or 1
            self.raters = ThreadPoolExecutor(n_threads, thread_name_prefix="evalkit-rate")
        rated = await loop.run_in_executor(self.raters, scorer.rate, work.sample, work.request, response)
        self._write(work, scorer.take(work.position, work.sample, work.request, rated))

    def _write(self, work: Work, result: SampleResult) -> None:
        self.writers[work.cell].append(work.position, result)
        director = self.options.director
        if director is not None and director.receive(work, result):
            self.stop()
        self.watcher.update()

    def _catch_signals(self, executor: LocalExecutor) -> Callable[[], None]:
        """Let the first Ctrl-C (or SIGTERM) finish what is in flight, and a second one stop at once."""
        if threading.current_thread() is not threading.main_thread() or sys.platform == "win32":
            return lambda: None
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()

        def stop() -> None:
            executor.stop()
            self.watcher.interrupt(executor.progress.in_flight)

        def first() -> None:
            self.interrupted = True
            loop.call_soon_threadsafe(stop)

        def second() -> None:
            for writer in self.writers:
                with contextlib.suppress(RuntimeError, EvalkitError):  # it is being written to just now
                    writer.flush()
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)

        return signals.during(first, second)

    def _base(self, run_id: str) -> Run:
        plan = self.plan
        served = any(model.provider not in BUILT_IN for model in plan.models)
        return Run(
            id=run_id,
            name=self.options.request.name or "",
            created=self.created.isoformat(timespec="seconds").replace("+00:00", "Z"),
            version=__version__,
            git=None if self.epoch else git_state(),
            command=self.options.command,
            request=self.options.request.told(),
            status="running",
            seed=plan.options.seed,
            limit=plan.options.limit,
            duration_s=None,
            tasks={task.task.name: task_info(task) for task in plan.tasks},
            models=self.infos,
            cells=(),
            versions={} if self.epoch else library_versions(served),
            judges=self.judges,
        )

    def _result(self) -> Run:
        cells = tuple(
            cell_result(cell, scorer) for cell, scorer in zip(self.plan.cells, self.scorers, strict=True)
        )
        lanes = [*self.lanes, *self.judge_lanes]
        stopped = {lane.name: lane.stopped for lane in lanes if lane.stopped is not None}
        return replace(
            self.base,
            models=self._models(),
            status=self._status(cells),
            duration_s=None if self.epoch else round(time.monotonic() - self.started, 3),
            cells=cells,
            errors=stopped,
            groups=average_groups(self.plan.options.groups, self.base.tasks, cells),
        )

    def _models(self) -> dict[str, ModelInfo]:
        """The models with what was learnt of them during the run: how they were called, and their limits."""
        limits = {lane.name: lane.notes for lane in self.lanes}
        return {
            name: replace(
                info,
                notes=tuple(
                    dict.fromkeys(
                        (
                            *info.notes,
                            *self.plan.instances[name].notes,
                            *self._placement(self.plan.instances[name]),
                            *limits.get(name, ()),
                        )
                    )
                ),
            )
            for name, info in self.infos.items()
        }

    def _placement(self, model: Model) -> tuple[str, ...]:
        """Where the model was computed; nothing where the run is to be the same every time."""
        return model.placement if isinstance(model, Placed) and not self.epoch else ()

    def _status(self, cells: Sequence[CellResult]) -> RunStatus:
        if self.interrupted:
            return "interrupted"
        for planned, cell in zip(self.plan.cells, cells, strict=True):
            judging_failed = any(use.failed for use in cell.judges.values())
            if planned.supported and (cell.counts.unscored or judging_failed):
                return "incomplete"
        return "complete"


def rates_slowly(plan: Plan) -> bool:
    """Whether the plan has a metric that takes long, such as one that runs programs."""
    return any(make_scorer(cell, plan.options.trust, plan.options.judge).slow for cell in plan.cells)


__all__ = ["DEFAULT_CONNECTIONS", "Director", "RunOptions", "Watcher", "execute", "rates_slowly"]
