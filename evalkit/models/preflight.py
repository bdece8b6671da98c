"""What can be known of a model before anything is spent: its key, its server, its name, its abilities.

No completion is ever asked for. What is asked is free: the server's list of models. All models are looked at
at the same time; the whole takes at most about five seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import orjson

from evalkit.core.errors import did_you_mean
from evalkit.core.redaction import learn, redact
from evalkit.models import catalog, providers
from evalkit.models.causes import tls_cure
from evalkit.models.protocol import Model
from evalkit.models.resolution import BUILT_IN, Resolved

__all__ = ["Finding", "preflight"]

_CONNECT_S = 3.0
_TOTAL_S = 4.5

_HOMES = {
    "openai": "https://api.openai.com/v1",
    "text-completion-openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "deepseek": "https://api.deepseek.com",
    "groq": "https://api.groq.com/openai/v1",
    "mistral": "https://api.mistral.ai/v1",
}
"""Hosted providers whose list of models is free and needs the key, so that a wrong key shows at once."""

_PROXIES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""Variables that send calls by another way than the one that preflight looks at."""

_WHOLE_LISTS = frozenset({"hosted_vllm", "ollama", "ollama_chat"})
"""Servers that list all that they serve: a model that is not in the list does not exist."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing learnt of one model."""

    model: str
    """The model's name in results."""
    status: Literal["ok", "warning", "error"]
    """ok: nothing stands in the way; warning: worth saying; error: every call would fail."""
    message: str
    """What was found, as a sentence without secrets."""
    cure: str = ""
    """What to do about it; empty when ok."""

    def __str__(self) -> str:
        """The message with its cure."""
        return f"{self.message}. {self.cure}" if self.cure else self.message


async def preflight(
    models: Sequence[Model], needs: Mapping[str, Collection[str]] | Collection[str] = ()
) -> list[Finding]:
    """One finding for each model, in order, and one more for each ability that it lacks.

    `needs` are the capabilities that the tasks ask for, of all models or by the model's name.
    """
    pages: dict[tuple[str, str | None, str], asyncio.Task[_Page]] = {}
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_examine(model, pages)) for model in models]
    findings: list[Finding] = []
    for model, task in zip(models, tasks, strict=True):
        wanted = needs.get(model.name, ()) if isinstance(needs, Mapping) else needs
        lacks = [_lack(model, word) for word in wanted if word not in model.capabilities]
        found = task.result()
        findings.extend(lacks if found.status == "ok" and lacks else [found, *lacks])
    return findings


def _lack(model: Model, word: str) -> Finding:
    """The finding of a model that cannot do what a task needs."""
    what = {
        "loglikelihood": "gives no loglikelihoods of given continuations",
        "rolling": "gives no loglikelihood of a given text",
        "chat": "takes no chat messages",
        "top_logprobs": "gives no top logprobs",
    }.get(word, f"cannot {word}")
    return Finding(
        model.name,
        "error",
        f"{model.name} {what}",
        "vLLM and SGLang servers do (hosted_vllm/NAME), and in-process models (hf/NAME)"
        if word in ("loglikelihood", "rolling")
        else "choose another model or another task",
    )


@dataclass(frozen=True, slots=True)
class _Page:
    """What a GET brought."""

    status: int | None = None
    """The HTTP status; None when there was no reply."""
    body: bytes = b""
    problem: str = ""
    """Why there was no reply."""
    refused: bool = False
    """Whether nobody listens at the address."""

    @property
    def document(self) -> Any:
        """The body as JSON; None when it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


Pages = dict[tuple[str, str | None, str], "asyncio.Task[_Page]"]
"""(address, key, provider) -> the GET that is under way: models of one server ask once."""


async def _examine(model: Model, pages: Pages) -> Finding:
    """The finding on a model's key, server and name."""
    resolved = getattr(model, "resolved", None)
    if not isinstance(resolved, Resolved) or resolved.provider in BUILT_IN:
        return Finding(model.name, "ok", f"{model.name} runs in this process")
    missing = _missing_key(resolved) or _missing_address(resolved)
    if missing is not None:
        return missing
    base = providers.address(resolved.provider, resolved.settings)
    home = None if base else _HOMES.get(resolved.provider)
    if base is None and home is None:
        return Finding(model.name, "ok", f"{model.name}: the key is there; its server was not asked")
    try:
        async with asyncio.timeout(_TOTAL_S):
            found = await _ask_server(resolved, base or home or "", pages)
    except TimeoutError:
        found = _silent(resolved, base or home or "", f"no answer within {_TOTAL_S:g} s")
    unreached = found.status == "error" and "HTTP" not in found.message
    if home is None or not unreached:
        return found
    if any(os.environ.get(name) for name in _PROXIES):  # by that way the calls may still get through
        return Finding(model.name, "warning", found.message, "The run will show whether calls get through")
    network = "Check the network; behind a proxy, export HTTPS_PROXY=..."
    return Finding(model.name, "error", found.message, found.cure if tls_cure(found.message) else network)


