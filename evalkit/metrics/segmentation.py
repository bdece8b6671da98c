"""Chinese words, on request: where they end is a library's opinion, so that the signature names it.

Characters are evalkit's units in Chinese, which need no library. Words are for comparison with papers that
cut: rjieba (jieba's dictionary and algorithm, compiled) is preferred to jieba where both are installed; on
mixed lines the two cut a little differently.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

from evalkit.core.errors import MetricError
from evalkit.core.language import clean_text


@cache
def segmenter() -> tuple[Callable[[str], Sequence[str]], str]:
    """The function that cuts a text into words, and the library with its version.

    Raises MetricError where no library for it is installed.
    """
    if importlib.util.find_spec("rjieba"):
        import rjieba

        return rjieba.cut, f"rjieba-{importlib.metadata.version('rjieba')}"
    if importlib.util.find_spec("jieba"):
        import logging
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in its own source
            import jieba

        jieba.setLogLevel(logging.WARNING)  # it reports its loading on stderr
        return jieba.lcut, f"jieba-{importlib.metadata.version('jieba')}"
    raise MetricError(
        "`unit: word` needs a library that cuts Chinese into words; install one: pip install rjieba "
        "(or jieba); or leave it out: characters are the usual unit in Chinese"
    )


def words(text: str) -> tuple[str, ...]:
    """The words of a Chinese text: NFKC, lower case, without punctuation and white space."""
    cut, _ = segmenter()
    text = unicodedata.normalize("NFKC", clean_text(text)).lower()
    return tuple(word for word in cut(text) if any(unicodedata.category(ch)[0] not in "PZC" for ch in word))
