"""What a user says of a model in evalkit.yaml: where it is served, whose key, how fast, at what price."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from urllib.parse import urlsplit

from evalkit.core.errors import ConfigError, UsageError, did_you_mean
from evalkit.core.records import ModelFacts
from evalkit.models.facts import parse_facts
from evalkit.models.parameters import check_parameters
from evalkit.models.protocol import CAPABILITIES

__all__ = ["ModelSettings", "Price", "parse_settings"]

_SECRET_HEADERS = re.compile(r"authorization|cookie|token|secret|api[-_]?key|password", re.IGNORECASE)
_DEAREST_TOKEN_USD = 0.01
"""Above this, a price is one per thousand or per million tokens: no model costs 10,000 dollars a million."""


@dataclass(frozen=True, slots=True)
class Price:
    """List price of a model."""

    input: float
    """US dollars per prompt token."""
    output: float
    """US dollars per completion token."""
    source: str = "evalkit.yaml"
    """Where the price is from, with its version or date."""
    cached: float | None = None
    """US dollars per prompt token that the provider had cached; None when it is not told apart."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How one model is reached. Never holds a key, only the name of the variable that does."""

    model: str
    """`provider/name` as LiteLLM takes it, or a bare name that resolution completes."""
    api_base: str | None = None
    """The server's address; None for the provider's own."""
    api_key_env: str | None = None
    """The environment variable that holds the key; None for the provider's usual one."""
    api_version: str | None = None
    """The API's version where a provider asks for one (azure); None otherwise."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Generation parameters of this model under LiteLLM's names."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Extra HTTP headers, nothing secret."""
    headers_env: Mapping[str, str] = field(default_factory=dict)
    """Extra HTTP headers whose value is in an environment variable: header -> variable."""
    max_connections: int | None = None
    """Most calls in flight at once; None for the default."""
    timeout_s: float | None = None
    """Seconds for one attempt, from sending to the last byte; None for the default."""
    rpm: float | None = None
    """Requests a minute that the account allows; None when unlimited or unknown."""
    tpm: float | None = None
    """Tokens a minute that the account allows; None when unlimited or unknown."""
    price: Price | None = None
    """The user's own price; None to look it up in LiteLLM's map."""
    capabilities: tuple[str, ...] | None = None
    """Overrides what the model is taken to be able to do; None to derive it from the route."""
    revision: str | None = None
    """The revision of the weights, where the user knows it; None otherwise."""
    about: ModelFacts = field(default_factory=ModelFacts)
    """What pages say of the model and filter by: organisation, weights, license, size, released."""
    workers: int | None = None
    """Replicas with --executor ray; None: as many as the cluster has room for."""
    num_cpus: float | None = None
    """CPUs of each replica with --executor ray; None: 1."""
    num_gpus: float | None = None
    """GPUs of each replica with --executor ray, also a part of one; None: 1 for hf/ where there are any."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Options of a built-in model, such as the column names of replay/ (output, id, input, missing)."""


def parse_settings(alias: str, raw: object, where: str) -> ModelSettings:
    """The settings of the model `alias` as `where` (a file) gives them: a name, or a mapping.

    Raises ConfigError that names file, model and key for anything unknown, mistyped or secret.
    """
    place = f"{where}: model {alias!r}"
    if isinstance(raw, str):
        raw = {"model": raw}
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{place} must be a name such as openai/gpt-4o-mini or a mapping, not {_kind(raw)}")
    known = [f.name for f in fields(ModelSettings)]
    for key in raw:
        if key in ("api_key", "key", "token"):
            raise ConfigError(
                f"{place} holds a literal `{key}`; keys do not belong in a file. Put it into an environment "
                "variable and name that: `api_key_env: MY_SERVER_KEY`"
            )
        if key not in known:
            hint = did_you_mean(str(key), known) or f" The keys are: {', '.join(known)}."
            raise ConfigError(f"{place} has an unknown key {key!r}.{hint}")
    if raw.get("model") is None:
        raise ConfigError(f"{place} lacks `model`; write for example `model: openai/gpt-4o-mini`")
    values = {
        key: _PARSERS[key](value, f"{place}, key `{key}`") for key, value in raw.items() if value is not None
    }
    return ModelSettings(**values)


def _kind(value: object) -> str:
    """The name of a value's type as a YAML user knows it."""
    names: dict[type, str] = {
        dict: "a mapping",
        list: "a list",
        str: "a text",
        int: "a number",
        float: "a number",
        bool: "a truth value",
    }
    return "nothing" if value is None else names.get(type(value), type(value).__name__)


def _text(value: object, place: str) -> str:
    """The value as a non-empty text without white space round it."""
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{place} must be a text, not {_kind(value)}")
    return value.strip()


