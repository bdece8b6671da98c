"""Length constraints: how many words, sentences and paragraphs, and how a paragraph begins."""

from __future__ import annotations

import re

from evalkit.metrics.ifeval.arguments import Arguments, Checker
from evalkit.metrics.ifeval.punkt import count_sentences
from evalkit.metrics.ifeval.text import count_words

_DIVIDER = re.compile(r"\s?\*\*\*\s?")
_WORD_END = re.compile(r"[.,?!'\"]")


def follows_number_words(response: str, arguments: Arguments) -> bool:
    """Whether there are at least, or less than, so many words."""
    return arguments.compare("relation", count_words(response), "num_words")


def follows_number_sentences(response: str, arguments: Arguments) -> bool:
    """Whether there are at least, or less than, so many sentences."""
    return arguments.compare(
        "relation", count_sentences(response, arguments.rules.knowledge), "num_sentences"
    )


def follows_number_paragraphs(response: str, arguments: Arguments) -> bool:
    """Whether the divider *** makes exactly so many paragraphs, none of them empty.

    An empty piece before the first divider or after the last one does not count as a paragraph.
    """
    pieces = split_outer(_DIVIDER.split(response))
    return all(pieces) and len(pieces) == arguments.number("num_paragraphs")


def follows_nth_paragraph_first_word(response: str, arguments: Arguments) -> bool:
    """Whether blank lines make exactly so many paragraphs and the nth begins with the word, in any case.

    Empty pieces are not counted as paragraphs, but they hold their place when the nth is looked up.
    """
    pieces = [piece.strip() for piece in response.split("\n\n")]
    n_paragraphs = sum(map(bool, pieces))
    nth = arguments.number("nth_paragraph")
    if not 1 <= nth <= n_paragraphs or not pieces[nth - 1]:
        return False
    word = pieces[nth - 1].split()[0].lstrip("'").lstrip('"')
    first = _WORD_END.split(word, maxsplit=1)[0].lower()
    return (
        n_paragraphs == arguments.number("num_paragraphs") and first == arguments.text("first_word").lower()
    )


def split_outer(pieces: list[str]) -> list[str]:
    """The pieces, stripped, without an empty first and an empty last one."""
    stripped = [piece.strip() for piece in pieces]
    if stripped and not stripped[0]:
        stripped = stripped[1:]
    if stripped and not stripped[-1]:
        stripped = stripped[:-1]
    return stripped


CHECKERS: dict[str, Checker] = {
    "length_constraints:nth_paragraph_first_word": follows_nth_paragraph_first_word,
    "length_constraints:number_paragraphs": follows_number_paragraphs,
    "length_constraints:number_sentences": follows_number_sentences,
    "length_constraints:number_words": follows_number_words,
}
