"""Whole runs with solvers: on a real socket, with a scripted model and the real sandbox, to the records."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dialects import Call, Reply
from factories import make_task, write_task
from served import NATIVE, set_keys
from server import Server, serve

import evalkit
from evalkit.core.errors import TaskError, UsageError
from evalkit.core.records import Request, SampleResult
from evalkit.models.mock import MockModel
from evalkit.running.rescoring import rescore
from evalkit.store.folders import StoredRun

OLLAMA = "ollama_chat/llama3"
ROWS = [
    {"id": "a", "question": "What do 3 red lamps cost?", "answer": "36", "relevant": ["lamp"]},
    {"id": "b", "question": "What do 5 green chairs cost?", "answer": "150.5", "relevant": ["chair"]},
]
DOCUMENTS = [
    {"id": "lamp", "title": "Lamps", "text": "Red lamps cost 12 euros each."},
    {"id": "chair", "title": "Chairs", "text": "Green chairs cost 30.1 euros each."},
    {"id": "door", "title": "Doors", "text": "We have no doors."},
]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one task about prices in documents."""
    folder = tmp_path / "tasks" / "shop"
    folder.mkdir(parents=True)
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in DOCUMENTS))
    write_task(
        folder,
        ROWS,
        name="shop",
        documents="documents.jsonl",
        extract=["number"],
        metrics=["exact_match", "recall@1"],
    )
    monkeypatch.chdir(tmp_path)
    set_keys(monkeypatch)
    return tmp_path


def results(run: StoredRun) -> list[SampleResult]:
    """The samples of the only cell."""
    (cell,) = run.run.cells
    return list(run.samples(cell.slug))


def _text(content: Any) -> str:
    """The text of a message, which may come in parts."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def reckon(call: Call) -> Reply:
    """Calls functions as a model would: searches, multiplies what it was told, and answers."""
    messages = call.body["messages"]
    question = _text(next(m["content"] for m in messages if m["role"] == "user"))
    told = [m["content"] for m in messages if m["role"] == "tool"]
    parts = [p for m in messages if isinstance(m.get("content"), list) for p in m["content"]]
    told += [_text(part["content"]) for part in parts if part["type"] == "tool_result"]  # Anthropic's form

    def use(name: str, **arguments: str) -> Reply:
        function = {"name": name, "arguments": json.dumps(arguments)}
        calls = [{"id": f"c{len(told)}", "type": "function", "function": function}]
        return Reply(None, finish_reason="tool_calls", extra={"tool_calls": calls})

    if not told:
        return use("search", query=re.findall(r"What do \d+ (.*) cost", question)[-1])
    if len(told) == 1:
        count, price = re.findall(r"What do (\d+)", question)[-1], re.findall(r"cost ([\d.]+)", told[0])[0]
        return use("calculator", expression=f"{count} * {price}")
    return Reply(f"Final Answer: {told[-1]}")


def ask(server: Server, shop: Path, route: str = "openai/gpt-4", **options: Any) -> StoredRun:
    """The run of the task on a served model."""
    address = server.address if route.partition("/")[0] in NATIVE else server.url
    served: dict[str, Any] = {"model": route, "api_base": address, "api_key_env": "TEST_KEY"}
    if route == OLLAMA:  # LiteLLM's map does not know whether it takes functions: the user says it
        served["capabilities"] = ["generate", "chat", "tools"]
    (shop / "evalkit.yaml").write_text(json.dumps({"models": {"m": served}}))
    return evalkit.run(models=["m"], tasks=["shop"], **options)


@pytest.mark.parametrize("lane", ["stock", "safe", "auto"])
def test_functions_over_a_socket(shop: Path, lane: str) -> None:
    """Tools are described, called, answered and recorded in both lanes; a second run asks nothing."""
    with serve(reckon) as server:
        run = ask(server, shop, prompts=["react"], lane=lane)
        asked = len(server.calls)
        again = ask(server, shop, prompts=["react"], lane=lane)
        assert (asked, len(server.calls)) == (6, 6)
    assert {t["function"]["name"] for t in server.calls[0].body["tools"]} == {"calculator", "search"}
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    assert run.run.cells[0].metrics["recall@1"].value == 1.0
    first = results(run)[0]
    assert [(s.action, s.after, s.status) for s in first.response.steps] == [
        ("search", 1, "ok"),
        ("calculator", 2, "ok"),
    ]
    assert first.response.steps[0].found == ("lamp",)
    assert first.response.steps[1].output == "36"
    assert [len(part.tool_calls) for part in first.response.parts] == [1, 1, 0]
    assert "Final Answer" in first.messages[-1].text
    assert again.run.cells[0].counts.cached == 2
    assert results(again)[0].response.steps == first.response.steps


@pytest.mark.parametrize("route", [OLLAMA, "anthropic/claude-sonnet-4-5"])
def test_functions_in_the_dialects_of_other_servers(shop: Path, route: str) -> None:
    """Descriptions, calls and results go out and come back in the server's own form; steps stay the same."""
    with serve(reckon, models=["llama3", "claude-sonnet-4-5"]) as server:
        run = ask(server, shop, route, prompts=["react"])
        asked = len(server.calls)
        again = ask(server, shop, route, prompts=["react"])
        assert (asked, len(server.calls)) == (6, 6)
    offered = server.calls[0].body["tools"]
    assert {t["name"] if "name" in t else t["function"]["name"] for t in offered} == {"calculator", "search"}
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    first = results(run)[0]
    assert [(s.action, s.output) for s in first.response.steps[1:]] == [("calculator", "36")]
    assert first.response.steps[0].found == ("lamp",)
    assert [len(part.tool_calls) for part in first.response.parts] == [1, 1, 0]
    assert results(again)[0].response.steps == first.response.steps