def _address(value: object, place: str) -> str:
    """The value as an http(s) address without credentials and without a slash at its end."""
    text = _text(value, place)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{place} is {text!r}; write a whole address such as http://127.0.0.1:8000/v1")
    if parts.username or parts.password:
        raise ConfigError(
            f"{place} holds a user name or password; name a variable with `api_key_env` instead"
        )
    try:
        _ = parts.port
    except ValueError as error:
        raise ConfigError(f"{place} is {text!r}, whose port is not a number below 65536") from error
    return text.rstrip("/")


def _variable(value: object, place: str) -> str:
    """The value as the name of an environment variable."""
    text = _text(value, place)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", text):
        raise ConfigError(
            f"{place} must be the name of an environment variable such as OPENAI_API_KEY, not the key itself"
        )
    return text


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    """The value as a mapping with textual keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ConfigError(f"{place} must be a mapping, not {_kind(value)}")
    return dict(value)


def _params(value: object, place: str) -> Mapping[str, Any]:
    """The value as generation parameters."""
    params = _mapping(value, place)
    try:
        check_parameters(params, place)
    except UsageError as error:
        raise ConfigError(str(error)) from None
    return params


def _headers(value: object, place: str) -> Mapping[str, str]:
    """The value as header -> text; a header that by its name is a secret is refused."""
    headers = {key: str(item) for key, item in _mapping(value, place).items()}
    for header in headers:
        if _SECRET_HEADERS.search(header):
            raise ConfigError(
                f"{place}: the header {header!r} looks like a secret; put its value into an environment "
                f"variable and write `headers_env: {{{header}: MY_VARIABLE}}`"
            )
    return headers


def _headers_env(value: object, place: str) -> Mapping[str, str]:
    """The value as header -> name of an environment variable."""
    return {key: _variable(item, f"{place}, header {key!r}") for key, item in _mapping(value, place).items()}


def _number(value: object, place: str) -> float:
    """The value as a finite number; `3e-6`, which YAML reads as a text, is a number too."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ConfigError(f"{place} must be a number, not {value!r}") from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ConfigError(f"{place} must be a number, not {_kind(value)}")
    return float(value)


def _positive(value: object, place: str) -> float:
    """The value as a number above zero."""
    number = _number(value, place)
    if number <= 0:
        raise ConfigError(f"{place} must be above 0, not {number:g}")
    return number


def _amount(value: object, place: str) -> float:
    """The value as a number from zero."""
    number = _number(value, place)
    if number < 0:
        raise ConfigError(f"{place} must not be below 0, not {number:g}")
    return number


def _count(value: object, place: str) -> int:
    """The value as a whole number from 1."""
    number = _positive(value, place)
    if number != int(number):
        raise ConfigError(f"{place} must be a whole number, not {number:g}")
    return int(number)


def _price(value: object, place: str) -> Price:
    """The value as a price with `input` and `output`, US dollars per token."""
    raw = _mapping(value, place)
    for key in raw:
        if key not in ("input", "output", "cached"):
            hint = did_you_mean(key, ("input", "output", "cached")) or " The keys are: input, output, cached."
            raise ConfigError(f"{place} has an unknown key {key!r}.{hint}")
    for key in ("input", "output"):
        if key not in raw:
            raise ConfigError(f"{place} lacks `{key}` (US dollars per token)")
    amounts: dict[str, float] = {}
    for key, item in raw.items():
        amounts[key] = _number(item, f"{place}.{key}")
        if amounts[key] < 0:
            raise ConfigError(f"{place}.{key} must not be below 0")
        if amounts[key] > _DEAREST_TOKEN_USD:
            raise ConfigError(
                f"{place}.{key} is {amounts[key]:g} US dollars for one token; prices are per token, "
                f"so {amounts[key]:g} dollars per million tokens are written {amounts[key]:g}e-6"
            )
    return Price(amounts["input"], amounts["output"], cached=amounts.get("cached"))


def _capabilities(value: object, place: str) -> tuple[str, ...]:
    """The value as a list of capability names."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        raise ConfigError(f"{place} must be a list, not {_kind(value)}")
    for word in words:
        if word not in CAPABILITIES:
            hint = did_you_mean(str(word), CAPABILITIES) or f" There are: {', '.join(CAPABILITIES)}."
            raise ConfigError(f"{place} has an unknown word {word!r}.{hint}")
    return tuple(word for word in CAPABILITIES if word in words)


_PARSERS: Mapping[str, Callable[[object, str], Any]] = {
    "model": _text,
    "api_base": _address,
    "api_key_env": _variable,
    "api_version": lambda value, place: _text(str(value), place),
    "params": _params,
    "headers": _headers,
    "headers_env": _headers_env,
    "max_connections": _count,
    "timeout_s": _positive,
    "rpm": _positive,
    "tpm": _positive,
    "price": _price,
    "capabilities": _capabilities,
    "revision": lambda value, place: _text(str(value), place),
    "about": parse_facts,
    "workers": _count,
    "num_cpus": _amount,
    "num_gpus": _amount,
    "options": _mapping,
}
