"""Sentences as Punkt finds them, from what is known of a language's words.

Definition: T. Kiss and J. Strunk, "Unsupervised Multilingual Sentence Boundary Detection", Computational
Linguistics 32:4, 2006, with the details of NLTK 3.9.1, which IFEval's authors call. NLTK's English model was
made of the Wall Street Journal, and its licence is not settled (nltk_data #188): it is no part of evalkit.
`OWN` holds words of ours in its place, and `read_knowledge` reads the model from a folder that has it (NLTK's
`punkt_tab/english`, four text files).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from evalkit.core.errors import MetricError
from evalkit.metrics.ifeval.words import ABBREVIATIONS, COMMON_WORDS, LATIN_ABBREVIATIONS

_MULTIPLE = r"(?:-{2,}|\.{2,}|(?:\.\s){2,}\.)"
_OUTSIDE = r"[?!)\";}\]*:@'({\[]"
# A mark, then something that is no part of a word, or white space and a further word.
_CANDIDATE = re.compile(rf"[.?!](?=(?P<after>{_OUTSIDE}|\s+(?P<following>\S+)))")
_TOKEN = re.compile(
    rf"{_MULTIPLE}|(?=[^(\"`{{\[:;&#*@)}}\]\-,])\S+?(?=\s|$|{_OUTSIDE}|{_MULTIPLE}|,(?=$|\s|{_OUTSIDE}|{_MULTIPLE}))|\S"
)
_CLOSERS = re.compile(r"[\"')\]}]+?(?:\s+|(?=--)|$)", re.MULTILINE)
_NUMBER = re.compile(r"-?[.,]?\d[\d,.-]*\.?")
_INITIAL = re.compile(r"[^\W\d]\.")
_WHITE = " \t\n\r\x0b\x0c"

# The bits of a word's orthographic contexts, as the model's file has them.
_UPPER_INSIDE, _UPPER = 4, 2 | 4 | 8
_LOWER_FIRST, _LOWER = 16, 16 | 32 | 64


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What Punkt knows of a language."""

    name: str
    """How a signature calls it."""
    abbreviations: frozenset[str]
    """In lower case, without the last full stop."""
    starters: frozenset[str]
    """Words that often begin a sentence, in lower case."""
    contexts: dict[str, int]
    """A word in lower case -> in which cases and places it was seen, as bits."""
    collocations: frozenset[tuple[str, str]] = frozenset()
    """Pairs of words between which a full stop ends nothing."""


_COMMON = dict.fromkeys(COMMON_WORDS, 2 | 32)  # at the beginning of a sentence, and small inside one
OWN = Knowledge("own", ABBREVIATIONS, frozenset(), _COMMON)
"""Words of ours, chosen so that sentences are counted as NLTK counts them: "etc." ends one."""
PLAIN = Knowledge("plain", ABBREVIATIONS | LATIN_ABBREVIATIONS, frozenset(), _COMMON)
"""As a reader counts: "e.g.", "etc." and "no. 5" end none by themselves."""


@lru_cache(maxsize=4)
def read_knowledge(folder: Path) -> Knowledge:
    """The English model in NLTK's folder `punkt_tab/english`, called `punkt` in signatures.

    Raises MetricError when a file is missing or is not of NLTK's form.
    """
    try:
        lines = {
            name: (folder / name).read_text("utf-8").splitlines()
            for name in ("abbrev_types.txt", "sent_starters.txt", "ortho_context.tab", "collocations.tab")
        }
        contexts = {word: int(bits) for word, bits in (x.split("\t") for x in lines["ortho_context.tab"])}
        pairs = frozenset(
            (first, second) for first, second in (x.split("\t") for x in lines["collocations.tab"])
        )
    except (OSError, ValueError) as error:
        raise MetricError(
            f"{folder} holds no Punkt model ({error}). It must be the folder punkt_tab/english that "
            f"`python -m nltk.downloader punkt_tab` brings, with abbrev_types.txt and three more files"
        ) from None
    return Knowledge(
        "punkt", frozenset(lines["abbrev_types.txt"]), frozenset(lines["sent_starters.txt"]), contexts, pairs
    )


