"""Words as IFEval counts them; its authors call NLTK, whose rules these are. Sentences are in punkt.py."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
# The Treebank tokenizer as NLTK 3.9.1 has it, as far as it tells on words in capital letters.
_APART = re.compile(r"\.{2,}|-{2,}|'{2}|[;@#$%&?!*()\[\]{}<>\"`“”„«»‘’]|[:,](?!\d)")
_BEFORE_LETTER = re.compile(r"'(?!re|ve|ll|m|t|s|d|n)(?=\w\b)", re.IGNORECASE)
_CLITICS = (
    re.compile(r"(?<=[^' ])('[smd]|') ", re.IGNORECASE),
    re.compile(r"(?<=[^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "),
)
_FUSED = re.compile(
    r"\b(?:(can)(not)|(d)('ye)|(gim)(me)|(gon)(na)|(got)(ta)|(lem)(me)|(more)('n)|(wan)(na)(?= ))(?!\w)"
    r"|(?<= )('t)(is|was)\b",
    re.IGNORECASE,
)


def count_words(text: str) -> int:
    """Runs of letters, digits and underscores: "don't" counts twice."""
    return len(_WORD.findall(text))


def count_capital_words(text: str) -> int:
    """Tokens in capital letters, as the Treebank tokenizer makes them: "I'M" is two of them."""
    text = f" {' '.join(_BEFORE_LETTER.sub(chr(39) + ' ', _APART.sub(' ', text)).split())} "
    for clitic in _CLITICS:
        text = clitic.sub(r" \1 ", text)
    text = _FUSED.sub(lambda found: " ".join(part for part in found.groups() if part), text)
    return sum(token.isupper() for token in text.split())
