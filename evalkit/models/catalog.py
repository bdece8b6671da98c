"""LiteLLM's own lists (models, prices, providers), read from its package without importing it.

`import litellm` costs three seconds; its bundled map is a JSON file that is read in 25 ms. What is
known of a model therefore costs nothing before the first call.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from evalkit.core.errors import ModelError
from evalkit.models.settings import Price

__all__ = ["litellm_version", "model_entry", "models", "price", "provider_of", "providers"]

MAP_FILE = "model_prices_and_context_window_backup.json"

_TEXT_MODES = frozenset({"chat", "completion", "responses"})
"""The map's modes of models that answer with text; the others embed, draw, listen or search."""

_USUAL_PROVIDERS = (
    "openai anthropic azure azure_ai bedrock cerebras cohere cohere_chat custom_openai dashscope databricks "
    "deepinfra deepseek fireworks_ai gemini github groq hosted_vllm huggingface llamafile lm_studio "
    "litellm_proxy mistral moonshot nvidia_nim ollama ollama_chat openrouter perplexity replicate sambanova "
    "text-completion-openai together_ai vertex_ai volcengine watsonx xai xinference zai"
)
"""Stands in for LiteLLM's list should a version of it hide the list where we do not find it."""


@lru_cache(maxsize=1)
def litellm_version() -> str:
    """The version of the installed LiteLLM, such as `1.106.2`."""
    try:
        return importlib.metadata.version("litellm")
    except importlib.metadata.PackageNotFoundError:
        raise ModelError("LiteLLM is not installed; install it: pip install litellm") from None


@lru_cache(maxsize=1)
def _root() -> Path:
    """The folder of the installed LiteLLM, found without running it."""
    spec = importlib.util.find_spec("litellm")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError("LiteLLM is not installed; install it: pip install litellm")
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=1)
def models() -> Mapping[str, Mapping[str, Any]]:
    """Model -> what LiteLLM's bundled map says of it, for all models that answer with text."""
    return _entries(_TEXT_MODES)


@lru_cache(maxsize=1)
def embedders() -> Mapping[str, Mapping[str, Any]]:
    """The same for the models that make embeddings."""
    return _entries(frozenset({"embedding"}))


def _entries(modes: frozenset[str]) -> dict[str, Mapping[str, Any]]:
    path = _root() / MAP_FILE
    try:
        entries: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}  # a LiteLLM that moved its map: names need their provider and prices are unknown
    return {
        name: entry
        for name, entry in entries.items()
        if isinstance(entry, dict)
        and "litellm_provider" in entry
        and entry.get("mode", "chat") in modes
        and name != "sample_spec"
    }


@lru_cache(maxsize=1)
def providers() -> frozenset[str]:
    """The provider prefixes that LiteLLM knows, `openai`, `hosted_vllm`, ..."""
    found = set(_USUAL_PROVIDERS.split())
    with contextlib.suppress(OSError, IndexError):  # otherwise the usual ones remain
        source = (_root() / "types" / "utils.py").read_text(encoding="utf-8")
        body = source.split("class LlmProviders(", 1)[1].split("\n\n\n", 1)[0]
        found.update(re.findall(r'^    [A-Z0-9_]+ = "([^"]+)"', body, re.MULTILINE))
    with contextlib.suppress(OSError, orjson.JSONDecodeError):
        found.update(orjson.loads((_root() / "llms" / "openai_like" / "providers.json").read_bytes()))
    return frozenset(found)


_ENCODINGS = {
    "cl100k_base": "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
    "o200k_base": "fb374d419588a4632f3f557e76b4b70aebbca790",
}
"""OpenAI's tokenizers as LiteLLM's package holds them: name -> file (tiktoken names it by its address)."""


def tokenizer_folder(encoding: str | None = None) -> Path | None:
    """The folder of LiteLLM's package with OpenAI's tokenizers; None where it, or this one, is not there."""
    try:
        folder = _root() / "litellm_core_utils" / "tokenizers"
    except ModelError:
        return None
    if encoding is not None and not (folder / _ENCODINGS.get(encoding, "-")).is_file():
        return None
    return folder if folder.is_dir() else None


def model_entry(route: str) -> Mapping[str, Any] | None:
    """What the map says of `provider/name`: under the full name, else under the bare one if the provider
    is the same; None when it says nothing."""
    return _entry(models(), route)


def _entry(known: Mapping[str, Mapping[str, Any]], route: str) -> Mapping[str, Any] | None:
    if route in known:
        return known[route]
    provider, _, name = route.partition("/")
    entry = known.get(name)
    return entry if entry is not None and provider_of(entry) == provider else None


def provider_of(entry: Mapping[str, Any]) -> str:
    """The prefix under which LiteLLM takes a model of the map (`vertex_ai`, never `vertex_ai-models`)."""
    provider = str(entry["litellm_provider"])
    if provider.startswith("vertex_ai"):
        return "vertex_ai"
    return "bedrock" if provider == "bedrock_converse" else provider


def price(route: str) -> Price | None:
    """The list price of `provider/name` in LiteLLM's bundled map; None when it is unknown.

    Tiered prices (long contexts, batch, priority) are not followed: the base price stands.
    """
    provider, _, name = route.partition("/")
    if provider in ("ollama", "ollama_chat") and "cloud" not in name:
        return Price(input=0.0, output=0.0, source="runs on the user's own machine")
    entry = model_entry(route) or _entry(embedders(), route)
    if entry is None:
        return None
    amounts = [entry.get(key) for key in ("input_cost_per_token", "output_cost_per_token")]
    if not all(isinstance(amount, int | float) for amount in amounts):
        return None
    if not any(amounts):
        return None  # a zero in the map means that nobody filled it in, or a free tier that ends
    cached = entry.get("cache_read_input_token_cost")
    return Price(
        input=float(amounts[0] or 0.0),
        output=float(amounts[1] or 0.0),
        source=f"LiteLLM {litellm_version()}, bundled map",
        cached=float(cached) if isinstance(cached, int | float) else None,
    )
