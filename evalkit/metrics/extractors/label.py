"""The label, of a task's own list, that a response decides on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from evalkit.metrics.extractors.claims import Claim, claim
from evalkit.metrics.extractors.excerpt import Excerpt, Found, fold
from evalkit.metrics.extractors.turns import own_turn

__all__ = ["LabelFinder"]

MAX_MENTIONS = 4000
"""Only so many mentions are judged, counted from the end."""

_LATIN = r"A-Za-z0-9_À-ɏ"
_SURROUND = r"[\s*_`~\"'“”‘’「」『』（(）)\[\]【】{}<>《》$#.。,，、:：!！;；\-]"
_OPENING = re.compile(
    rf"{_SURROUND}{{0,40}}(?:[A-Za-z]{{0,16}}\s?[A-Za-z]{{2,16}}|\w{{1,6}})[*_]{{0,3}}[:：]{_SURROUND}{{0,8}}"
)
_STANDS_ALONE = re.compile(
    r"(?![\"”'’][ ](?!because|since|as)[a-z])[^\S\n]*(?:[^\w\s]|_|\n|$|because\b|since\b|as\b|因为)"
)
_QUOTES = r"[\s\"'*“”‘’「」]{0,3}"
_SEPARATOR = re.compile(
    rf"{_QUOTES}(?:[/、&|]|\b(?:or|and|vs|nor)\b|或者?|和|与|還是|还是){_QUOTES}", re.IGNORECASE
)
_CONCLUDES = re.compile(
    r"""\W{0,8}(?:(?:but|and|however|yet|但是?|不过|然而)[\s,，]{0,2})?
    (?:so|thus|hence|therefore|overall|in[ ]conclusion|in[ ]summary|to[ ]sum[ ]up|finally|on[ ]balance
    |conclusion|final|所以|因此|总之|总的来说|总体|综上|最终|整体|结论)""",
    re.IGNORECASE | re.VERBOSE,
)

_REVISES = re.compile(
    r"\b(?:wait|actually|correction|corrected|second thought|reconsider\w*|mistake\w*|misread\w*"
    r"|on reflection|first impression"
    r"|final (?:label|answer|verdict))\b|更正|等等|不对|修正|重新",
    re.IGNORECASE,
)

_TURNS = re.compile(r"\W{0,4}(?:but|however|yet|但是?|不过|然而)", re.IGNORECASE)
_DECIDES = re.compile(
    r"\b(?:makes?|turns?|is|are|reads?|leaves?|tips?)\b|应|来看|是|为|总体|整体", re.IGNORECASE
)
_SLIGHT = re.compile(
    r"\b(?:a little|slight(?:ly)?|hints? of|a bit(?: of)?|traces? of|a touch of)\s{0,2}$|(?:带点|略带|有点)$",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"\b(?:and|but)\b|而|但", re.IGNORECASE)
_APART = re.compile(
    r"[。！？!?\n;；]|\.\s|\b(?:because|since|although|though|while|with|despite|not|if|when)\b|因为|虽然"
    r"|尽管|而不|而非",
    re.IGNORECASE,
)
_DETERMINER = re.compile(r"[ ](?!because|since|as|it|this|that|the|i|we|and|but|or|nor)[a-z]")
_SHORT = 16
_NOUN_AFTER = re.compile(r"(?:等?风险|等?程度|等级|级别?|类别?|评价|情感|情绪|倾向|态度)[*。.]{0,3}\s*$")
"""What a bare label may be named with: 高风险, 中等程度."""
_OPPOSITES = ("not ", "not_", "non-", "non", "un", "in", "ir", "im", "dis", "不", "非", "无")


class Mention(NamedTuple):
    """A label where it occurs, and what is said of it."""

    label: str
    start: int
    end: int
    claim: Claim
    listed: bool
    """Whether it is named together with another label: positive or negative."""


class LabelFinder:
    """Finds one of these labels, or of their other names, whatever the case."""

    def __init__(self, labels: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> None:
        """`aliases` are other names of a label; they count as the label itself."""
        self._label_of: dict[str, str] = {}
        for label in labels:
            for name in (label, *aliases.get(label, ())):
                self._label_of.setdefault(_key(name), label)
        self._opposite = {label: other for label in labels for other in labels if _opposed(label, other)}
        names = sorted(self._label_of, key=lambda name: (-len(name), name))
        self._pattern = re.compile("|".join(_bounded(name) for name in names), re.IGNORECASE)

    def __call__(self, excerpt: Excerpt) -> Found | None:
        """The label of the first rule that finds one.

        whole: the reply is a label; start: it begins with one that it does not take back; anchor: the
        last that is said to be the answer; only: no other is left standing; final: the end concludes with one
        alone. Negated mentions never count; several labels without a clear final one are no answer.
        """
        excerpt = own_turn(excerpt)
        text = fold(excerpt.text)
        named = _NOUN_AFTER.search(text) if len(text) <= _SHORT else None
        mentions = self._mentions(text[: named.start()] if named else text)
        if not mentions:
            return None
        first = mentions[0]
        if not _strip(text[: first.start]) and not _strip(text[first.end :]):
            return _found(excerpt, first, "whole")
        standing = [mention for mention in mentions if mention.claim != "negated"]
        if not standing:
            denied = {mention.label for mention in mentions}
            other = self._opposite.get(first.label) if len(denied) == 1 else None
            return _found(excerpt, mentions[-1]._replace(label=other), "denied") if other else None
        asserted = [mention for mention in standing if mention.claim in ("chosen", "confirmed")]
        revised = (
            asserted
            and asserted[-1].label != first.label
            and _REVISES.search(text, first.end, asserted[-1].start)
        )
        if first is standing[0] and not revised and self._starts(text, first):
            return _found(excerpt, first, "start")
        if asserted:
            last = asserted[-1]
            unclear = last.listed or any(_both(text, last, mention) for mention in standing)
            return None if unclear else _found(excerpt, last, "anchor")
        if len({mention.label for mention in standing}) == 1:
            return _found(excerpt, standing[-1], "only")
        return self._final(excerpt, text, standing)

    def _mentions(self, text: str) -> list[Mention]:
        places = [
            (self._label_of[_key(match.group())], match.start(), match.end())
            for match in self._pattern.finditer(text)
            if _key(match.group()) in self._label_of
            and not (match.group().lower() == "no" and _DETERMINER.match(text, match.end()))
            and not _SLIGHT.search(text, max(0, match.start() - 16), match.start())
        ]
        groups: list[list[tuple[str, int, int]]] = []
        for place in places[:1] + places[1:][-MAX_MENTIONS:]:
            if groups and _SEPARATOR.fullmatch(text, groups[-1][-1][2], place[1]):
                groups[-1].append(place)
            else:
                groups.append([place])
        found = []
        for group in groups:
            says = claim(text, group[0][1], group[-1][2])
            listed = len({label for label, _, _ in group}) > 1
            found += [Mention(label, start, end, says, listed) for label, start, end in group]
        return found

    @staticmethod
    def _starts(text: str, first: Mention) -> bool:
        """Whether the reply begins with this label alone, perhaps after `Sentiment:`."""
        opening = text[: first.start] if first.start <= 60 else text[:61]
        if first.listed or (_strip(opening) and not _OPENING.fullmatch(opening)):
            return False
        return bool(_STANDS_ALONE.match(text, first.end))

    @staticmethod
    def _final(excerpt: Excerpt, text: str, standing: Sequence[Mention]) -> Found | None:
        """The one label of the last line when it stands alone there, or of a last clause that concludes."""
        end = len(text.rstrip())
        for marks in (("\n",), ("。", ". ", "！", "! "), ("，", ", ", "；", "; ")):
            start = max(text.rfind(mark, 0, max(0, end - 1)) for mark in marks) + 1
            inside = [mention for mention in standing if mention.start >= start]
            if len({mention.label for mention in inside}) != 1:
                continue
            alone = not _strip(text[start : inside[0].start]) and not _strip(text[inside[0].end : end])
            turned = _TURNS.match(text, start) and _DECIDES.search(text, start, end)
            if (alone and marks == ("\n",)) or turned or _CONCLUDES.match(text, start):
                return _found(excerpt, inside[-1], "final")
        return None


def _found(excerpt: Excerpt, mention: Mention, rule: str) -> Found:
    return Found(excerpt.part(mention.start, mention.end).rewritten(mention.label), f"label:{rule}")


def _both(text: str, said: Mention, other: Mention) -> bool:
    """Whether another label stands beside the one that is said: positive at first and negative later."""
    if other.label == said.label or other.start < said.end or other.start - said.end > 80:
        return False
    between = text[said.end : other.start]
    return bool(_BESIDE.search(between)) and not _APART.search(between)


def _opposed(label: str, other: str) -> bool:
    """Whether the other label is the denial of the label: spam and not spam, 是 and 否."""
    return (label, other) == ("是", "否") or any(other.lower() == f"{no}{label.lower()}" for no in _OPPOSITES)


def _key(name: str) -> str:
    return " ".join(fold(name).lower().split())


def _strip(text: str) -> str:
    return re.sub(_SURROUND, "", text) if len(text) < 200 else text


def _bounded(name: str) -> str:
    """The pattern of a name: at word boundaries where it begins or ends in Latin letters or digits."""
    words = r"\s{1,4}".join(re.escape(word) for word in name.split())
    left = rf"(?<![{_LATIN}])" if re.match(rf"[{_LATIN}]", name) else ""
    right = rf"(?![{_LATIN}])" if re.search(rf"[{_LATIN}]$", name) else ""
    if len(name) == 1 and not left:  # 是 and 否 are words of every other sentence
        left, right = ("(?<![能可])(?<!(?<!案)是)" if name == "否" else ""), "(?![^\\W的])"
    return f"{left}{words}{right}"
