"""Models made of a function: for tutorials, tests and trials of the command line, without key or network.

`MockModel(fn)` is for Python; `mock/...` names are for the command line:

    mock/echo              answers with the text of the last user message
    mock/fixed:TEXT        always answers TEXT
    mock/delay:MS[:TEXT]   answers TEXT ("ok") after MS milliseconds
    mock/refused[:TEXT]    a refusal, with TEXT as far as it goes
    mock/truncated[:TEXT]  an answer that was cut off
    mock/error:KIND        every call fails: a key of `ERROR_ACTIONS`, such as rate_limit or timeout
"""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, cast

from evalkit.core.errors import CallAction, CallError, ModelError, did_you_mean
from evalkit.core.records import Loglikelihood, Request, Response
from evalkit.models.protocol import CAPABILITIES, ModelBase, unsupported

__all__ = ["ERROR_ACTIONS", "MOCKS", "MockModel", "make_mock"]

Reply = str | Response | BaseException | float | Loglikelihood | Sequence[float | Loglikelihood]
"""What a mock's function may return: a text, a response, an error to raise, or loglikelihoods."""

MOCKS: Mapping[str, str] = MappingProxyType(
    {
        "mock/echo": "Answers with the text of the last user message.",
        "mock/fixed:TEXT": "Always answers TEXT.",
        "mock/delay:MS": "Answers `ok`, or TEXT of mock/delay:MS:TEXT, after MS milliseconds.",
        "mock/refused": "Refuses, with TEXT of mock/refused:TEXT.",
        "mock/truncated": "Is cut off after TEXT of mock/truncated:TEXT.",
        "mock/error:KIND": "Fails at every call: rate_limit, timeout, server, authentication, ...",
    }
)
"""The command line's mocks: name -> one line."""

ERROR_ACTIONS: Mapping[str, CallAction] = MappingProxyType(
    {
        "rate_limit": "retry",
        "timeout": "retry",
        "connection": "retry",
        "server": "retry",
        "invalid_response": "retry",
        "bad_request": "fail_sample",
        "context_length": "fail_sample",
        "litellm": "fail_sample",
        "authentication": "stop_model",
        "permission": "stop_model",
        "not_found": "stop_model",
        "quota": "stop_model",
        "unsupported": "stop_model",
        "budget": "stop_model",
    }
)
"""The kinds of `mock/error:KIND`, with what the runner does about each."""


class MockModel(ModelBase):
    """A model whose answers are what a function makes of the request."""

    def __init__(
        self,
        fn: Callable[[Request], Reply | Awaitable[Reply]],
        name: str = "mock/fn",
        capabilities: Iterable[str] = ("generate", "chat"),
        *,
        cacheable: bool = False,
        identity: Mapping[str, Any] | None = None,
        max_connections: int | None = None,
    ) -> None:
        """`fn` may be async. It returns, or raises, what becomes of the call:

        a text; a `Response`; an exception, which is raised; for loglikelihood requests one number per
        continuation (nats), for rolling requests one number. Add "loglikelihood" or "rolling" to the
        capabilities when it gives those.
        """
        self.fn = fn
        self.name = name
        self.capabilities = frozenset(capabilities)
        for capability in sorted(self.capabilities - set(CAPABILITIES)):
            raise ModelError(
                f"{name}: no capability {capability!r}; there are {', '.join(CAPABILITIES)}."
                + did_you_mean(capability, CAPABILITIES)
            )
        self.cacheable = cacheable
        self.identity = dict(identity or {})
        self.max_connections = max_connections

    async def generate(self, request: Request) -> Response:
        """What the function makes of a generate request. Raises what the function returns or raises."""
        return await self._ask(request, "generate")

    async def loglikelihood(self, request: Request) -> Response:
        """What the function makes of a loglikelihood or rolling request. Raises as `generate` does."""
        return await self._ask(request, "rolling" if request.kind == "rolling" else "loglikelihood")

    async def _ask(self, request: Request, capability: str) -> Response:
        if capability not in self.capabilities:
            raise unsupported(self.name, capability)
        reply = self.fn(request)
        if inspect.isawaitable(reply):
            reply = await reply
        return self._response(reply, request)

    def _response(self, reply: Reply, request: Request) -> Response:
        if isinstance(reply, BaseException):
            raise reply
        if isinstance(reply, Response):
            return reply
        if request.kind == "generate":
            if isinstance(reply, str):
                return Response(text=reply, finish_reason="stop")
            raise ModelError(
                f"{self.name}: the function returned {type(reply).__name__} for a generate request; "
                "it must return a text, a Response or an exception"
            )
        scores = [reply] if isinstance(reply, float | int | Loglikelihood) else list(cast("Any", reply))
        wanted = 1 if request.kind == "rolling" else len(request.continuations)
        if len(scores) != wanted:
            raise ModelError(
                f"{self.name}: the function gave {len(scores)} loglikelihoods; "
                f"a {request.kind} request asks for {wanted}"
            )
        return Response(loglikelihoods=tuple(self._loglikelihood(score) for score in scores))

    def _loglikelihood(self, score: object) -> Loglikelihood:
        if isinstance(score, Loglikelihood):
            return score
        if isinstance(score, bool) or not isinstance(score, float | int) or math.isnan(score):
            raise ModelError(f"{self.name}: a loglikelihood is a number, not {score!r}")
        return Loglikelihood(float(score))


