"""The safe lane: every call goes through LiteLLM's own `acompletion` and `atext_completion`.

It serves every provider that LiteLLM serves. Faster than LiteLLM as it comes, because the client is ours and
the log does nothing; nothing of the translation is left out.
"""

from __future__ import annotations

import asyncio
import os
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson

from evalkit.errors import CallError
from evalkit.models import _litellm, catalog, echo, providers, replies
from evalkit.models.calls import RefusedError, translated
from evalkit.models.parameters import Plan, plan_parameters
from evalkit.models.redaction import Redactor
from evalkit.models.resolution import Resolved
from evalkit.models.wire import Exchange, Wire, current_exchange, lite_client
from evalkit.records import Loglikelihood, Message, Request, Response, encode_message, flatten

__all__ = ["OWN_CLIENT", "SafeLane"]

DEFAULT_TIMEOUT_S = 600.0
"""Seconds for one attempt when the settings name none: reasoning takes minutes."""

# fmt: off
OWN_CLIENT = frozenset((
    "openai", "text-completion-openai", "custom_openai", "hosted_vllm", "lm_studio", "llamafile",
    "anthropic", "gemini", "ollama", "ollama_chat", "deepseek", "mistral", "groq", "xai", "together_ai",
    "fireworks_ai", "openrouter", "perplexity", "cerebras", "sambanova", "nvidia_nim", "deepinfra",
    "dashscope", "moonshot", "zai", "volcengine", "litellm_proxy",
))
# fmt: on
"""Providers whose calls were seen to arrive over our client; others use the one that LiteLLM makes."""