def _missing_key(resolved: Resolved) -> Finding | None:
    """The finding that a key is not set; None when all that is needed is there, or we do not know."""
    settings = resolved.settings
    if settings.api_key_env:
        if os.environ.get(settings.api_key_env, "").strip():
            return None
        return Finding(
            resolved.name,
            "error",
            f"{resolved.name} takes its API key from {settings.api_key_env}, which is not set",
            f"Set it: export {settings.api_key_env}=...",
        )
    facts = providers.provider_facts(resolved.provider)
    base = providers.address(resolved.provider, settings)
    known = resolved.route.partition("/")[2] in catalog.models()
    if base is not None and facts.openai_like and not known:
        return None  # a server of one's own may need no key; it will say so if it does
    for group in facts.keys:
        if any(os.environ.get(name, "").strip() for name in group):
            continue
        if settings.api_base and group[0].endswith("_API_BASE"):
            continue
        signup = f" (made at {facts.signup})" if facts.signup else ""
        other = f" (or {', '.join(group[1:3])})" if len(group) > 1 else ""
        return Finding(
            resolved.name,
            "error",
            f"{resolved.name} ({resolved.route}) needs {group[0]}{other}, which is not set",
            f"Set it: export {group[0]}=...{signup}; or, for a server of your own, give the model an "
            "api_base in evalkit.yaml, and call it hosted_vllm/NAME where the server wants no key",
        )
    return None


def _missing_address(resolved: Resolved) -> Finding | None:
    """The finding that nobody said where the server is; None when somebody did, or it is known."""
    facts = providers.provider_facts(resolved.provider)
    if not facts.known or facts.keys or facts.local or not facts.bases:
        return None
    if providers.address(resolved.provider, resolved.settings) is not None:
        return None
    return Finding(
        resolved.name,
        "error",
        f"{resolved.name} ({resolved.route}) needs the address of its server",
        f"Set it: export {facts.bases[0]}=http://127.0.0.1:8000/v1; or give it an api_base in evalkit.yaml",
    )


async def _ask_server(resolved: Resolved, base: str, pages: Pages) -> Finding:
    """The finding on the server at `base`: does it answer, does it take the key, has it the model."""
    provider = resolved.provider
    variable = providers.key_variable(provider, resolved.settings)
    key = os.environ.get(variable, "").strip() if variable else None
    ollama = provider in ("ollama", "ollama_chat")
    listing = f"{base}/api/tags" if ollama else f"{base}/models"
    asks = ollama or provider == "anthropic" or providers.provider_facts(provider).openai_like
    place = (listing, key, provider)
    if place not in pages:
        pages[place] = asyncio.ensure_future(
            _get(listing, _headers(resolved, key)) if asks else _connect(base)
        )
    page = await asyncio.shield(pages[place])
    learn([key] if key else [])
    if page.status is None:
        return _silent(resolved, base, page.problem, page.refused)
    shown = providers.without_credentials(base)
    if page.status in (401, 403):
        if key:
            message = f"the server at {shown} does not accept the key in {variable} (HTTP {page.status})"
            cure = f"Set the right one: export {variable}=..."
        else:
            message = f"the server at {shown} wants an API key and none was sent (HTTP {page.status})"
            cure = "Name the variable that holds it in evalkit.yaml: api_key_env: MY_SERVER_KEY"
        return Finding(resolved.name, "error", redact(f"{resolved.name}: {message}"), cure)
    if page.status >= 500:
        message = f"{resolved.name}: the server at {shown} answers with HTTP {page.status}"
        return Finding(resolved.name, "warning", message, "look at its log")
    names = _names(page.document)
    name = resolved.route.partition("/")[2]
    if not names or name in names or (ollama and f"{name}:latest" in names):
        return Finding(resolved.name, "ok", f"{resolved.name}: the server at {shown} answers")
    return await _unlisted(resolved, base, names, key, shown)