def make_mock(name: str, seed: int = 0) -> MockModel:
    """The mock that a `mock/...` name of the command line means. Raises ModelError for an unknown one.

    `seed` is not used: mocks draw nothing at random.
    """
    kind, has_setting, setting = name.removeprefix("mock/").partition(":")
    makers: dict[str, Callable[[], Callable[[Request], Reply | Awaitable[Reply]]]] = {
        "echo": lambda: _echo,
        "fixed": lambda: _always(Response(text=setting, finish_reason="stop")),
        "delay": lambda: _delayed(name, setting),
        "refused": lambda: _always(Response("refused", text=setting, finish_reason="content_filter")),
        "truncated": lambda: _always(Response("truncated", text=setting, finish_reason="length")),
        "error": lambda: _failing(name, setting),
    }
    if kind not in makers:
        known = [known.removeprefix("mock/").partition(":")[0] for known in MOCKS]
        hint = did_you_mean(kind, known)
        raise ModelError(f"no model {name!r}; the mocks are {', '.join(MOCKS)}.{hint}")
    if kind == "fixed" and not has_setting:
        raise ModelError("mock/fixed needs the text that it answers; write for example mock/fixed:42")
    return MockModel(makers[kind](), name, identity={"route": name})


async def _echo(request: Request) -> Reply:
    asked = [message.text for message in request.messages if message.role == "user"]
    return asked[-1] if asked else ""


def _always(response: Response) -> Callable[[Request], Reply]:
    return lambda request: response


def _delayed(name: str, setting: str) -> Callable[[Request], Awaitable[Reply]]:
    milliseconds, has_text, text = setting.partition(":")
    if not (milliseconds.isascii() and milliseconds.isdecimal() and len(milliseconds) <= 7):
        raise ModelError(f"{name}: write the delay in whole milliseconds, for example mock/delay:50")

    async def answer(request: Request) -> Reply:
        await asyncio.sleep(int(milliseconds) / 1000)
        return Response(text=text if has_text else "ok", finish_reason="stop")

    return answer


def _failing(name: str, kind: str) -> Callable[[Request], Reply]:
    if kind not in ERROR_ACTIONS:
        raise ModelError(
            f"{name}: no kind of error {kind!r}; there are {', '.join(ERROR_ACTIONS)}."
            + did_you_mean(kind, ERROR_ACTIONS)
        )
    return lambda request: CallError(
        f"{name} fails with {kind}, as asked", kind=kind, action=ERROR_ACTIONS[kind]
    )
