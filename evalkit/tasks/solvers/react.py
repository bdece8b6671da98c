"""Reasoning and acting in turn: the model thinks, uses a tool, is told the result, and goes on.

S. Yao et al. 2022, "ReAct: Synergizing Reasoning and Acting in Language Models", arXiv:2210.03629. The turns
are text (Thought, Action, Action Input, Observation), or function calls where the model takes them.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evalkit.core.language import base_language
from evalkit.core.records import Message, Request, Response, Step, ToolMessage
from evalkit.models.replies import TOOL_NOTE
from evalkit.tasks.solvers.merging import merge_responses
from evalkit.tasks.solvers.programs import require_trust
from evalkit.tasks.solvers.toolbox import Toolbox

Ask = Callable[[Request], Awaitable[Response]]
MAX_STEPS = 8
STOPS = ("\nObservation:", "\n观察：")
"""Where a model would go on to invent what a tool says."""
_REASONING = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
_OBSERVATION = re.compile(r"^[ \t*]*(?:Observation|观察)[ \t*]*[:：]", re.MULTILINE | re.IGNORECASE)
_FINAL = re.compile(r"^[ \t*#]*(?:Final Answer|最终答案)[ \t*]*[:：]", re.MULTILINE | re.IGNORECASE)
_ACTION = re.compile(r"^[ \t*#]*(?:Action|行动)[ \t*]*[:：][ \t*]*(.+)$", re.MULTILINE | re.IGNORECASE)
_INPUT = re.compile(
    r"^[ \t*#]*(?:Action Input|行动输入)[ \t*]*[:：](?:\*\*(?=\s))?[ \t]*(.*?)"
    r"(?=^[ \t*#]*(?:Thought|思考|Action|行动|Final Answer|最终答案)[ \t*]*[:：]|\Z)",
    re.MULTILINE | re.IGNORECASE | re.DOTALL,
)
_BRACKETS = re.compile(r"(\w+)\s*[\[(](.*)[\])]\s*$", re.DOTALL)


@dataclass(frozen=True)
class Action:
    """A tool that a text asks for."""

    tool: str
    given: str
    text: str
    """The reply up to the end of the action: what came after it was invented."""


def read_action(text: str) -> Action | None:
    """The first action of a reply; None where it gives its final answer, or asks for nothing."""
    plain = _REASONING.sub("", text)
    cut = _OBSERVATION.search(plain)
    plain = plain[: cut.start()] if cut else plain
    action, final = _ACTION.search(plain), _FINAL.search(plain)
    if action is None or (final is not None and final.start() < action.start()):
        return None
    written = action[1].strip().strip("*`")
    given = _INPUT.search(plain, action.end())
    if given is not None:
        value = given[1].strip()
        fence = re.fullmatch(r"```\w*\n(.*?)\n?```", value, re.DOTALL)
        return Action(written, fence[1] if fence else value.strip("`"), plain[: given.end()].strip())
    inline = _BRACKETS.fullmatch(written)  # Action: search[a query], as the paper writes it
    if inline is not None:
        return Action(inline[1], inline[2], plain[: action.end()].strip())
    return Action(written, "", plain[: action.end()].strip())


async def reason_and_act(
    ask: Ask, request: Request, toolbox: Toolbox, settings: Mapping[str, Any], trust: bool
) -> Response:
    """The last response, with all calls as its parts and all uses of tools as its steps.

    Ends with a reply that asks for no tool; without an answer after `max_steps` calls, or when the sample has
    cost `max_cost_usd`. A failed call makes the whole sample fail. Raises UsageError where a tool runs
    programs and the user has not said that it may.
    """
    if "python" in toolbox.tools:
        require_trust(trust, "the tool python")
    most, limit = settings.get("max_steps", MAX_STEPS), settings.get("max_cost_usd")
    messages: tuple[Message, ...] = request.messages
    responses: list[Response] = []
    steps: list[Step] = []
    while True:
        response = await ask(replace(request, messages=messages))
        responses.append(response)
        if response.status in ("error", "refused"):
            return _merge(responses, steps, ())
        used, turn = await _turn(response, toolbox, len(responses), request)
        if not turn:
            return _merge(responses, steps, _unlimited(limit, responses))
        steps += used
        messages = (*messages, *turn)
        spent = sum(each.cost_usd or 0.0 for each in responses)
        why = ""
        if len(responses) >= most:
            why = f"react: no answer after {most} calls"
        elif limit is not None and spent >= limit:
            why = "react: no answer within the cost of a sample (max_cost_usd)"
        if why:
            return replace(_merge(responses, steps, (why,)), text="", tool_calls=())


async def _turn(
    response: Response, toolbox: Toolbox, after: int, request: Request
) -> tuple[list[Step], tuple[Message, ...]]:
    """(what was done, the messages that go on from it); nothing where the reply asks for no tool."""
    if response.tool_calls:
        used = [
            await toolbox.use(call.name, call.arguments, after, as_json=True) for call in response.tool_calls
        ]
        said = "" if TOOL_NOTE in response.notes else response.text or ""
        answers = [
            ToolMessage("tool", step.output, call_id=call.id)
            for call, step in zip(response.tool_calls, used, strict=True)
        ]
        return used, (ToolMessage("assistant", said, calls=response.tool_calls), *answers)
    if request.params.get("tools"):
        return [], ()
    action = read_action(response.text or "")
    if action is None:
        return [], ()
    step = await toolbox.use(action.tool, action.given, after, as_json=False)
    word = "观察：" if base_language(toolbox.language) == "zh" else "Observation: "
    return [step], (Message("assistant", action.text), Message("user", f"{word}{step.output}"))


def _merge(responses: Sequence[Response], steps: Sequence[Step], notes: Sequence[str]) -> Response:
    """The last response with what all of them took; the calls came one after the other."""
    merged = merge_responses(responses[-1], responses, notes)
    latencies = [each.latency_s for each in responses if each.latency_s is not None]
    return replace(merged, steps=tuple(steps), latency_s=sum(latencies) if latencies else None)


def _unlimited(limit: float | None, responses: Sequence[Response]) -> tuple[str, ...]:
    """A note where a cost limit could not be held."""
    if limit is not None and any(each.cost_usd is None for each in responses):
        return ("react: max_cost_usd was not held: the price of the model is unknown",)
    return ()
