"""Models computed by Ray's workers on a real cluster of two nodes: the results of a local run, whatever is lost."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit import MockModel
from evalkit.records import Request, Response, TaskView
from evalkit.store import StoredRun

ROWS = [{"id": f"s{n}", "question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(300)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The address of a cluster of two nodes with two CPUs each, apart from any that may run here."""
    changes = {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_enable_worker_prestart": "0",
        "RAY_prestart_worker_first_driver": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
    }
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    Cluster = pytest.importorskip("ray.cluster_utils", reason="needs the extra `ray`").Cluster

    node = {"num_cpus": 2, "include_dashboard": False, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(**{key: value for key, value in node.items() if key != "include_dashboard"})
        yield cluster.address
    finally:
        cluster.shutdown()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
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
        time.sleep(0.002)
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