class SafeLane:
    """Calls of one model through LiteLLM, on the loop of whoever calls."""

    def __init__(self, resolved: Resolved, user_agent: str) -> None:
        self._resolved = resolved
        self._settings = resolved.settings
        self._name = resolved.name
        self._provider = resolved.provider
        self._text_only = resolved.provider.startswith("text-completion-")
        self._timeout = resolved.settings.timeout_s or DEFAULT_TIMEOUT_S
        self._price = resolved.settings.price or catalog.price(resolved.route)
        self._cures: Mapping[str, str] = {}
        self._redact: Callable[[str], str] = str
        self._wire = Wire(user_agent)
        self._stock_client = resolved.provider not in OWN_CLIENT
        self._litellm: Any = None
        self._log: Callable[[str, str], Any] | None = None
        self._common: dict[str, Any] = {}
        self._bare = resolved.route
        self._plans: dict[bytes, Plan] = {}
        self._one_by_one = False
        self._context_tokens: OrderedDict[str, int] = OrderedDict()

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made, for the record of the run; nothing for the plain safe lane."""
        return ()

    async def call(self, request: Request) -> Response:
        """The response to a request of any kind, or CallError."""
        await self._get_ready(request)
        if request.kind == "generate":
            return await self._generate(request)
        if request.kind == "rolling":
            return await self._rolling(request)
        return await self._score(request)

    async def aclose(self) -> None:
        """Nothing; closes the connections, LiteLLM's own too where it made some."""
        await self._wire.aclose()
        close = getattr(self._litellm, "close_litellm_async_clients", None)
        if self._stock_client and close is not None:
            await close()

    async def _get_ready(self, request: Request) -> None:
        """Nothing; what the request needs is there afterwards."""
        if self._litellm is None:
            await self._set_up()

    def _read_key(self) -> str | None:
        """The API key, as `_key` has it; from now on it is redacted, and errors say where it is from."""
        key = self._key()
        secrets = [
            name for name in (self._settings.api_key_env, *self._settings.headers_env.values()) if name
        ]
        self._redact = Redactor.from_environment(secrets)
        variable = providers.key_variable(self._provider, self._settings)
        told = (
            f"the key is the one in {variable}" if variable else "no key was sent; name one with api_key_env"
        )
        self._cures = {"authentication": told, "permission": told}
        return key

    async def _set_up(self) -> None:
        """Nothing; imports LiteLLM in a thread, reads the key, and makes the client."""
        litellm = await asyncio.to_thread(_litellm.load)
        if self._litellm is not None:
            return  # another call was quicker
        key = self._read_key()
        with translated(self._name, Exchange(), self._redact, self._cures):
            found = litellm.get_llm_provider(
                model=self._resolved.route,
                api_base=providers.address(self._provider, self._settings),
                api_key=key,
            )
        self._bare, _, found_key, found_base = found
        base = found_base or providers.address(self._provider, self._settings)
        key = key or found_key
        if base is None and self._provider in ("openai", "custom_openai", "text-completion-openai"):
            base = "https://api.openai.com/v1"
        if key is None and base is not None and providers.provider_facts(self._provider).openai_like:
            key = "none"  # OpenAI's protocol asks for some key; servers without keys ignore it
        common: dict[str, Any] = {
            "api_key": key,
            "api_base": base,
            "api_version": self._settings.api_version,
            "extra_headers": self._headers() or None,
            "timeout": self._timeout,
            "max_retries": 0,
            "num_retries": 0,
        }
        if not self._stock_client:
            common["client"] = lite_client(self._wire, base, key)
        self._common = {name: value for name, value in common.items() if value is not None}
        self._log = _litellm.no_op_log()
        self._litellm = litellm

    def _key(self) -> str | None:
        """The API key from the environment; None when none is needed, or LiteLLM finds its own."""
        variable = providers.key_variable(self._provider, self._settings)
        value = os.environ.get(variable, "").strip() if variable else ""
        if self._settings.api_key_env and not value:
            raise CallError(
                f"{self._name}: the environment variable {variable} is not set; "
                f"set it: export {variable}=...",
                kind="authentication",
                action="stop_model",
            )
        plain = self._settings.api_key_env or (variable or "").endswith(("_API_KEY", "HF_TOKEN"))
        return value if value and plain else None

    def _headers(self) -> dict[str, str]:
        """The extra headers of the settings, those from the environment included."""
        headers = dict(self._settings.headers)
        for header, variable in self._settings.headers_env.items():
            if variable in os.environ:
                headers[header] = os.environ[variable]
        return headers

    async def _generate(self, request: Request) -> Response:
        """The text that continues the messages."""
        plan = self._plan(request.params)
        notes = plan.notes
        if self._text_only:
            shape: dict[str, Any] = {"prompt": flatten(request.messages)}
            function, read = "atext_completion", replies.text_response
        else:
            shape = {"messages": [encode_message(message) for message in request.messages]}
            function, read = "acompletion", replies.chat_response
            prefill, note = self._prefill(request.messages)
            shape.update(prefill)
            notes = (*notes, *note)
        exchange = Exchange(not self._stock_client, self._timeout)
        try:
            reply, seconds = await self._ask(function, {**plan.sent, **shape}, exchange)
        except RefusedError as refusal:
            return Response(
                status="refused",
                text="",
                finish_reason="content_filter",
                latency_s=exchange.seconds,
                notes=(*notes, str(refusal)),
            )
        response = replies.cut_at_stop(read(reply, self._name), plan.stops)
        return replace(
            response,
            model_reported=self._reported(response.model_reported),
            cost_usd=replies.cost(response.usage, self._price),
            latency_s=seconds,
            notes=(*notes, *response.notes),
        )

    async def _score(self, request: Request) -> Response:
        """The loglikelihood of each continuation after the messages."""
        context = flatten(request.messages)
        prompts = [context + continuation for continuation in request.continuations]
        echoes, response = await self._echo(prompts)
        notes: tuple[str, ...] = ()
        if any(one.offsets is None for one in echoes):
            first = await self._count_tokens(context.rstrip())
            notes = ("the tokens' texts do not line up with the prompt: its own tokens were counted",)
            found = [echo.token_likelihood(one, first) for one in echoes]
        else:
            found = [echo.continuation_likelihood(one, len(context)) for one in echoes]
        for continuation, likelihood in zip(request.continuations, found, strict=True):
            self._check(likelihood, continuation)
        return replace(response, loglikelihoods=tuple(found), notes=notes)

    async def _rolling(self, request: Request) -> Response:
        """The loglikelihood of the whole text."""
        echoes, response = await self._echo([request.text])
        found = echo.text_likelihood(echoes[0])
        self._check(found, request.text)
        notes: tuple[str, ...] = ()
        if found.n_tokens != len(echoes[0].logprobs):
            notes = ("the first token is not scored: nothing precedes it",)
        return replace(response, loglikelihoods=(found,), notes=notes)

    def _check(self, likelihood: Loglikelihood, text: str) -> None:
        """Nothing; a text of which no token was scored is no certainty but an error."""
        if text and likelihood.n_tokens == 0:
            raise CallError(
                f"{self._name}: no token of {text[:40]!r} was scored (nothing precedes it)",
                kind="bad_request",
                action="fail_sample",
            )

    async def _echo(self, prompts: list[str]) -> tuple[list[echo.Echo], Response]:
        """(the echo of each prompt, what the call took)."""
        if self._one_by_one and len(prompts) > 1:
            parts = [await self._echo([prompt]) for prompt in prompts]
            return [one for found, _ in parts for one in found], _together([r for _, r in parts])
        given = {
            "prompt": prompts if len(prompts) > 1 else prompts[0],
            "echo": True,
            "logprobs": 1,
            "max_tokens": 1,  # 0 is refused by some servers; the token generated is left out
            "temperature": 0,
        }
        exchange = Exchange(not self._stock_client, self._timeout)
        try:
            reply, seconds = await self._ask("atext_completion", given, exchange)
        except RefusedError as refusal:
            raise CallError(str(refusal), kind="bad_request", action="fail_sample") from None
        choices = sorted(getattr(reply, "choices", None) or [], key=lambda c: getattr(c, "index", 0))
        if len(choices) != len(prompts):
            if choices and len(prompts) > 1:
                self._one_by_one = True  # a server that takes one prompt a call
                return await self._echo(prompts)
            raise CallError(
                f"{self._name}: the reply holds no choices", kind="invalid_response", action="retry"
            )
        found = [
            echo.read_echo(getattr(choice, "logprobs", None), prompt, self._name, n_generated=1)
            for choice, prompt in zip(choices, prompts, strict=True)
        ]
        usage = replies.usage_of(reply)
        response = Response(
            usage=usage,
            cost_usd=replies.cost(usage, self._price),
            latency_s=seconds,
            model_reported=self._reported(getattr(reply, "model", None)),
        )
        return found, response

    async def _count_tokens(self, context: str) -> int:
        """How many tokens the server makes of the context, the beginning-of-sequence token included."""
        if not context:
            return 0
        if context not in self._context_tokens:
            (one,), _ = await self._echo([context])
            self._context_tokens[context] = len(one.logprobs)
            if len(self._context_tokens) > 256:
                self._context_tokens.popitem(last=False)
        return self._context_tokens[context]

    async def _ask(
        self, function: str, given: Mapping[str, Any], exchange: Exchange
    ) -> tuple[Any, float | None]:
        """(LiteLLM's reply, seconds on the wire), within the deadline; else CallError or RefusedError."""
        if self._litellm is None:
            await self._set_up()
        text = function == "atext_completion"
        route = f"text-completion-openai/{self._bare}" if text else self._resolved.route
        arguments = {"model": route, **self._common, **given}
        if given.get("tools"):
            arguments |= _litellm.tool_arguments()
        if self._log is not None:
            arguments["litellm_logging_obj"] = self._log(route, function)
        token = current_exchange.set(exchange)
        began = time.perf_counter()
        try:
            with translated(self._name, exchange, self._redact, self._cures):
                async with asyncio.timeout(exchange.deadline_s):
                    reply = await getattr(self._litellm, function)(**arguments)
        finally:
            current_exchange.reset(token)
        return reply, exchange.seconds if exchange.seconds is not None else time.perf_counter() - began

    def _plan_key(self, params: Mapping[str, Any]) -> bytes:
        """The parameters, the settings' own included, as one text."""
        return orjson.dumps({**self._settings.params, **params}, option=orjson.OPT_SORT_KEYS)

    def _plan(self, params: Mapping[str, Any]) -> Plan:
        """What is sent for these parameters; worked out once for each set."""
        key = self._plan_key(params)
        plan = self._plans.get(key)
        if plan is None:
            merged = {**self._settings.params, **params}
            with translated(self._name, Exchange(), self._redact), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # here the code of the provider is loaded
                plan = plan_parameters(
                    self._litellm,
                    self._bare,
                    self._provider,
                    merged,
                    chat=not self._text_only,
                    where=self._name,
                )
            self._plans[key] = plan
        return plan

    def _reported(self, model: str | None) -> str | None:
        """The model's name as the server gave it, without the prefix that LiteLLM puts before it."""
        return model.removeprefix(f"{self._provider}/") if model else None

    def _prefill(self, messages: tuple[Message, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """(fields that make the server go on from a last message of the assistant, a note where none do)."""
        if not messages or messages[-1].role != "assistant":
            return {}, ()
        if self._provider == "hosted_vllm":
            return {"extra_body": {"add_generation_prompt": False, "continue_final_message": True}}, ()
        if self._provider == "anthropic":
            return {}, ()
        return {}, (f"the prefill was sent as a finished turn: {self._provider} need not go on from it",)


def _together(responses: list[Response]) -> Response:
    """One response for several calls: tokens, cost and seconds added up; None where one is unknown."""
    inputs = [r.usage.input for r in responses]
    outputs = [r.usage.output for r in responses]
    costs = [r.cost_usd for r in responses]
    usage = replace(
        responses[0].usage,
        input=None if None in inputs else sum(x or 0 for x in inputs),
        output=None if None in outputs else sum(x or 0 for x in outputs),
    )
    return replace(
        responses[0],
        usage=usage,
        cost_usd=None if None in costs else sum(x or 0.0 for x in costs),
        latency_s=sum(r.latency_s or 0.0 for r in responses),
    )
