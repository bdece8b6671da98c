"""The face of the library: a prepared plan carried out, its pages written, and both in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ParamSpec

from evalkit.core.errors import UsageError
from evalkit.models.protocol import Model
from evalkit.running.preparation import is_served, prepare
from evalkit.running.request import RunRequest
from evalkit.running.runner import Watcher
from evalkit.running.session import carry_out
from evalkit.running.workspace import Workspace
from evalkit.store.folders import StoredRun, load_runs
from evalkit.tasks.choices import Order

P = ParamSpec("P")


def write_pages(
    stored: StoredRun,
    workspace: Workspace,
    *,
    with_leaderboard: bool,
    samples: bool = True,
    redact: bool = False,
) -> list[Path]:
    """The pages of a run: its report, and the leaderboard over all runs of the workspace when asked for.

    They hold the samples unless these are to be left out, and with `redact` no texts of them.
    """
    from evalkit.pages import leaderboard, report

    pages = [report.write(stored, stored.folder / "report.html", samples=samples, redact=redact)]
    if with_leaderboard:
        runs, left_out = load_runs(stored.folder.parent)
        stored.notes += left_out
        folder = workspace.root / "leaderboard"
        arena = leaderboard.find_arena(workspace.root)
        pages.append(
            leaderboard.write(
                runs, folder, samples=samples, redact=redact, facts=workspace.facts, arena=arena
            )
        )
    return pages


def run(
    models: Sequence[str | Model] = (),
    tasks: Sequence[str] = (),
    prompts: Sequence[str] = (),
    *,
    limit: int | None = None,
    num_fewshot: int | None = None,
    repeats: int | None = None,
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
    data: Mapping[str, str | Path] | None = None,
    include_path: Sequence[str | Path] = (),
    trust: bool = False,
    cache: str | None = None,
    fresh: bool = False,
    out: str | Path | None = None,
    name: str | None = None,
    max_cost: float | None = None,
    max_connections: int | None = None,
    timeout: float | None = None,
    retry: Sequence[str] = (),
    lane: str | None = None,
    judge: str | Model | None = None,
    choices_order: Order | None = None,
    executor: str = "local",
    track: Sequence[str] = (),
    watcher: Watcher | None = None,
) -> StoredRun:
    """The finished run of these models on these tasks, stored in a folder of its own.

    Models are names as on the command line, or objects such as `MockModel(fn)`. Without models the built-in
    baselines run, without tasks those of the workspace or the bundled ones. Raises EvalkitError.

    - `limit`: at most so many samples of each task; `repeats`: each is asked so often.
    - `num_fewshot`, `params`: worked examples and generation parameters in place of the task's.
    - `seed`: decides few-shot choice, drawn options and the baselines' dice.
    - `data`: task or data set -> local file in place of its data; `include_path`: further folders of tasks.
    - `trust`: leave to run the Python of tasks from outside, and code that a model wrote.
    - `cache`: where answers are kept, a path, a URL or `off`; `fresh`: ask again; `retry`: ask again where
      the kept answer was `refused` or `truncated`.
    - `out`, `name`: the folder of runs, and a label for this one; `track`: who follows it (`mlflow`, ...).
    - `max_cost`: US dollars at most, what is in flight included; `max_connections`: calls in flight for each
      model; `timeout`: seconds for one call; `lane`, `executor`: how calls are made, and where.
    - `judge`: the model that grades where a task has a judge; `choices_order`: options under letters as in
      the data, drawn (`seeded`), or every rotation (`circular`).
    - `watcher`: who looks on, such as `evalkit.ProgressBar()`; nobody by default.
    """
    request = RunRequest(
        models=models,
        tasks=tasks,
        prompts=prompts,
        limit=limit,
        num_fewshot=num_fewshot,
        repeats=repeats,
        seed=seed,
        params=params or {},
        max_cost=max_cost,
        max_connections=max_connections,
        timeout=timeout,
        retry=retry,
        choices_order=choices_order,
        executor=executor,
        judge=judge,
        lane=lane,
        data={key: Path(value) for key, value in data.items()} if isinstance(data, Mapping) else data or {},
        include_path=include_path,
        cache=cache,
        fresh=fresh,
        out=Path(out) if out else out,  # type: ignore[arg-type]  # an empty one is refused
        name=name,
        track=track,
        trust=trust,
    )
    prepared = prepare(request)
    if (lane is not None or timeout is not None) and not is_served(prepared):
        raise UsageError(
            "lane and timeout are for models that are called, and this run has none: leave them out"
        )
    return carry_out(prepared, command="evalkit.run(...)", watcher=watcher)


def _awaitable(function: Callable[P, StoredRun]) -> Callable[P, Coroutine[Any, Any, StoredRun]]:
    async def run_async(*args: P.args, **kwargs: P.kwargs) -> StoredRun:
        """As `run`, for code that runs in an event loop: the loop goes on meanwhile.

        A cancelled wait does not end the run; what it asks is kept in the cache.
        """
        return await asyncio.to_thread(function, *args, **kwargs)

    return run_async


run_async = _awaitable(run)
