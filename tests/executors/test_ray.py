"""Ray's edges: the words of --executor, clusters that are not there, what workers inherit and need."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from factories import settings, write_task

import evalkit
from evalkit import MockModel
from evalkit.core.distribution import install_command
from evalkit.core.errors import CallError, ConfigError, ExecutorError, ModelError, TaskError, UsageError
from evalkit.core.records import Request, Response
from evalkit.models.resolution import Resolved
from evalkit.models.settings import parse_settings
from evalkit.running.executors.ray import RayCluster, parse_executor, replicate
from evalkit.running.executors.ray._ray import silence_printing
from evalkit.running.executors.ray.address import reach
from evalkit.running.executors.ray.environment import bare_environment, forget_settings
from evalkit.running.executors.ray.replica import UNBOUND, Answers, Failure, Hello, Recipe, Replica


def resolved(route: str, **fields: Any) -> Resolved:
    """A model of this route with these settings."""
    return Resolved(route, route, route, settings(route, **fields), "")


def cluster_of(*nodes: dict[str, float]) -> RayCluster:
    """A cluster that would have these nodes."""
    cluster = RayCluster()
    cluster._nodes = list(nodes)
    return cluster


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("local", None),
        ("ray", ""),
        ("ray:auto", "auto"),
        ("ray:10.0.0.1:6379", "10.0.0.1:6379"),
        ("ray:head.internal:6379", "head.internal:6379"),
        ("ray:[::1]:6379", "[::1]:6379"),
        ("ray:ray://head:10001", "ray://head:10001"),
    ],
)
def test_words_of_the_option(text: str, address: str | None) -> None:
    """`local` is this process, `ray` workers of one's own, and what follows the colon a cluster's address."""
    assert parse_executor(text) == address


@pytest.mark.parametrize("text", ["rya", "ray:", "ray:head", "ray:http://head:1", "local:1", "ray:a b:1", ""])
def test_other_words_are_an_error_with_the_cure(text: str) -> None:
    """Anything else is a usage error that says what to write."""
    with pytest.raises(UsageError, match="write"):
        parse_executor(text)


def test_cluster_that_is_not_there_fails_in_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens, the run ends with an error and the cure, before Ray could try for minutes."""
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks" / "sums")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(ExecutorError, match=rf"127\.0\.0\.1:{port}.*ray start --head"):
        evalkit.run([MockModel(lambda _: "1")], ["sums"], executor=f"ray:127.0.0.1:{port}")
    assert time.monotonic() - started < 10
    assert not (tmp_path / "reports").exists()


def test_server_that_is_no_cluster_is_told_at_once() -> None:
    """What listens at the address and does not speak as Ray does is an error, not minutes of trying."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(ExecutorError, match=r"is no Ray cluster.*ray start --head"):
            reach(f"127.0.0.1:{server.getsockname()[1]}", "there")
        thread.join()


def test_without_ray_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ray is not installed, the error names the extra."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExecutorError, match=re.escape(install_command("ray"))):
        RayCluster().connect()


def test_processes_of_a_cluster_inherit_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """While Ray is started, no key is in the environment, by name or by value; afterwards all are again."""
    secrets = {
        "OPENAI_API_KEY": "k1",
        "AWS_SECRET_ACCESS_KEY": "k2",
        "PGPASSWORD": "k3",
        "DATABASE_URL": "k4",
        "EVALKIT_CACHE": "postgresql://me:pw@db/x",
        "MY_SETTING": "sk-abcdefghijkl123456",
        "HF_TOKEN": "hf_abcdefghijklmnop",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    with bare_environment(hub=False, own=True) as before:
        assert not secrets.keys() & os.environ.keys()
        assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    forget_settings(before)
    assert os.environ.keys() == before
    assert secrets.items() <= dict(os.environ).items()
    with bare_environment(hub=True, own=True) as before:  # gated weights cannot be had without it
        assert secrets.keys() & os.environ.keys() == {"HF_TOKEN"}
    forget_settings(before)


def test_settings_say_what_a_replica_needs() -> None:
    """`workers`, `num_cpus` and `num_gpus` stand with the model in evalkit.yaml; nonsense is an error."""
    raw = {"model": "hf/x", "workers": 3, "num_cpus": 2, "num_gpus": 0.25}
    parsed = parse_settings("m", raw, "evalkit.yaml")
    assert (parsed.workers, parsed.num_cpus, parsed.num_gpus) == (3, 2.0, 0.25)
    for key, value in (("workers", 0), ("num_cpus", -1), ("num_gpus", "many")):
        with pytest.raises(ConfigError, match=key):
            parse_settings("m", {"model": "hf/x", key: value}, "evalkit.yaml")


@pytest.mark.parametrize(
    ("fields", "nodes", "workers"),
    [
        ({}, [{"CPU": 4}, {"CPU": 2}], 6),
        ({"num_cpus": 3}, [{"CPU": 4}, {"CPU": 2}], 1),
        ({"num_gpus": 0.5}, [{"CPU": 8, "GPU": 2}, {"CPU": 8}], 4),
        ({"workers": 2}, [{"CPU": 8}], 2),
        ({"num_cpus": 0, "num_gpus": 0.1}, [{"CPU": 1, "GPU": 1}], 10),
    ],
)
def test_number_of_replicas(fields: dict[str, Any], nodes: list[dict[str, float]], workers: int) -> None:
    """As many as the nodes have room for, each with its needs, or as many as the settings say."""
    cluster = cluster_of(*nodes)
    model: Any = replicate(resolved("mock/echo", **fields), MockModel(str), 0, cluster, given=True)
    model.prepare(lambda _: None)
    assert model.n_workers == workers
    assert model.max_connections == workers * 64


def test_replica_that_fits_nowhere_is_an_error() -> None:
    """A replica that fits on no node is an error that says what there is; `workers` overrules that."""
    for fields, fits in (({"num_gpus": 2}, False), ({"num_gpus": 2, "workers": 1}, True)):
        cluster = cluster_of({"CPU": 8, "GPU": 1})
        model: Any = replicate(resolved("mock/echo", **fields), MockModel(str), 0, cluster, given=True)
        said: list[str] = []
        if fits:
            model.prepare(said.append)
            assert "room for 0 of 1" in said[0]
        else:
            with pytest.raises(UsageError, match=r"2 GPU.*1 node"):
                model.prepare(said.append)


@pytest.mark.parametrize("route", ["openai/gpt-4o", "baseline/ngram", "replay/file.jsonl"])
def test_models_that_compute_nothing_stay(route: str) -> None:
    """An API has its limiter here, and a baseline or a recording is quicker than any way to a worker."""
    model = MockModel(str)
    assert replicate(resolved(route), model, 0, RayCluster(), given=False) is model


def test_replicated_model_has_the_face_of_its_model() -> None:
    """Name, capabilities, cache and identity are the model's own: where it is computed decides no answer."""
    model = MockModel(str, "mock/x", ("generate",), cacheable=True, identity={"v": 1}, max_connections=7)
    placed = replicate(resolved("mock/x"), model, 0, RayCluster(), given=True)
    assert placed is not model
    for face in ("name", "capabilities", "cacheable", "identity", "max_connections", "notes"):
        assert getattr(placed, face) == getattr(model, face)


