"""The guard against a metric that reads words by spaces where there are none."""

from __future__ import annotations

from collections.abc import Iterable

from evalkit.core.language import detect_language, unspaced_share
from evalkit.metrics.base import Metric

# More than this share of characters in scripts without spaces, and the metric's rules do not fit the text.
MAX_SHARE = 0.20
_NAMES = {"zh": "Chinese", "ja": "Japanese", "ko": "Korean", "th": "Thai"}


def language_warning(metric: Metric, texts: Iterable[str]) -> str | None:
    """What is wrong when a metric for spaced languages meets text of another kind; None when nothing is.

    `texts` are answers and targets, or a sample of them.
    """
    if not metric.guarded:
        return None
    text = "\n".join(texts)
    share = unspaced_share(text)
    if share <= MAX_SHARE:
        return None
    lang = detect_language([text])
    name = _NAMES.get(lang, lang)
    return (
        f"{metric.name} ({metric.signature}) is made for languages with spaces between words, and "
        f"{share:.0%} of the text is in a script without (it looks {name}): its value means little; "
        f"set `language: {lang}` in the task"
    )
