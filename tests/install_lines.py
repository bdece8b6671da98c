"""Commands and declarations that install packages, found in any text of the repository.

A name that an index would be asked for is an offence unless it is on the list of what others publish and we
name: ours is on no index, where it could be anybody's.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from evalkit.core.distribution import NAME, REPOSITORY

OTHERS = frozenset(
    [
        "bert-score",
        "bitsandbytes",
        "datasets",
        "litellm",
        "lm-eval",
        "math-verify",
        "nemo-evaluator",
        "openai",
        "opencc-python-reimplemented",
        "pip",
        "rjieba",
        "sacrebleu",
        "uv",
        "zhconv",
    ]
)
"""Packages of others that pages and messages tell a reader to install."""

_WORD = r"(?:pip[\d.]*|uv|uvx|pipx|poetry|pdm|rye|pixi|conda|mamba|micromamba|easy_install)"
_COMMAND = re.compile(
    r"(?<![\w./-])(?:/?(?:[\w.$(){}-]+/)*)(?P<run>"
    r"(?:(?:uv\s+)?pip[\d.]*|\$[({]?\w*PIP\w*[)}]?)(?:\s+-\S+)*\s+(?:install|download|wheel)"
    r"|uv\s+(?:tool\s+(?:install|run|upgrade)|add|run)|uvx|pipx\s+(?:install|run|inject|upgrade)"
    r"|(?:poetry|pdm|rye|pixi)\s+add|(?:conda|mamba|micromamba)\s+(?:install|create)|easy_install"
    r")(?![\w-])(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_TAKES_VALUE = re.compile(
    r"-[rcftipdwnC]|--(?:requirement|constraint|find-links|target|index-url|extra-index-url|index|default-index"
    r"|python|prefix|root|cache-dir|dest|platform|python-version|resolution|exclude-newer|uploaded-prior-to"
    r"|wheel-dir|no-binary|only-binary|channel|override|build-constraint|group|progress-bar|report|log|cert)"
)
"""Options of these commands with a value that is no package."""
_NAMES_PACKAGE = frozenset(["--from", "--with", "--spec", "--with-requirements"])
_RUNS = re.compile(r"(?:uvx|uv\s+tool\s+run|pipx\s+run|uv\s+run)$", re.IGNORECASE)
"""Commands that run a program: the first word is a package (not with `uv run`), the others are arguments."""

_OURS = r"(?<![\w./@-])evalkit(?:[-_]\w+)*"
_PINNED = re.compile(rf"{_OURS}(?:\[[\w, -]+\])?(?:===?|>=|<=|~=|!=)\d", re.IGNORECASE)
_DECLARED = re.compile(
    r"(?P<key>dependenc\w*|deps|requires|requirements|install[\w-]*|packages_to_install|default|pip|pypi|name)"
    r"[\"']?\s*[:=]\s*(?P<value>\[[^\]]*\]|\"[^\"\n]*\"|'[^'\n]*'|[^\n]+)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"(?<!name = \")(?<![\w/`]){NAME.replace('-', '[-_]')}(?:\[[\w, ]+\])?+"
    r"(?! ?@ ?git\+|\w|`|-\*\.whl|-\d)",
    re.IGNORECASE,
)
"""Our distribution other than with its address, as a wheel, or in prose between backticks."""
_POETRY = re.compile(rf"^{_OURS}\s*=\s*[\"'{{][\^~<>=*\d ]", re.IGNORECASE | re.MULTILINE)
_ITEM = re.compile(
    rf"^[ \t#]*-[ \t]+[\"']?(?P<name>{_OURS})(?:\[[\w, -]+\])?[\"']?[ \t]*$", re.IGNORECASE | re.M
)
_LINE = re.compile(
    rf"^[ \t#]*[\"']?(?P<name>{_OURS})(?:\[[\w, -]+\])?(?P<more>[ \t]*[;<>=!~@].*)?$", re.I | re.M
)


@dataclass
class Scan:
    """What a text installs."""

    commands: int = 0
    """How many commands that install were found."""
    offences: list[str] = field(default_factory=list)
    """Names that an index would be asked for, or other addresses, each as it stands."""


def scan(text: str, file: str = "") -> Scan:
    """The commands of a text and their offences; `file` is its path, which tells files of requirements."""
    found = Scan()
    text = _plain(text)
    for match in _COMMAND.finditer(text):
        found.commands += 1
        rest, after = match["rest"], text[match.end() :]
        wraps = file.endswith((".md", ".yml", ".yaml", ".py", ".ipynb"))
        while wraps and after.strip() and all(word.startswith("-") for word in _words(rest)):
            line, _, after = after.lstrip().partition("\n")  # a folded or wrapped line
            rest += " " + line
        found.offences += [word for word in _packages(match["run"], rest) if not allowed(word)]
    found.offences += [match[0] for match in _PINNED.finditer(text)]
    if file.endswith((".yml", ".yaml", ".md", ".toml", ".txt", ".in", ".cfg", ".ipynb", ".json")):
        found.offences += [match["name"] for match in _ITEM.finditer(text)]
    if re.search(r"(requirements|constraints)[^/]*(/[^/]*)?\.(txt|in)$|\.(cfg|ini)$", file):
        found.offences += [match[0] for match in _LINE.finditer(text) if not allowed(match[0].strip())]
    found.offences += [match[0] for match in _NAMED.finditer(text)]
    if file.endswith(".toml"):
        found.offences += [match[0] for match in _POETRY.finditer(text)]
    for match in _DECLARED.finditer(text):
        found.offences += _declared(match["key"].lower(), match["value"], file)
    return found


def _declared(key: str, value: str, file: str) -> Iterator[str]:
    """Ours by a bare name in what a file declares that it needs."""
    listed = value.startswith("[")
    if key in ("name", "pip", "pypi", "default", "requires", "install") and listed and key != "requires":
        listed = key in ("pip", "install")
    if key == "name" and not file.endswith((".yml", ".yaml")):
        return
    for part in value.strip("[]").split(",") if listed else [value]:
        word = part.strip(" \t\r\n#\"'")
        bare = re.fullmatch(rf"{_OURS}(?:\s*\[[\w, -]+\])?", word, re.IGNORECASE)
        if bare and (key not in ("name",) or word.lower() != "evalkit"):
            yield word


def _plain(text: str) -> str:
    """The text with continued lines joined and lists of words as one command."""
    text = html.unescape(text).replace('\\"', '"').replace("\\'", "'")
    text = re.sub(r"\\n", "\n", text)
    text = re.sub(r"[ \t]*(?:\\|\^|`)[ \t]*\r?\n\s*(?:[#>|][ \t]+)?", " ", text)
    one = rf"([\"'])(?:-m|{_WORD})\1(?:\s*,\s*([\"'])[^\"'\n]*\2)+"
    text = re.sub(one, lambda match: " ".join(re.findall(r"[\"']([^\"'\n]*)[\"']", match[0])), text)
    item = re.compile(
        rf"^([ \t]*)-[ \t]+[\"']?((?:{_WORD}|-m|[\w./-]*python[\d.]*)(?:[ \t][^\n]*)?)[\"']?\n"
        r"\1-[ \t]+[\"']?([^\"'\n]+)[\"']?$",
        re.M,
    )
    grown = re.compile(rf"^(?:{_WORD}|-m|[\w./-]*python[\d.]*|install|tool|run|add|-\S+)$")
    while match := next((m for m in item.finditer(text) if grown.match(m[2].split()[-1])), None):
        text = f"{text[: match.start()]}{match[1]}- {match[2]} {match[3]}{text[match.end() :]}"
    return text


def _words(rest: str) -> Iterator[str]:
    """The words of a command line up to its end, which in prose is the end of the quotation or phrase."""
    rest = re.sub(r"\s+@\s+", "@", rest)
    while rest := rest.lstrip(" \t"):
        if rest[0] in "\"'":
            inner, closed, after = rest[1:].partition(rest[0])
            if not closed or (not inner.strip() and not after.strip()):
                return
            yield inner.strip()
            rest = after
            continue
        match = re.match(
            r"[^\s\"'`;|&<>()]*(?:\$\([^)]*\)[^\s\"'`;|&<>()]*)*(?:[<>]=?[\d.][^\s\"'`]*)?", rest
        )
        word = match[0] if match else ""
        if word.startswith("#") or not word:
            return
        after = rest[len(word) :]
        if word.startswith("-") and word.endswith("=") and after[:1] in "\"'" and after:
            inner, _, after = after[1:].partition(after[0])
            yield word + inner
        elif re.search(r"[,.:]$", word) and not re.fullmatch(r"\.{1,2}", word):
            yield word.rstrip(",.:")
            return
        else:
            yield word
        rest = after
        if rest[:1] and rest[0] not in " \t":
            if rest[0] == "[" or (rest[0] in "\"'" and rest[1:2] == "["):
                rest = rest.lstrip("\"'").partition("]")[2].lstrip("\"'")
                continue
            return


def _packages(run: str, rest: str) -> Iterator[str]:
    """The words of a command line that name packages."""
    words = iter(_words(rest))
    named = False
    for word in words:
        option, equals, value = word.partition("=")
        if option in _NAMES_PACKAGE:
            named = named or option in ("--from", "--spec")
            yield value if equals else next(words, "")
        elif _TAKES_VALUE.fullmatch(word):
            next(words, None)
        elif word.startswith("-"):
            continue
        elif _RUNS.search(run):
            if not named and not re.match(r"uv\s+run$", run, re.IGNORECASE):
                yield word.partition("@")[0] if "://" not in word else word
            return
        else:
            yield word


def allowed(word: str) -> bool:
    """Whether it is a path, a wheel, a package of others that we name, or our repository's address."""
    word = re.sub(r"\s*@\s*(?=git\+|https?:|file:)", "@", word.strip())
    if "://" in word:
        ours = rf"(?:evalkit-harness(?:\[[\w,]+\])?@)?git\+https://github\.com/{re.escape(REPOSITORY)}"
        return bool(re.fullmatch(rf"{ours}(?:@[\w.{{}}-]+)?", word))
    if word in _FILLED_IN or re.match(r"[./~]|(?:dist|build)/|\$(?:GITHUB_ACTION_PATH|work)\b", word):
        return True
    match = re.fullmatch(r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[\w, -]*\])?\s*(?:[<>=!~;].*)?", word)
    return bool(match and re.sub(r"[-_.]+", "-", match["name"]).lower() in OTHERS)


_FILLED_IN = frozenset(
    [
        "{package}",  # the package that a task of lm-evaluation-harness imports
        "{requirement(extra, tag)}",  # of evalkit/core/distribution.py, see tests/test_distribution.py
        "{requirement(tag=tag)}",
        "$wanted",  # a version of litellm, in ci/matrix.sh
        "$INSTALL",  # an input whose default is looked at
        "${INSTALL:-$GITHUB_ACTION_PATH}",
    ]
)
