"""Models computed by Ray's workers, on a real cluster of two nodes: the results of a local run."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from factories import make_request, settings, write_task

import evalkit
from evalkit import MockModel
from evalkit.core.errors import CallError, MetricError, ModelError
from evalkit.core.records import Request, Response, Sample, TaskView
from evalkit.gate import Asking, Rules, ask_and_judge
from evalkit.metrics import Case, build_metrics
from evalkit.metrics.base import FunctionMetric
from evalkit.models.protocol import Model
from evalkit.models.resolution import Resolved
from evalkit.running.executors.ray import RayCluster, RayRaters, replicate
from evalkit.running.request import RunRequest
from evalkit.store.folders import StoredRun

ROWS = [{"id": f"s{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(300)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes with two CPUs each, apart from any that may run here."""
    changes = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_worker_prestart": "0",
        "RAY_prestart_worker_first_driver": "0",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    before = {name: os.environ.get(name) for name in (*changes, "RAY_AUTH_MODE")}
    os.environ.update(changes)
    Cluster = pytest.importorskip("ray.cluster_utils", reason="needs the extra `ray`").Cluster
    setup = pytest.importorskip("ray._private.authentication.authentication_token_setup")
    setup.enable_token_auth_by_default()  # ray.init() does so; Cluster does not

    node = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**{key: value for key, value in node.items() if key != "include_dashboard"})
        yield cluster.address
    finally:
        cluster.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one task of 300 samples, where runs are the same every time."""
    (tmp_path / "evalkit.yaml").write_text("{}\n")
    write_task(tmp_path / "tasks" / "sums", ROWS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return tmp_path


def contents(stored: StoredRun) -> dict[str, bytes]:
    """The files of a run by their names."""
    folder = stored.folder
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_lost_worker_changes_no_byte(address: str, workspace: Path) -> None:
    """A worker of four is killed in the middle; the run folder is that of the local run, byte by byte."""
    killed, workers = workspace / "killed", workspace / "workers"
    workers.mkdir()

    def answer(request: Request) -> str:
        import os
        import signal
        import time

        (workers / str(os.getpid())).touch()
        began = time.monotonic()
        while len(os.listdir(workers)) < 4 and time.monotonic() - began < 60:  # until all four are at work
            time.sleep(0.02)
        if request.sample_id == "s150" and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        question = request.messages[-1].text.split()
        return str(2 * int(question[3])) if int(question[3]) % 3 else "no idea"

    model = MockModel(answer, "mock/sums", cacheable=True, identity={"version": 1})
    on_ray = evalkit.run([model], ["sums"], executor=f"ray:{address}", out="a", cache="off")
    assert killed.exists()
    assert len(list(workers.iterdir())) >= 4
    here = evalkit.run([model], ["sums"], out="b", cache="off")
    assert on_ray.run.cells[0].counts.scored == len(ROWS)
    assert contents(on_ray) == contents(here)


def test_a_gate_asks_on_the_workers(address: str, workspace: Path) -> None:
    """The candidate of a gate is computed by the cluster, and judged as one that was computed here."""

    def answer(request: Request) -> str:
        import os

        (workspace / f"worker-{os.getpid()}").touch()
        return str(2 * int(request.messages[-1].text.split()[3]))

    model = MockModel(answer, "mock/sums", cacheable=True, identity={"version": 1})
    baseline = evalkit.run([model], ["sums"], limit=60, out="a", cache="off")
    (workspace / f"worker-{os.getpid()}").unlink()
    asking = Asking(RunRequest(models=[model], executor=f"ray:{address}", cache="off"))
    found = ask_and_judge(baseline, Rules(tolerance=0.1), asking)
    assert found.verdict == "pass"
    assert list(workspace.glob("worker-*"))
    assert not (workspace / f"worker-{os.getpid()}").exists()


def ask(
    address: str, model: MockModel, n: int, view: TaskView | None = None
) -> list[Response | BaseException]:
    """What one worker of the cluster makes of n requests at once, s0, s1, ..."""
    entry = Resolved(model.name, model.name, model.name, settings(model.name, workers=1), "")
    cluster = RayCluster(address)
    placed = replicate(entry, model, 0, cluster, given=True)
    bound = placed.bind(view) if view is not None else placed

    async def all_at_once() -> list[Response | BaseException]:
        requests = [make_request(sample_id=f"s{number}") for number in range(n)]
        try:
            return await asyncio.gather(*map(bound.generate, requests), return_exceptions=True)
        finally:
            await placed.aclose()

    with cluster:
        return asyncio.run(all_at_once())


def test_request_that_kills_its_workers_is_given_up_alone(address: str) -> None:
    """A request that ends every worker that computes it fails after four; all others are answered."""

    def answer(request: Request) -> str:
        import os
        import signal

        if request.sample_id == "s7":
            os.kill(os.getpid(), signal.SIGKILL)
        return "1"

    outcomes = ask(address, MockModel(answer), 40)
    failed = outcomes.pop(7)
    assert isinstance(failed, CallError)
    assert (failed.kind, failed.action) == ("worker_lost", "fail_sample")
    assert {outcome.text for outcome in outcomes if isinstance(outcome, Response)} == {"1"}
    assert len(outcomes) == 39


def test_models_that_learn_from_a_task_do_so_on_the_workers(address: str) -> None:
    """A model that is bound to a task is bound on the worker; what its code raises comes back as words."""

    class Learner(MockModel):
        def bind(self, task: TaskView) -> Model:
            def answer(request: Request) -> str:
                if request.sample_id not in task.samples:
                    raise RuntimeError("the device is on fire")
                return task.samples[request.sample_id].target[0]

            return MockModel(answer, self.name)

    samples = {f"s{number}": Sample(f"s{number}", {}, (str(number),)) for number in range(5)}
    view = TaskView("sums", "en", "generate", (), samples, (), ())
    *answers, error = ask(address, Learner(str, "mock/learner"), 6, view)
    assert [answer.text for answer in answers if isinstance(answer, Response)] == [*"01234"]
    assert isinstance(error, ModelError)
    assert str(error) == "mock/learner failed on a worker: RuntimeError: the device is on fire"


def test_slow_metrics_are_computed_on_the_workers(address: str) -> None:
    """Programs are run on the cluster, with the same scores; a metric's error keeps its class and words."""
    metric = build_metrics(["code_passes"], language="en", trust=True)[0]
    fields = {"test_list": ["assert double(2) == 4"], "test_setup_code": ""}
    programs = ["def double(x): return 2 * x", "def double(x): return x", None]
    cluster = RayCluster(address)
    cluster.rates = True
    with cluster:
        raters = RayRaters(cluster)
        assert raters.n_threads == 4
        cases = [Case(program, Response(text=program), fields=fields) for program in programs]
        with ThreadPoolExecutor(raters.n_threads) as threads:
            assert list(threads.map(lambda case: raters.rate(metric, case)[0], cases)) == [1.0, 0.0, 0.0]
        with pytest.raises(MetricError, match="HumanEval"):
            raters.rate(metric, Case("x = 1", Response(text="x = 1")))
        lock = threading.Lock()  # it cannot travel
        here = FunctionMetric("here", lambda case: 0.5 if lock else 0.0)
        assert raters.rate(here, cases[0]) == (0.5, ())


