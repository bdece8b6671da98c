"""Text without secrets: keys are taken out by value and by shape before anything is stored or shown.

A provider may echo the key it refused ("Incorrect API key provided: sk-..."), and LiteLLM passes that on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

__all__ = ["MARK", "Redactor", "redact"]

MARK = "[redacted]"
"""What stands in the place of a secret."""

_SECRET_NAME = re.compile(r"(_|^)(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)$", re.IGNORECASE)
_LONG_ENOUGH = 8
"""A shorter value of a variable that merely ends in _KEY is a word, not a key."""

# What keys look like: OpenAI, Anthropic, OpenRouter, DeepSeek (sk-), Groq, Hugging Face, GitHub, Google, xAI,
# AWS, JSON web tokens (Zhipu), and whatever follows Bearer, Authorization or api_key=.
_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk)-[A-Za-z0-9_*-]{6,}
    | \b(?:gsk|hf|xai|nvapi|pplx|csk|r8|tgp_v1)[_-][A-Za-z0-9_-]{8,}
    | \b(?:ghp|gho|ghs|ghu|github_pat)_[A-Za-z0-9_]{16,}
    | \bAIza[A-Za-z0-9_-]{20,}
    | \bAKIA[A-Z0-9]{12,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+
    | (?<=://)[^\s/:@]+:[^\s/@]+(?=@)
    """,
    re.VERBOSE,
)
_LABELLED = re.compile(
    r"""(?ix)
    ( \b(?:bearer|basic)\s+
    | \b(?:api[-_]?key|x-api-key|x-goog-api-key|access[-_]?token|secret)["']?\s*[=:]\s*["']?(?:bearer\s+)?
    | \bauthorization["']?\s*[=:]\s*["']?(?:bearer\s+|basic\s+)?
    | [?&](?:key|token|api_key)=
    )
    (?!\[redacted\]) ([A-Za-z0-9_+/=.*~-]{6,})
    """
)


class Redactor:
    """Takes secrets out of text. Knows the values given, and the shapes of common keys."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = sorted({secret.strip() for secret in secrets if secret.strip()}, key=len, reverse=True)
        self._values = re.compile("|".join(re.escape(value) for value in values)) if values else None

    @classmethod
    def from_environment(
        cls, variables: Iterable[str] = (), environment: Mapping[str, str] | None = None
    ) -> Redactor:
        """A redactor of the values of `variables` and of those variables whose names end like a key's."""
        environ = os.environ if environment is None else environment
        named = [environ[name] for name in variables if len(environ.get(name, "")) > 3]
        return cls([*_suspects(environ), *named])

    def __call__(self, text: str) -> str:
        """The text with every secret replaced by `[redacted]`."""
        if self._values is not None:
            text = self._values.sub(MARK, text)
        text = _SHAPES.sub(MARK, text)
        return _LABELLED.sub(rf"\1{MARK}", text)

    def knows(self, text: str) -> bool:
        """Whether the text holds one of the secrets that this redactor knows by value."""
        return self._values is not None and self._values.search(text) is not None

    def deep(self, value: Any) -> Any:
        """The same JSON value with every text in it redacted, keys of mappings included."""
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {self(str(key)): self.deep(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(item) for item in value]
        return value


def redact(text: str) -> str:
    """The text without the keys that the environment holds and without anything shaped like a key."""
    return _redactor(tuple(_suspects(os.environ)))(text)


@lru_cache(maxsize=8)
def _redactor(secrets: tuple[str, ...]) -> Redactor:
    """The redactor of these values, compiled once."""
    return Redactor(secrets)


def _suspects(environ: Mapping[str, str]) -> list[str]:
    """Values of variables that are named like secrets and do not look like words."""
    return [
        value
        for name, value in environ.items()
        if len(value) >= _LONG_ENOUGH
        and _SECRET_NAME.search(name)
        and (any(char.isdigit() for char in value) or len(value) >= 2 * _LONG_ENOUGH)
        and not os.path.isabs(value)
    ]
