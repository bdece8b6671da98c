"""Tools in turns: what a model asks for, what it is told, and where the loop ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Sequence

import pytest

from evalkit.core.errors import DataError, TaskError, UsageError
from evalkit.core.records import Message, Request, Response, ToolCall, ToolMessage
from evalkit.tasks.solvers import contained
from evalkit.tasks.solvers.react import read_action, reason_and_act
from evalkit.tasks.solvers.toolbox import Toolbox, make_tool, make_toolbox


def price(item: str, count: int = 1) -> float:
    """The price of so many pieces of an item in euros."""
    return {"pen": 1.5}[item] * count


def box(names: Sequence[str] = ("calculator", "price"), language: str = "en") -> Toolbox:
    """A toolbox with a tool of the user's own."""
    return make_toolbox(
        names,
        {"price": make_tool(price, "task.py")},
        lambda query: (f"[1] about {query}", ("d1",)),
        language=language,
        timeout_s=2.0,
        memory_mb=128,
        where="here",
    )


def solve(
    replies: Sequence[str | Response],
    toolbox: Toolbox | None = None,
    params: dict[str, object] | None = None,
    **settings: object,
) -> tuple[Response, list[Request]]:
    """(the response, what was asked) when the model says these things in turn."""
    asked: list[Request] = []

    async def ask(request: Request) -> Response:
        asked.append(request)
        reply = replies[len(asked) - 1]
        return reply if isinstance(reply, Response) else Response(text=reply)

    request = Request("generate", "mock/m", (Message("user", "Q"),), params=params or {})
    return asyncio.run(reason_and_act(ask, request, toolbox or box(), settings, False)), asked


def step(tool: str, given: str) -> str:
    """A turn of the text form."""
    return f"Thought: hm\nAction: {tool}\nAction Input: {given}"


def test_result_of_a_tool_is_told_and_kept() -> None:
    """The next request holds the turn and the observation; the step stands after the first call."""
    response, asked = solve([step("calculator", "6 * 7"), "Final Answer: 42"])
    assert response.text == "Final Answer: 42"
    assert [m.text for m in asked[1].messages] == ["Q", step("calculator", "6 * 7"), "Observation: 42"]
    assert [m.role for m in asked[1].messages] == ["user", "assistant", "user"]
    assert [(s.action, s.input, s.output, s.status, s.after) for s in response.steps] == [
        ("calculator", "6 * 7", "42", "ok", 1)
    ]
    assert [part.text for part in response.parts] == [step("calculator", "6 * 7"), "Final Answer: 42"]


def test_invented_observation_is_cut() -> None:
    """What the model writes after its action is its own invention, and it is told the truth."""
    invented = step("calculator", "1 + 1") + "\nObservation: 3\nFinal Answer: 3"
    response, asked = solve([invented, "Final Answer: 2"])
    assert asked[1].messages[1].text == step("calculator", "1 + 1")
    assert response.text == "Final Answer: 2"


@pytest.mark.parametrize(
    ("text", "tool", "given"),
    [
        ("Action: search[red lamp]", "search", "red lamp"),
        ("**Action:** calculator\n**Action Input:** 2 + 2", "calculator", "2 + 2"),
        ("Action: `python`\nAction Input:\n```python\nprint(1)\n```", "python", "print(1)"),
        ("思考：先查\n行动：search\n行动输入：红灯", "search", "红灯"),
        ("<think>Action: x</think>Action: a\nAction Input: b\nThought: c", "a", "b"),
        (
            'Action: price\nAction Input: {"item": "pen",\n "count": 2}',
            "price",
            '{"item": "pen",\n "count": 2}',
        ),
    ],
)
def test_actions_are_read_as_models_write_them(text: str, tool: str, given: str) -> None:
    """Markdown, fences, brackets, Chinese and reasoning do not hide an action."""
    action = read_action(text)
    assert action is not None
    assert (action.tool, action.given) == (tool, given)


@pytest.mark.parametrize("text", ["Final Answer: 3", "I think it is 3.", "", "Final Answer: 3\nAction: x"])
def test_reply_without_an_action_ends(text: str) -> None:
    """An answer, or a reply that asks for nothing, is the end."""
    assert read_action(text) is None
    response, asked = solve([text])
    assert (len(asked), response.text, response.steps) == (1, text, ())


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (
            step("calculato", "1"),
            "there is no tool 'calculato'; there are calculator, price. Did you mean 'calculator'",
        ),
        (step("calculator", "1 / 0"), "division by zero"),
        (step("price", "pen"), "write the arguments as a JSON object with item, count"),
        (step("price", '{"count": 2}'), "item is missing"),
        (step("price", '{"item": "pen", "count": "two"}'), "count must be of type integer"),
        (step("price", '{"item": "ink"}'), "KeyError: 'ink'"),
    ],
)
def test_mistake_is_told_to_the_model(turn: str, told: str) -> None:
    """A wrong name, a wrong argument, or a tool that raises is an observation, not the end of the run."""
    response, asked = solve([turn, "Final Answer: none"])
    assert told in asked[1].messages[-1].text
    assert response.steps[0].status == "error"