def ask(model: MockModel, *texts: str) -> Answers:
    """What a replica of the model makes of these texts, in this process."""
    replica = Replica(Recipe(resolved("mock/x"), 0, model, os.getcwd()))

    async def both() -> Answers:
        hello = await replica.ready()
        assert isinstance(hello, Hello)
        assert hello.version == evalkit.__version__
        return await replica.ask([(UNBOUND, Request("rolling", "m", text=text)) for text in texts], {})

    return asyncio.run(both())


def test_errors_of_a_replica_come_back_as_they_are() -> None:
    """A failed call keeps its kind and action, an error of ours its class, any other its words."""

    def answer(request: Request) -> Any:
        if request.text == "call":
            return CallError("slow down", kind="rate_limit", action="retry", retry_after=2.5)
        if request.text == "task":
            return TaskError("no such task")
        if request.text == "bug":
            raise ZeroDivisionError("division by zero")
        return -1.5

    answers = ask(MockModel(answer, capabilities=["rolling"]), "call", "task", "bug", "fine").outcomes
    call, task, bug = (item.exception("m") for item in answers[:3] if isinstance(item, Failure))
    assert isinstance(call, CallError)
    assert (str(call), call.kind, call.action, call.retry_after) == ("slow down", "rate_limit", "retry", 2.5)
    assert (type(task), str(task)) == (TaskError, "no such task")
    assert (type(bug), str(bug)) == (ModelError, "m failed on a worker: ZeroDivisionError: division by zero")
    assert isinstance(answers[3], Response)


def test_replica_keeps_to_the_connections_of_its_model() -> None:
    """A model that takes two requests at a time gets two, however many are in the shard."""
    now = most = 0

    async def answer(request: Request) -> float:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.001)
        now -= 1
        return -1.0

    ask(MockModel(answer, capabilities=["rolling"], max_connections=2), *"abcdefgh")
    assert most == 2


def test_model_that_cannot_be_made_is_said_by_the_replica() -> None:
    """A replica whose model cannot be made says why instead of dying."""
    replica = Replica(Recipe(resolved("mock/nonsense"), 0, None, os.getcwd()))
    hello = asyncio.run(replica.ready())
    assert isinstance(hello, Failure)
    assert isinstance(hello.exception("m"), ModelError)


def test_ray_prints_by_the_function_that_is_silenced() -> None:
    """The one private name of Ray's that is touched is there, and is put back."""
    ray = pytest.importorskip("ray")
    before = ray._private.worker.print_to_stdstream
    undo = silence_printing(ray)
    assert ray._private.worker.print_to_stdstream is not before
    undo()
    assert ray._private.worker.print_to_stdstream is before


@pytest.mark.parametrize(
    "ray", [SimpleNamespace(), SimpleNamespace(_private=SimpleNamespace(worker=object()))]
)
def test_a_ray_that_prints_otherwise_is_used_as_it_is(ray: SimpleNamespace) -> None:
    """Without that name nothing is touched, and nothing fails."""
    silence_printing(ray)()
