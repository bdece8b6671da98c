"""`import litellm`, once, quietly, in the way that costs least; and the no-op log that halves a call.

Imported with its defaults LiteLLM downloads its price map, reads the nearest .env into the environment,
prints advice to stdout and writes a log payload for every call. None of that happens here. Measured with
LiteLLM 1.80 to 1.109: import 3.0 s -> 2.5 s, exit 1.16 s -> 0.07 s, CPU per call 3.1 ms -> 2.3 ms.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import gc
import inspect
import itertools
import logging
import os
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evalkit.core.redaction import guard_logs

__all__ = ["ENVIRONMENT", "StockClients", "load", "mapped", "no_op_log", "preload", "tool_arguments"]

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the bundled prices: no download at import
    "LITELLM_OFFLINE_MODE": "true",  # nor of tokenizers, which blocks for 23 s without a network
    "LITELLM_MODE": "PRODUCTION",  # no load_dotenv()
    "LITELLM_LOG": "ERROR",
    "AIOHTTP_CONNECTOR_LIMIT": "4096",
    "AIOHTTP_CONNECTOR_LIMIT_PER_HOST": "4096",  # its default, 500, stalls 512 connections for a second
}

_lock = threading.Lock()
_module: Any = None


def load() -> Any:
    """The module `litellm`, ready: silent, without retries, caches, callbacks or network of its own.

    Takes 2 to 3 seconds the first time: call it in a thread. Safe from several threads.
    """
    global _module
    with _lock:
        if _module is None:
            _module = _import()
        return _module


def preload() -> threading.Thread | None:
    """A thread that imports LiteLLM while the caller does other things; None when it is there already."""
    if _module is not None:
        return None
    thread = threading.Thread(target=load, name="evalkit-import-litellm")
    thread.start()
    return thread


class StockClients:
    """The connections that LiteLLM opens for itself and shares between models, closed by their last user.

    LiteLLM keeps a closed one and would use it again, so that they are forgotten too.
    """

    _users = 0

    @classmethod
    def enter(cls) -> None:
        """Nothing; one more model uses them."""
        cls._users += 1

    @classmethod
    async def leave(cls) -> None:
        """Nothing; closes them behind the last model, where this LiteLLM can."""
        cls._users -= 1
        if cls._users:
            return
        close = getattr(_module, "close_litellm_async_clients", None)
        forget = getattr(getattr(_module, "in_memory_llm_clients_cache", None), "flush_cache", None)
        with contextlib.suppress(Exception):  # the answers are there: a run must not end on this
            if close is not None:
                await close()
            if forget is not None:
                forget()


def _import() -> Any:
    """The freshly imported and silenced module."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    first = "litellm" not in sys.modules
    collecting = gc.isenabled()
    gc.disable()  # the import makes a million long-lived objects; collecting in between finds nothing
    try:
        # not inside of catch_warnings: it would throw away the filters that LiteLLM sets for its own types
        import litellm
        import litellm.exceptions
    finally:
        if collecting:
            gc.enable()
    if first:
        gc.freeze()
    guard_logs()
    # what it finds odd in a server's reply is read, or told, by us
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings", category=UserWarning)
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.modify_params = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


@functools.cache
def tool_arguments() -> dict[str, Any]:
    """What a call with tools is given besides, so that LiteLLM does not look for tools of MCP servers.

    It would import the package `mcp`, which is not there, and fail every such call. Empty for a LiteLLM that
    does not look.
    """
    module = sys.modules.get("litellm.main")
    file = getattr(module, "__file__", None)
    if file is None:
        return {}
    source = Path(file).read_text(encoding="utf-8")
    return {_SKIP_MCP: True} if f'"{_SKIP_MCP}"' in source else {}


def mapped(name: str, provider: str, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What LiteLLM makes of parameters for a model, before any call; None where this LiteLLM does not tell,
    and the call itself will.

    Raises litellm.exceptions.UnsupportedParamsError for what it knows the model refuses.
    """
    litellm = load()
    function = getattr(litellm.utils, "get_optional_params", None)
    try:
        found = function(model=name, custom_llm_provider=provider, **params) if function else None
    except litellm.exceptions.UnsupportedParamsError:
        raise
    except Exception:  # it is no promised function, and may raise anything
        return None
    return found if isinstance(found, Mapping) else None


_SKIP_MCP = "_skip_mcp_handler"
_LOG_ARGUMENTS = ("model", "messages", "stream", "call_type", "start_time", "litellm_call_id", "function_id")

_SILENCED = {
    "pre_call": None,
    "post_call": None,
    "failure_handler": None,
    "handle_sync_success_callbacks_for_async_calls": None,
    "response_cost_calculator": None,
    "_response_cost_calculator": None,
    "claim_async_success_log": False,
}
"""Methods of LiteLLM's Logging that we replace -> what they return instead."""


def no_op_log() -> Callable[[str, str], Any] | None:
    """A function (model, call type) -> a logging object that does nothing, for one call.

    None when the user has callbacks that must hear of the call, or when this LiteLLM's Logging class is not
    the one we know: then LiteLLM makes its own.
    """
    litellm = load()
    hooks = [hook for name in _CALLBACKS for hook in getattr(litellm, name, None) or ()]
    if any(hook != "cache" for hook in hooks):  # LiteLLM's code for Gemini registers that one for itself
        return None
    kind = _quiet_class()
    if kind is None:
        return None

    numbers = itertools.count()

    def make(model: str, call_type: str) -> Any:
        return kind(
            model=model,
            messages=None,
            stream=False,
            call_type=call_type,
            start_time=datetime.datetime.now(),
            litellm_call_id=f"evalkit-{next(numbers)}",  # nobody reads it; random bytes cost a system call
            function_id="",
        )

    return make


_CALLBACKS = (
    "callbacks",
    "input_callback",
    "success_callback",
    "failure_callback",
    "_async_success_callback",
    "_async_failure_callback",
)

_quiet: list[Any] = []


def _quiet_class() -> Any:
    """The subclass of LiteLLM's Logging that does nothing; None when its shape is not the one we know."""
    if not _quiet:
        _quiet.append(_make_quiet_class())
    return _quiet[0]


def _make_quiet_class() -> Any:
    """The class, after a check of every method that it replaces."""
    try:
        from litellm.litellm_core_utils.litellm_logging import Logging
    except ImportError:
        return None
    if not set(_LOG_ARGUMENTS) <= set(inspect.signature(Logging.__init__).parameters):
        return None
    body: dict[str, Any] = {}
    for name, value in _SILENCED.items():
        method = getattr(Logging, name, None)
        if method is None:
            continue  # versions differ in which of these they have
        if not inspect.isfunction(method) or inspect.iscoroutinefunction(method):
            return None
        body[name] = _returns(value)
    if not inspect.iscoroutinefunction(getattr(Logging, "async_failure_handler", None)):
        return None

    async def async_nothing(self: Any, *args: Any, **kwargs: Any) -> None:
        return None

    body["async_failure_handler"] = async_nothing
    body["async_success_handler"] = async_nothing
    quiet = type("QuietLogging", (Logging,), body)
    try:
        quiet(
            model="m",
            messages=None,
            stream=False,
            call_type="acompletion",
            start_time=datetime.datetime.now(),
            litellm_call_id="0",
            function_id="",
        )
    except Exception:  # whatever an unknown version raises means that it is unknown
        return None
    return quiet


def _returns(value: Any) -> Callable[..., Any]:
    """A method that returns `value` whatever it is given."""

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return value

    return method
