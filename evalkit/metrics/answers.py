"""Metrics of short answers: exact match, quasi-exact match and token F1.

Definitions: P. Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP 2016,
section 6.1, and the official script evaluate-v2.0.py; the normal form is that of the task's language
(`evalkit.core.language.normalize_answer`). With several targets the best one counts.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

from evalkit.core.errors import ExtractorError, MetricError
from evalkit.core.language import base_language, normalize_answer, spaced_language, tokenize, unit_language
from evalkit.core.patterns import Pattern
from evalkit.metrics.base import Case, Context, Metric, check_choice, check_target, sign

# A leading zero makes it a code (007), not a number.
_NUMBER = re.compile(r"([+\-−]?)(0|[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d*|(?=\.\d))(\.\d+)?\.?")


def parse_number(text: str) -> Decimal | None:
    """The number that the text is, None when it is anything else: "1,200.0" is 1200, "3 cm" is none."""
    match = _NUMBER.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    sign_, whole, fraction = match.groups()
    number = Decimal(f"{whole.replace(',', '') or '0'}{fraction or ''}")
    return -number if sign_ in ("-", "−") else number


@lru_cache(maxsize=4096)
def _normal(text: str, lang: str) -> str:
    return normalize_answer(text, lang)


@lru_cache(maxsize=4096)
def answer_tokens(text: str, lang: str) -> tuple[str, ...]:
    """The tokens by which short answers overlap: words of the normal form, or units of unspaced languages."""
    if unit_language(lang):
        return tuple(tokenize(text, lang))
    return tuple(normalize_answer(text, lang).split())


def same_answer(answer: str, target: str, lang: str, numeric: bool = True, marks: bool = True) -> bool:
    """Whether the two are equal in normal form; where both are numbers, whether the numbers are equal.

    With `marks`, signs, decimal points, operators and the ends of intervals count as well, which a normal
    form for prose drops: -5 °C is not 5 °C, 10:30 not 1030, C++ not C, + not -. A target whose normal form is
    empty is met by an answer whose own is empty.
    """
    if numeric:
        number = parse_number(target)
        if number is not None:
            other = parse_number(answer)
            if other is not None:
                return number == other
    normal = _normal(answer, lang)
    if normal != _normal(target, lang) or not marks:
        return normal == _normal(target, lang)
    return _marks(answer) == _marks(target) and (bool(normal) or _symbols(answer) == _symbols(target))


_PROSE = ".,;:!?…'\"‘’“”。，、；：！？「」『』《》"
_DASHES = str.maketrans("−－‐‑‒–", "------")
_MARK = re.compile(
    r"""(?<![\w)\]}°%.])-(?=[0-9.\\($€£¥√π]|[a-zA-Z](?![a-zA-Z]))   # a sign: -5, -x, -\\frac
    |(?<=[0-9])[.:/-](?=[0-9])|(?<=[0-9])[ ]?[-/:÷][ ]?(?=[0-9])      # 1.5, 10:30, 3/4, 24 - 10
    |(?<=[0-9]),(?=[0-9])(?!(?:[0-9]{3},)*[0-9]{3}(?![0-9]))          # 1,2 but not 1,000
    |(?<=[0-9][eE])-(?=[0-9])                                         # 1e-5
    |(?<=[\w)\]}])[ ]?[+=×·](?=[ ]?[\w(\\$-])|[<>≤≥≠±√^]             # x+1, x^2, < 5
    |(?<=[A-Za-z+])(?<![A-Za-z]{3})\+                                # C++, but NADP+ is NADP in SQuAD
    |(?<=[A-Za-z])\#|(?<=\w)\*(?=\w)                                 # C#, a*b
    """,
    re.VERBOSE,
)
_INTERVAL = re.compile(r"(?<![\w)])([(\[])[^()\[\],]{1,40},[^()\[\],]{1,40}([)\]])")


@lru_cache(maxsize=4096)
def _marks(text: str) -> tuple[str, ...]:
    """The signs that tell expressions apart whose normal forms are equal, in order."""
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    ends = ("".join(interval.groups()) for interval in _INTERVAL.finditer(text))
    return (*(mark.strip() for mark in _MARK.findall(text)), *ends)


@lru_cache(maxsize=4096)
def _symbols(text: str) -> str:
    """What is neither letter, digit nor space, unless it is the punctuation of prose alone: `])`, `+`."""
    text = unicodedata.normalize("NFKC", text).translate(_DASHES)
    kept = "".join(character for character in text if not (character.isalnum() or character.isspace()))
    return kept if kept.strip(_PROSE) else ""


def says_nothing(case: Case) -> bool:
    """Whether the reply itself is blank, which answers an empty target; one that cannot be read does not."""
    return case.response.status == "ok" and not (case.response.text or "").strip()


def token_f1(answer: Sequence[str], target: Sequence[str]) -> float:
    """F1 of the two bags of tokens; when one is empty, 1 if both are, else 0."""
    if not answer or not target:
        return float(not answer and not target)
    overlap = sum((Counter(answer) & Counter(target)).values())
    if not overlap:
        return 0.0
    precision, recall = overlap / len(answer), overlap / len(target)
    return 2 * precision * recall / (precision + recall)


def normal_form(lang: str) -> str:
    """The name of the language's normal form in signatures."""
    code = base_language(lang)
    if code == "en":
        return "squad"
    return f"words-{code}" if spaced_language(code) and code != "ko" else f"chars-{code}"


class ExactMatch(Metric):
    """1 when the answer equals one of the targets in normal form, else 0.

    Any option of lm-evaluation-harness' exact_match (regexes_to_ignore, ignore_case, ignore_punctuation,
    ignore_numbers) replaces the normal form by exactly those edits, in that order, as `normalize: none` alone
    replaces it by nothing; numbers are then compared as texts. `normalize: prose` is the normal form alone,
    in which signs, operators and brackets do not count, as SQuAD's official script has it.
    """

    def __init__(
        self,
        context: Context,
        *,
        numeric: str | bool = "auto",
        normalize: str = "auto",
        regexes_to_ignore: Sequence[str] | None = None,
        ignore_case: bool | None = None,
        ignore_punctuation: bool | None = None,
        ignore_numbers: bool | None = None,
        name: str = "exact_match",
    ) -> None:
        self.name = name
        self.lang = base_language(context.language)
        self.guarded = not unit_language(self.lang)
        edits = (regexes_to_ignore, ignore_case, ignore_punctuation, ignore_numbers)
        self.plain = any(edit is not None for edit in edits)
        if check_choice(name, "normalize", normalize, ("auto", "prose", "none")) == "none":
            self.plain = True
        self.marks = normalize == "auto"
        numeric = "off" if numeric is False else numeric  # YAML reads a bare `off` as false
        self.numeric = check_choice(name, "numeric", numeric, ("auto", "off")) == "auto" and not self.plain
        self.ignore_case, self.ignore_numbers = bool(ignore_case), bool(ignore_numbers)
        self.ignore_punctuation = bool(ignore_punctuation)
        if isinstance(regexes_to_ignore, str):
            regexes_to_ignore = [regexes_to_ignore]
        try:
            self.regexes = tuple(Pattern(each, "regexes_to_ignore") for each in regexes_to_ignore or ())
        except ExtractorError as error:
            raise MetricError(f"metric {name!r}: regexes_to_ignore holds a wrong pattern: {error}") from error
        if self.plain:
            self.signature = sign(
                "exact_match",
                norm="none",
                regexes=[r.pattern for r in self.regexes] or None,
                case="ignored" if self.ignore_case else None,
                punctuation="ignored" if self.ignore_punctuation else None,
                numbers="ignored" if self.ignore_numbers else None,
                v=1,
            )
        else:
            norm = normal_form(self.lang) + ("+marks" if self.marks else "")
            self.signature = sign("exact_match", norm=norm, numeric=self.numeric, v=2)

    def score(self, case: Case) -> float:
        """1.0 or 0.0."""
        targets = check_target(self.name, case)
        if case.answer is None and not says_nothing(case):
            return 0.0
        answer = case.answer or ""
        if self.plain:
            return float(any(self._edit(answer) == self._edit(t) for t in targets))
        return float(any(same_answer(answer, t, self.lang, self.numeric, self.marks) for t in targets))

    def _edit(self, text: str) -> str:
        for regex in self.regexes:
            text = regex.sub("", text)
        if self.ignore_case:
            text = text.lower()
        if self.ignore_punctuation:
            text = text.translate(str.maketrans("", "", string.punctuation))
        if self.ignore_numbers:
            text = text.translate(str.maketrans("", "", string.digits))
        return text


class QuasiExactMatch(ExactMatch):
    """HELM's quasi-exact match: equality in normal form, numbers compared as texts.

    P. Liang et al., "Holistic Evaluation of Language Models", TMLR 2023, appendix C.1.
    """

    def __init__(self, context: Context, *, name: str = "quasi_exact_match") -> None:
        super().__init__(context, numeric="off", normalize="prose", name=name)
        self.signature = sign("quasi_exact_match", norm=normal_form(self.lang), v=2)


class TokenF1(Metric):
    """F1 of the bags of tokens of answer and target, 0 to 1, the best target counting."""

    def __init__(self, context: Context, *, name: str = "f1") -> None:
        self.name = name
        self.lang = base_language(context.language)
        self.guarded = not unit_language(self.lang)
        self.signature = sign("f1", norm=normal_form(self.lang), v=2)

    def score(self, case: Case) -> float:
        """The F1 with the best target; without an answer 1 where an empty target says that there is none."""
        targets = check_target(self.name, case)
        if case.answer is None and not says_nothing(case):
            return 0.0
        answer = answer_tokens(case.answer or "", self.lang)
        return max(token_f1(answer, answer_tokens(t, self.lang)) for t in targets)