def test_functions_are_called_and_answered() -> None:
    """Calls of functions go back with their ids; several calls of one turn are all answered."""
    calls = (ToolCall("a", "calculator", '{"expression": "2*3"}'), ToolCall("b", "price", '{"item": "pen"}'))
    response, asked = solve(
        [Response(text="let me see", tool_calls=calls), "Final Answer: 7.5"], params={"tools": [{}]}
    )
    assistant, first, second = asked[1].messages[1:]
    assert isinstance(assistant, ToolMessage)
    assert (assistant.text, assistant.calls) == ("let me see", calls)
    assert [(m.role, m.text, m.call_id) for m in (first, second)] == [
        ("tool", "6", "a"),
        ("tool", "1.5", "b"),
    ]  # type: ignore[attr-defined]
    assert [s.output for s in response.steps] == ["6", "1.5"]
    assert json.dumps([s.status for s in response.steps]) == '["ok", "ok"]'


def test_text_is_no_call_where_functions_are() -> None:
    """A model that calls functions is not read as if it wrote the text form."""
    response, asked = solve([step("calculator", "1")], params={"tools": [{}]})
    assert (len(asked), response.steps) == (1, ())


def test_steps_are_limited() -> None:
    """Without an answer after `max_steps` calls the sample has none, and says so."""
    response, asked = solve([step("calculator", "1")] * 9, max_steps=3)
    assert len(asked) == 3
    assert (response.text, response.status) == ("", "ok")
    assert response.notes == ("react: no answer after 3 calls",)
    assert len(response.parts) == 3


def test_cost_is_limited() -> None:
    """A sample that has cost its limit is given up; where prices are unknown, that is said."""
    dear = Response(text=step("calculator", "1"), cost_usd=0.02)
    response, asked = solve([dear] * 9, max_cost_usd=0.05)
    assert (len(asked), response.text) == (3, "")
    assert response.cost_usd == pytest.approx(0.06)
    response, _ = solve(["Final Answer: 1"], max_cost_usd=0.05)
    assert response.notes == ("react: max_cost_usd was not held: the price of the model is unknown",)


def test_failed_call_fails_the_sample() -> None:
    """What was done before it is kept."""
    response, _ = solve([step("calculator", "1"), Response("error")])
    assert response.status == "error"
    assert len(response.steps) == 1


def test_slow_tool_is_given_up() -> None:
    """A tool that takes longer than its time is told as a timeout."""

    async def sleepy(text: str) -> str:
        """Sleeps."""
        await asyncio.sleep(60)
        return text

    tools = Toolbox({"sleepy": make_tool(sleepy, "task.py")}, timeout_s=0.05)
    response, _ = solve([step("sleepy", "x"), "Final Answer: x"], tools)
    assert response.steps[0].status == "timeout"


def test_a_tool_that_never_ends_is_stopped_and_does_not_hold_the_run() -> None:
    """An endless loop in a plain function ends with its time; the thread is gone, and the model is told."""
    turns: list[int] = []

    def spin(text: str) -> str:
        """Spins."""
        while True:
            with contextlib.suppress(Exception):
                turns.append(1)

    tools = Toolbox({"spin": make_tool(spin, "task.py")}, timeout_s=0.05)
    response, asked = solve([step("spin", "x"), "Final Answer: x"], tools)
    assert response.steps[0].status == "timeout"
    assert response.steps[0].detail == "no result after 0.05 s; it was stopped"
    assert "it was stopped" in asked[1].messages[-1].text
    assert not [thread for thread in threading.enumerate() if thread.name == "tool-spin"]


def test_a_tool_that_cannot_be_stopped_is_said_to_run_on_and_they_are_few(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waits inside a library is left behind; beyond a bound no further one is begun."""
    monkeypatch.setattr(contained, "MOST_LEFT", 2)
    monkeypatch.setattr(contained, "_GRACE_S", 0.02)
    gate = threading.Event()

    def wait(text: str) -> str:
        """Waits."""
        gate.wait()
        return text

    tools = Toolbox({"wait": make_tool(wait, "task.py")}, timeout_s=0.02)
    response, _ = solve([*[step("wait", "x")] * 3, "Final Answer: x"], tools)
    details = [each.detail for each in response.steps]
    assert details[:2] == ["no result after 0.02 s; it could not be stopped and still runs"] * 2
    assert details[2] == "not begun: 2 earlier calls are over their time and still running"
    assert {each.status for each in response.steps} == {"timeout"}
    gate.set()
    for thread in [each for each in threading.enumerate() if each.name == "tool-wait"]:
        thread.join(10)
    again, _ = solve([step("wait", "x"), "Final Answer: x"], tools)
    assert again.steps[0].output == "x"


def test_python_needs_trust() -> None:
    """The tool python runs programs, which only the user can allow."""
    with pytest.raises(UsageError, match="--trust"):
        solve([step("python", "print(1)")], box(["python"]))


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: box(["calculater"]), TaskError),
        (lambda: make_tool(lambda x: x, "task.py"), TaskError),
        (
            lambda: make_toolbox(
                ["search"], {}, None, language="en", timeout_s=1, memory_mb=64, where="here"
            ),
            DataError,
        ),
    ],
)
def test_tools_that_cannot_be(make: Callable[[], object], error: type[Exception]) -> None:
    """An unknown tool, one without docstring, and a search without documents are told before the run."""
    with pytest.raises(error):
        make()
