"""From the name that a user wrote to a model that can be asked.

The order is that of docs/architecture.md: alias in evalkit.yaml, built-in prefix, explicit provider,
LiteLLM's own model map, a model that a local Ollama lists, else an error that says what to write.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from urllib.parse import urlsplit

import orjson

from evalkit.core.errors import ConfigError, ModelError, did_you_mean
from evalkit.core.records import ModelInfo
from evalkit.models import catalog, providers
from evalkit.models.protocol import Model
from evalkit.models.settings import ModelSettings

__all__ = ["BUILT_IN", "Resolved", "model_info", "ollama_models", "resolve_model"]

BUILT_IN = ("baseline", "replay", "mock", "hf")
"""Prefixes of models that evalkit itself runs, without LiteLLM."""

_OLLAMA_TIMEOUT_S = 0.5


@dataclass(frozen=True, slots=True)
class Resolved:
    """A model's name, understood."""

    name: str
    """As results show it: the alias, else `provider/name`."""
    asked: str
    """As the user wrote it."""
    route: str
    """`provider/name` as LiteLLM takes it, or as the built-in models do."""
    settings: ModelSettings
    """How it is reached; its `model` is the route."""
    how: str
    """One sentence that says why the name means this route."""
    trust: bool = False
    """Whether code that comes with local weights may run: only --trust says so."""

    @property
    def provider(self) -> str:
        """The part of the route before the first slash."""
        return self.route.partition("/")[0]

    @property
    def api_base(self) -> str | None:
        """The server's address without credentials; None for a hosted provider's own, or in-process."""
        if self.provider in BUILT_IN:
            return None
        url = providers.address(self.provider, self.settings)
        return providers.without_credentials(url) if url else None


def resolve_model(name: str, aliases: Mapping[str, ModelSettings] | None = None) -> Resolved:
    """What `name` means: its route, its settings, and a sentence that says how that was found.

    Raises ModelError with near matches and examples when it means nothing.
    """
    aliases = aliases or {}
    asked = name
    name = name.strip()
    if not name:
        raise ModelError(
            "a model's name is empty; write for example --models baseline/ngram,openai/gpt-4o-mini"
        )
    if name in aliases:
        return _resolve_alias(name, asked, aliases)
    route, how, api_base = _find_route(name, aliases)
    return Resolved(_shown(route), asked, route, ModelSettings(model=route, api_base=api_base), how)


def _shown(route: str) -> str:
    """The name in results: the route, but of a recording only the file's name without folder and suffix,
    and of a folder of weights only its own name."""
    if route.startswith("hf/") and os.path.isdir(folder := os.path.expanduser(route.removeprefix("hf/"))):
        return f"hf/{os.path.basename(os.path.abspath(folder))}"
    if not route.startswith("replay/"):
        return route
    file, mark, model = route.removeprefix("replay/").partition("#")
    return f"replay/{PurePath(file).stem}{mark}{model}"


def model_info(resolved: Resolved, model: Model) -> ModelInfo:
    """The record of a model that a run keeps: names, route, server, capabilities and list price."""
    price = None
    if resolved.provider not in BUILT_IN:
        price = resolved.settings.price or catalog.price(resolved.route)
    return ModelInfo(
        name=resolved.name,
        asked=resolved.asked,
        route=resolved.route,
        provider=resolved.provider,
        capabilities=tuple(sorted(model.capabilities)),
        api_base=resolved.api_base,
        price={"input": price.input, "output": price.output, "source": price.source} if price else None,
        revision=getattr(model, "revision", None) or resolved.settings.revision,
        notes=(resolved.how,),
        facts=resolved.settings.about,
    )


def _resolve_alias(alias: str, asked: str, aliases: Mapping[str, ModelSettings]) -> Resolved:
    """The model that evalkit.yaml defines under `alias`."""
    settings = aliases[alias]
    target = settings.model
    if target != alias and target in aliases and "/" not in target:
        raise ConfigError(
            f"model {alias!r} in evalkit.yaml points at {target!r}, which is itself an alias; "
            f"write its model there: {aliases[target].model}"
        )
    try:
        route, _, api_base = _find_route(target, {})
    except ModelError as error:
        if settings.api_base is None:
            raise ModelError(f"model {alias!r} in evalkit.yaml: {error}") from None
        route, api_base = f"openai/{target}", None  # a server of one's own: OpenAI's protocol, any name
    how = f"{alias} is defined in evalkit.yaml as {route}"
    if settings.api_base:
        how = f"{how} at {providers.without_credentials(settings.api_base)}"
    settings = replace(settings, model=route, api_base=settings.api_base or api_base)
    return Resolved(alias, asked, route, settings, how)


