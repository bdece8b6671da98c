"""Every word of the interface, in English and Chinese, from evalkit/pages/languages/*.json."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from markupsafe import Markup, escape

from evalkit.core.errors import UsageError, did_you_mean
from evalkit.pages.formats import visible

FOLDER = Path(__file__).parent / "languages"
LANGUAGES = ("en", "zh")
AUTO = "auto"
"""The reader's language: what they chose last on a page of evalkit, else their browser's, else English."""
LANGUAGE_TAGS: Mapping[str, str] = MappingProxyType({"en": "en", "zh": "zh-Hans"})
"""What `<html lang>` says for each language."""


@functools.cache
def load_texts(language: str) -> Mapping[str, str]:
    """Key -> words in a language. Raises UsageError for one that is not there."""
    if language not in LANGUAGES:
        raise UsageError(
            f"no pages in the language {language!r}; there are: {', '.join(LANGUAGES)}."
            f"{did_you_mean(language, LANGUAGES)}"
        )
    content: dict[str, str] = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return MappingProxyType(content)


_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")
_TIMES = re.compile(r" \((\d+)x\)$")


@functools.cache
def _sentences() -> Sequence[tuple[str, re.Pattern[str]]]:
    """The sentences that evalkit writes into runs, each with its pattern, longest first."""
    found = {key: text for key, text in load_texts("en").items() if key.startswith("said.")}
    ordered = sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    return [(key, re.compile(_PLACEHOLDER.sub(r"(?P<\1>.+?)", re.escape(text)))) for key, text in ordered]


class Translator:
    """Words in the language in which a page opens, marked so that its script can change them."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = load_texts(language)

    def text(self, key: str, **values: object) -> str:
        """The words for `key`, its {placeholders} filled in, a {reason} in words. Raises KeyError."""
        words = self._texts[key]
        for name, value in values.items():
            told = self._texts.get(f"reason.{value}", str(value)) if name == "reason" else str(value)
            words = words.replace(f"{{{name}}}", told)
        return words

    def span(self, key: str, **values: object) -> Markup:
        """The words as an element whose text follows the language of the page."""
        return Markup("<span{}>{}</span>").format(self.mark(key, **values), self.text(key, **values))

    def mark(self, key: str, **values: object) -> Markup:
        """The attributes that let the text of an element follow the language of the page."""
        return Markup(' data-t="{}"{}').format(key, _arguments("data-t-args", values))

    def attribute(self, name: str, key: str, **values: object) -> Markup:
        """An attribute, such as title, whose value follows the language of the page."""
        return Markup(' {0}="{1}" data-t-{0}="{2}"{3}').format(
            name, self.text(key, **values), key, _arguments(f"data-t-{name}-args", values)
        )

    def said(self, text: str) -> Markup:
        """A sentence that a run holds in English, in the language of the page where it is one of evalkit's.

        What else a provider, a model or a task said stands as it is.
        """
        times = _TIMES.search(text)
        plain = text if times is None else text[: times.start()]
        for key, pattern in _sentences():
            match = pattern.fullmatch(plain)
            if match is not None:
                values = {name: visible(value) for name, value in match.groupdict().items()}
                words = self.span(key, **values)
                return words if times is None else words + Markup(" ({}×)").format(times[1])
        return Markup("{}").format(visible(text))

    def has(self, key: str) -> bool:
        """Whether there are words for `key`."""
        return key in self._texts

    def name(self, kind: str, name: str) -> Markup:
        """The translated name of a metric, status or mode, with the term itself as its title."""
        key = f"{kind}.{name}"
        if not self.has(key):
            return Markup("<span>{}</span>").format(name)
        return Markup('<span title="{}"{}>{}</span>').format(name, self.mark(key), self.text(key))


def _arguments(name: str, values: Mapping[str, object]) -> Markup:
    if not values:
        return Markup("")
    encoded = json.dumps({key: str(value) for key, value in values.items()}, ensure_ascii=False)
    return Markup(' {}="{}"').format(name, escape(encoded))