async def _unlisted(
    resolved: Resolved, base: str, names: Sequence[str], key: str | None, shown: str
) -> Finding:
    """The finding on a model that is not in the server's list."""
    provider, _, name = resolved.route.partition("/")
    exists: bool | None = False if provider in _WHOLE_LISTS else None
    if exists is None:
        page = await _get(f"{base}/models/{quote(name, safe='')}", _headers(resolved, key))
        if page.status == 200:
            exists = True
        elif page.status == 404 and b"model" in page.body.lower():
            exists = False  # the server speaks of the model, not of the route
    if exists:
        return Finding(resolved.name, "ok", f"{resolved.name}: the server at {shown} answers")
    hint = did_you_mean(name, names) or f" It has: {', '.join(sorted(names)[:8])}."
    message = f"{resolved.name}: the server at {shown} does not list a model {name!r}"
    cure = f"ollama pull {name}." if provider.startswith("ollama") else "Correct the model's name."
    return Finding(resolved.name, "warning" if exists is None else "error", message, f"{cure}{hint}")


def _silent(resolved: Resolved, base: str, problem: str, refused: bool = False) -> Finding:
    """The finding on a server that does not answer."""
    shown = providers.without_credentials(base)
    if refused:
        problem = "nothing listens there (connection refused)"
    cure = tls_cure(problem) or "Start the server, or correct api_base in evalkit.yaml"
    cure = cure[0].upper() + cure[1:]
    if resolved.provider.startswith("ollama"):
        cure = "Start Ollama: ollama serve"
    return Finding(
        resolved.name, "error", f"{resolved.name}: the server at {shown} cannot be reached: {problem}", cure
    )


def _headers(resolved: Resolved, key: str | None) -> dict[str, str]:
    """The headers of a GET with the model's key."""
    headers = dict(resolved.settings.headers)
    for header, variable in resolved.settings.headers_env.items():
        if variable in os.environ:
            headers[header] = os.environ[variable]
    if key and resolved.provider == "anthropic":
        headers.update({"x-api-key": key, "anthropic-version": "2023-06-01"})
    elif key:
        headers.setdefault("Authorization", f"Bearer {key}")
    return headers


def _names(document: Any) -> list[str]:
    """The names in a server's list of models; empty when it is no such list."""
    entries = document.get("data", document.get("models")) if isinstance(document, dict) else document
    if not isinstance(entries, list):
        return []
    found = [entry.get("id") or entry.get("name") for entry in entries if isinstance(entry, dict)]
    return [name for name in found if isinstance(name, str)]


async def _get(url: str, headers: Mapping[str, str]) -> _Page:
    """What a GET of `url` brings, within the time for it."""
    import aiohttp

    from evalkit.models.wire import tls

    host = urlsplit(url).hostname or ""
    timeout = aiohttp.ClientTimeout(total=_TOTAL_S - 0.2, sock_connect=_CONNECT_S)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout,
                connector=aiohttp.TCPConnector(ssl=tls() if url.startswith("https") else False),
                trust_env=host not in ("127.0.0.1", "localhost", "::1"),
            ) as session,
            session.get(url, headers=headers, allow_redirects=False) as reply,
        ):
            return _Page(reply.status, await reply.content.read(4_000_000))
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, ConnectionRefusedError)
        return _Page(problem=error.os_error.strerror or "no connection", refused=refused)
    except TimeoutError:
        return _Page(problem=f"no answer within {_CONNECT_S:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _Page(problem=str(error) or type(error).__name__)


async def _connect(base: str) -> _Page:
    """An empty page when a TCP connection to `base` comes about: for servers whose list we cannot ask for."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_CONNECT_S):
            _, writer = await asyncio.open_connection(parts.hostname or "", port)
    except TimeoutError:
        return _Page(problem=f"no connection within {_CONNECT_S:g} s")
    except OSError as error:
        return _Page(
            problem=error.strerror or "no connection", refused=isinstance(error, ConnectionRefusedError)
        )
    writer.close()
    return _Page(200)