def _find_route(name: str, aliases: Mapping[str, ModelSettings]) -> tuple[str, str, str | None]:
    """(route, how it was found, server address or None) of a name that is not an alias."""
    prefix, slash, rest = name.partition("/")
    if slash and not rest:
        raise ModelError(f"{name!r} lacks the model's name after the slash. {_examples(name, aliases)}")
    if slash and prefix in BUILT_IN:
        return name, f"{name} is built in" if prefix != "hf" else f"{name} runs in this process", None
    known = catalog.models()
    if slash and prefix in catalog.providers():
        return name, f"{name} names its provider", None
    if name in known:
        provider = catalog.provider_of(known[name])
        if provider == "vertex_ai" and f"gemini/{name}" in known:
            provider = "gemini"  # the same models with an API key instead of a cloud project
        route = name if slash and prefix == provider else f"{provider}/{name}"
        return route, f"{name} is {route} in LiteLLM's model map", None
    base = providers.address("ollama_chat", ModelSettings(model=name)) or ""
    tags = ollama_models(base)
    if any(name in (tag, tag.removesuffix(":latest")) for tag in tags):
        route = f"ollama_chat/{name}"
        return route, f"{name} is {route}: the Ollama at {providers.without_credentials(base)} has it", base
    raise ModelError(_unknown(name, aliases, tags))


def ollama_models(base: str) -> tuple[str, ...]:
    """The tags that the Ollama at `base` lists; nothing when none answers within half a second."""
    import http.client

    parts = urlsplit(base)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = connect(parts.hostname or "127.0.0.1", parts.port, timeout=_OLLAMA_TIMEOUT_S)
        try:
            connection.request("GET", f"{parts.path}/api/tags")
            reply = connection.getresponse()
            document = orjson.loads(reply.read()) if reply.status == 200 else {}
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException):
        return ()
    entries = document.get("models") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return ()
    names = (entry.get("name") for entry in entries if isinstance(entry, dict))
    return tuple(name for name in names if isinstance(name, str))


def _unknown(name: str, aliases: Mapping[str, ModelSettings], tags: tuple[str, ...]) -> str:
    """The message for a name that means nothing: why, what is near, what to write instead."""
    prefix, slash, _ = name.partition("/")
    known = catalog.models()
    offers = sorted(
        route
        for route in known
        if route.endswith(f"/{name}") and route.count("/") == 1 and not route.startswith("ollama")
    )
    if offers:
        return f"{name!r} needs its provider; LiteLLM's map has {', '.join(offers[:4])}"
    if slash and os.path.exists(name):
        return f"{name!r} is a path; write hf/{name} for weights, replay/{name} for recorded outputs"
    if slash:
        hint = did_you_mean(prefix, [*catalog.providers(), *BUILT_IN], n=1)
        return (
            f"{prefix!r} is no provider that LiteLLM knows.{hint} If {name!r} is a Hugging Face id, "
            f"write hosted_vllm/{name} (a vLLM server; its address is api_base in evalkit.yaml) "
            f"or hf/{name} (in this process)"
        )
    bare = [route for route in known if "/" not in route]
    hint = did_you_mean(name, [*aliases, *bare, *BUILT_IN, *tags])
    ollama = f"the local Ollama has {', '.join(sorted(tags)[:8])}" if tags else "no local Ollama lists it"
    return (
        f"no model {name!r}: no alias in evalkit.yaml, not in LiteLLM's map, {ollama}.{hint} "
        f"{_examples(name, aliases)}"
    )


def _examples(name: str, aliases: Mapping[str, ModelSettings]) -> str:
    """What a user can write instead."""
    name = name.strip("/") or "llama3"
    text = (
        f"Write provider/name, such as openai/gpt-4o-mini or ollama_chat/{name}; "
        f"or define it in evalkit.yaml: models: {{{name}: {{model: openai/{name}, api_base: http://127.0.0.1:8000/v1}}}}"
    )
    return f"{text}. Aliases there are: {', '.join(sorted(aliases))}" if aliases else text
