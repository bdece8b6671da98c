"""Language and change of case: in which language, and in which case, a response is written."""

from __future__ import annotations

from evalkit.core.errors import MetricError
from evalkit.metrics.ifeval.arguments import Arguments, Checker
from evalkit.metrics.ifeval.detection import LANGUAGES, is_language
from evalkit.metrics.ifeval.text import count_capital_words


def follows_response_language(response: str, arguments: Arguments) -> bool:
    """Whether the response is in the language; one that holds nothing to tell it by counts as followed."""
    language = arguments.text("language")
    if language not in LANGUAGES:
        raise MetricError(
            f"IFEval cannot recognise the language {language!r}; it knows {', '.join(sorted(LANGUAGES))}"
        )
    return is_language(response, language)


def follows_english_capital(response: str, arguments: Arguments) -> bool:
    """Whether the response is English in capital letters only."""
    return response.isupper() and _is_english(response, arguments)


def follows_english_lowercase(response: str, arguments: Arguments) -> bool:
    """Whether the response is English in lower-case letters only."""
    return response.islower() and _is_english(response, arguments)


def _is_english(response: str, arguments: Arguments) -> bool:
    return arguments.rules.case_alone or is_language(response, "en")


def follows_capital_word_frequency(response: str, arguments: Arguments) -> bool:
    """Whether at least, or less than, so many words are in capital letters."""
    return arguments.compare("capital_relation", count_capital_words(response), "capital_frequency")


CHECKERS: dict[str, Checker] = {
    "change_case:capital_word_frequency": follows_capital_word_frequency,
    "change_case:english_capital": follows_english_capital,
    "change_case:english_lowercase": follows_english_lowercase,
    "language:response_language": follows_response_language,
}