def count_sentences(text: str, knowledge: Knowledge = OWN) -> int:
    """How many sentences there are; a line break alone ends none, the number of a list item does."""
    cuts = _cut(text, knowledge)
    count, shift = 0, 0
    for (start, stop), following in zip(cuts, [*cuts[1:], None], strict=True):
        # Closing quotes and brackets belong to the sentence that ended.
        closers = _CLOSERS.match(text[following[0] : following[1]]) if following else None
        count += bool(closers) or start + shift < stop
        shift = closers.end() if closers else 0
    return count


def _cut(text: str, knowledge: Knowledge) -> list[tuple[int, int]]:
    """The sentences' places before closing marks are moved."""
    cuts, start = [], 0
    for end, context in _candidates(text):
        if _breaks(context, knowledge):
            cuts.append((start, end.end()))
            start = end.start("following") if end.group("following") else end.end()
    return [*cuts, (start, len(text.rstrip()))]


def _candidates(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Marks that may end a sentence, each with the words around it; of several on one word the last."""
    last: re.Match[str] | None = None
    start = stop = 0
    for found in _CANDIDATE.finditer(text):
        space = max(text.rfind(character, stop, found.start()) for character in _WHITE)
        begin = space + 1 if space > stop else start
        if last and stop <= begin:
            yield last, text[start:stop] + last.group() + last.group("after")
        last, start, stop = found, begin, found.start()
    if last:
        yield last, text[start:stop] + last.group() + last.group("after")


def _breaks(context: str, knowledge: Knowledge) -> bool:
    """Whether a sentence ends within these words, at any but the last of them."""
    words = [token for line in context.split("\n") for token in _TOKEN.findall(line)]
    return any(_ends(word, following, knowledge) for word, following in pairwise(words))


def _ends(word: str, following: str, knowledge: Knowledge) -> bool:
    """Whether a sentence ends between the two words."""
    if not word.endswith("."):
        return word in ("?", "!")
    ends = _ends_alone(word, knowledge)
    kind, next_kind = _kind(word).removesuffix(".") or ".", _kind(following)
    if len(following) > 1 and _ends_alone(following, knowledge):
        next_kind = next_kind.removesuffix(".")
    if (kind, next_kind) in knowledge.collocations:
        return False
    seen = knowledge.contexts.get(next_kind, 0)
    initial = _INITIAL.fullmatch(word) is not None
    starts = _starts(following, seen)
    if not ends and not initial:  # an abbreviation or an ellipsis
        return starts is True or (following[0].isupper() and next_kind in knowledge.starters)
    if initial or kind == "##number##":
        unknown_name = starts is None and initial and following[0].isupper() and not seen & _LOWER
        if starts is False or unknown_name:
            return False
    return ends


def _ends_alone(word: str, knowledge: Knowledge) -> bool:
    """Whether the word's own full stop ends a sentence, by the word alone: no ellipsis, no abbreviation."""
    if not word.endswith(".") or word.endswith(".."):
        return False
    bare = word[:-1].lower()
    return word == "." or knowledge.abbreviations.isdisjoint((bare, bare.rsplit("-", 1)[-1]))


def _kind(word: str) -> str:
    """The word in lower case; every number is the same."""
    return "##number##" if _NUMBER.fullmatch(word) else word.lower()


def _starts(word: str, seen: int) -> bool | None:
    """Whether the word begins a sentence, by its case and those in which it was seen; None is unknown."""
    if word in (";", ":", ",", ".", "!", "?"):
        return False
    if word[0].isupper() and seen & _LOWER and not seen & _UPPER_INSIDE:
        return True
    if word[0].islower() and (seen & _UPPER or not seen & _LOWER_FIRST):
        return False
    return None