def test_passages_stand_in_the_prompt_and_the_record(shop: Path) -> None:
    """The model reads the best passage, which the record shows with its id; another k is another prompt."""

    def read(call: Call) -> str:
        (count,) = re.findall(r"What do (\d+)", call.prompt)
        return str(round(int(count) * float(re.findall(r"cost ([\d.]+)", call.prompt)[0]), 2))

    with serve(read) as server:
        run = ask(server, shop, prompts=["rag:1"])
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    for result, name, text in zip(results(run), ("lamp", "chair"), ("12 euros", "30.1 euros"), strict=True):
        assert text in result.messages[-1].text
        assert result.response.steps[0].found == (name,)


HOSTILE = {
    "a": "import socket\nsocket.create_connection(('127.0.0.1', 9), 1)",
    "b": "open('/evalkit-was-here', 'w').write('x')",
}


def scripted(programs: dict[str, str]) -> MockModel:
    """A model that writes these programs, by sample."""
    return MockModel(lambda request: f"```python\n{programs[request.sample_id]}\n```", "mock/programs")


def test_hostile_programs_are_contained_counted_and_said(shop: Path) -> None:
    """A run goes on, the samples are wrong and not missing, and the cell's notes say what programs tried."""
    run = evalkit.run(models=[scripted(HOSTILE)], tasks=["shop"], prompts=["pal"], trust=True)
    (cell,) = run.run.cells
    assert (run.run.status, cell.counts.no_answer, cell.counts.scored) == ("complete", 2, 2)
    assert [result.response.steps[0].status for result in results(run)] == ["network denied", "write denied"]
    assert {note for note in cell.notes if note.startswith("pal")} == {
        "pal: the program ended with: network denied (1x)",
        "pal: the program ended with: write denied (1x)",
    }
    assert not Path("/evalkit-was-here").exists()