OPTIONS = ["--models", "mock/delay:500:1", "--tasks", "sums", "--executor", "ray", "--max-connections", "4"]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
def test_interrupted_run_leaves_no_process_and_no_worker_sees_a_key(workspace: Path) -> None:
    """Ctrl-C ends a run on workers of its own with 130; its processes are gone, and none had a key."""
    key = f"k-{secrets.token_hex(12)}"
    run = subprocess.Popen(
        [sys.executable, "-m", "evalkit", "run", *OPTIONS],
        env={**os.environ, "ACME_API_KEY": key},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert run.stderr is not None
    assert any("Ray: 1 node" in line for line in run.stderr)
    wait_for(lambda: any(name.startswith("ray::Replica") for name in processes(run.pid).values()))
    names = processes(run.pid)
    for pid in (pid for pid, name in names.items() if name != names[run.pid]):  # not the watcher
        assert key.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
    os.killpg(run.pid, signal.SIGINT)
    run.communicate(timeout=60)
    assert run.returncode == 130
    wait_for(lambda: processes(run.pid) == {})


def processes(session: int) -> dict[int, str]:
    """The living processes of a session with their names."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(status[3]) == session and status[0] != "Z":
                    found[int(folder.name)] = (folder / "cmdline").read_text()
            except OSError:
                continue
    return found


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Nothing, once the condition holds; fails when it does not in time."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)