def test_programs_can_be_scored_again(shop: Path) -> None:
    """Rescoring runs the kept programs again, with trust, and asks nobody."""
    programs = {"a": "print(3 * 12)", "b": "print(5 * 30.1)"}
    run = evalkit.run(models=[scripted(programs)], tasks=["shop"], prompts=["pal"], trust=True)
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    again = rescore(run, trust=True)
    assert results(again.stored)[0].response.steps == results(run)[0].response.steps
    assert [change.new for change in again.changes if change.metric == "exact_match"] == [1.0]
    with pytest.raises(UsageError, match="--trust"):
        rescore(run)


def test_untrusted_program_prompt_is_refused_before_anything_is_asked(shop: Path) -> None:
    """Without --trust the run does not begin."""
    asked: list[Request] = []
    model = MockModel(lambda request: asked.append(request) or "", "mock/m")  # type: ignore[func-returns-value]
    with pytest.raises(UsageError, match="--trust"):
        evalkit.run(models=[model], tasks=["shop"], prompts=["pal"])
    assert asked == []


def test_user_tool_and_own_settings(shop: Path) -> None:
    """A function of task.py marked @tool is offered in the prompt and used in the text form."""
    write_task(
        shop / "tasks" / "shop",
        ROWS,
        name="shop",
        code=(
            "from evalkit import tool\n\n@tool\ndef price(item: str) -> float:\n"
            "    'The price of an item.'\n    return {'lamp': 12.0, 'chair': 30.1}[item]\n"
        ),
        prompts={"agent": {"user": "{{ question }}", "solver": {"name": "react", "tools": ["price"]}}},
        extract=[{"after_marker": "Final Answer:"}, "number"],
    )

    def act(request: Request) -> str:
        last = request.messages[-1].text
        if last.startswith("Observation: "):
            count = int(re.findall(r"What do (\d+)", request.messages[0].text)[0])
            return f"Final Answer: {round(count * float(last.split()[-1]), 2)}"
        return f"Action: price\nAction Input: {'lamp' if 'lamp' in request.messages[0].text else 'chair'}"

    run = evalkit.run(models=[MockModel(act, "mock/agent")], tasks=["shop"])
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    assert "- price: The price of an item." in results(run)[0].messages[-1].text
    assert run.run.cells[0].params["stop"] == ["\nObservation:", "\n观察："]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prompts": {"p": {"user": "x", "solver": "pol"}}}, "solver"),
        ({"prompts": {"p": {"user": "x", "solver": {"name": "pal", "top_k": 3}}}}, "pal takes no `top_k`"),
        (
            {"prompts": {"p": {"user": "x", "solver": {"name": "react", "tool": ["a"]}}}},
            "Did you mean 'tools'",
        ),
        ({"prompts": {"p": {"user": "{{ question }}", "solver": "rag"}}}, "no documents"),
        ({"documents": "../secret.md", "prompts": {"p": {"user": "x", "solver": "rag"}}}, "outside"),
    ],
)
def test_wrong_solver_is_told(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """A misspelt solver or setting, missing documents, and paths outside the folder name the file's key."""
    make: Callable[[], object] = lambda: make_task(tmp_path / "t", **changes).variant("p")  # noqa: E731
    with pytest.raises(TaskError, match=words):
        make()


def test_techniques_that_do_not_fit_are_left_out_with_a_note(shop: Path) -> None:
    """A task without documents is asked by its other prompts; alone, it is an error that says why."""
    write_task(shop / "tasks" / "plain", name="plain")
    model = MockModel(lambda request: "0", "mock/m")
    run = evalkit.run(models=[model], tasks=["shop", "plain"], prompts=["rag", "zero_shot"])
    assert [(cell.task, cell.variant) for cell in run.run.cells] == [
        ("shop", "rag"),
        ("shop", "zero_shot"),
        ("plain", "zero_shot"),
    ]
    with pytest.raises(TaskError, match="has no documents"):
        evalkit.run(models=[model], tasks=["plain"], prompts=["rag"])
