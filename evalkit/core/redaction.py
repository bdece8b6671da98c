"""Text without secrets: keys are taken out by value and by shape before anything is stored or shown.

A provider may echo the key it refused ("Incorrect API key provided: sk-..."), and some servers send all
headers back in a good reply. What is known to be a key is looked for in every form in which it may come back:
as it is, URL-encoded, in base64 at any of the three alignments, in JSON strings, in hexadecimal; and in part,
where somebody has cut the text. Texts are redacted whole, and shortened afterwards.

Which values are keys:

- A *key* has 16 characters or more, or 8 with letters and digits among them. It is taken out of everything.
- A shorter one, or a number or a word of less than 16, may well be an answer: it is taken out of what is said
  of failed calls, where it stands as a word, and stays in answers.
- A stand-in that protects nothing (EMPTY, none, test, your-api-key) is no key and stays everywhere.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

import orjson

__all__ = [
    "MARK",
    "Redactor",
    "clean_line",
    "guard_logs",
    "known",
    "learn",
    "learn_address",
    "learn_sent",
    "redact",
    "refresh",
]

MARK = "[redacted]"
"""What stands in the place of a secret."""

# fmt: off
_SECRET_WORDS = frozenset((
    "KEY", "KEYS", "APIKEY", "TOKEN", "TOKENS", "SECRET", "SECRETS", "PASSWORD", "PASSWD", "PASSPHRASE",
    "PASS", "PAT", "JWT", "CREDENTIAL", "CREDENTIALS",
))
_ENDS = ("PASSWORD", "APIKEY", "TOKEN", "SECRET")
_PLACES = frozenset(("FILE", "PATH", "DIR", "URL", "URI", "NAME"))
"""Last words of variables that say where a key is, and hold none."""
_STAND_INS = frozenset((
    "sk", "no", "your", "my", "the", "a", "an", "api", "key", "keys", "token", "secret", "required", "needed",
    "used", "not", "none", "null", "empty", "dummy", "fake", "test", "testing", "example", "sample", "here",
    "placeholder", "change", "changeme", "me", "demo", "mock", "local", "ollama", "lm", "lmstudio", "studio",
    "vllm", "anything", "whatever", "unused", "default", "insert", "replace", "with", "put", "openai",
    "password", "pass", "string", "todo", "xxx", "xxxx", "ignored", "noauth", "auth",
))
# fmt: on
"""Words of which stand-ins for keys are made."""
_LONG, _SHORT = 16, 8
_FEWEST_CHARACTERS = 5
"""Different characters that a key has at least: "aaaaaaaaaaaaaaaa" is none."""
_LEAST_PART, _MOST_PART = 12, 64
"""Characters of a form that tell it: half of them, within these bounds, wherever the text was cut."""
_MOST_LEARNT = 256

# What keys look like: OpenAI, Anthropic, OpenRouter, DeepSeek (sk-), Groq, Hugging Face, GitHub, Google, xAI,
# AWS, JSON web tokens (Zhipu), and whatever follows Bearer, Authorization or api_key=.
_SHAPES = re.compile(
    r"""
      \b(?:sk|pk|rk)-[A-Za-z0-9_*-]{6,}
    | \b(?:gsk|hf|xai|nvapi|pplx|csk|r8|tgp_v1)[_-][A-Za-z0-9_-]{8,}
    | \b(?:ghp|gho|ghs|ghu|github_pat)_[A-Za-z0-9_]{16,}
    | \bAIza[A-Za-z0-9_-]{20,}
    | \bAKIA[A-Z0-9]{12,}
    | \beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+
    | (?<=://)[^\s/:@]+:[^\s/@]+(?=@)
    """,
    re.VERBOSE,
)
_LABELLED = re.compile(
    r"""(?ix)
    ( \b(?:bearer|basic)\s+
    | \b(?:api[-_]?key|x-api-key|x-goog-api-key|access[-_]?token|secret)["']?\s*[=:]\s*["']?(?:bearer\s+)?
    | \bauthorization["']?\s*[=:]\s*["']?(?:bearer\s+|basic\s+)?
    | [?&](?:key|token|api_key)=
    )
    (?!\[redacted\]) ([A-Za-z0-9_+/=.*~-]{6,})
    """
)
_SECRET_HEADER = re.compile(r"auth|key|token|secret|cookie|credential", re.IGNORECASE)
_SCHEMES = ("Bearer ", "Basic ")


class Redactor:
    """Takes secrets out of text. Knows the values given, and the shapes of common keys."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        values = {secret.strip() for secret in secrets} - {""}
        forms: dict[str, tuple[str, int]] = {}
        for value in sorted(filter(_is_key, values), key=len, reverse=True):
            for form in _forms(value):
                part = min(max(_LEAST_PART, -(-len(form) // 2)), _MOST_PART)
                forms.setdefault(form[:part], (form, 0))
            part = min(max(_LEAST_PART, -(-len(value) // 2)), _MOST_PART)
            forms.setdefault(value[-part:], (value, max(len(value) - part, 0)))
        self._forms = [(needle, form, at) for needle, (form, at) in forms.items()]
        self._needles = tuple(forms)
        self._lines = tuple(needle.encode("utf-8", "replace") for needle in forms)
        words = [
            re.escape(value)
            if len(value) >= _SHORT
            else rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
            for value in sorted(values, key=len, reverse=True)
            if not _is_key(value) and not _is_stand_in(value) and len(value) > 3
        ]
        self._words = re.compile("|".join(words)) if words else None

    def __call__(self, text: str) -> str:
        """The text of a message or an error with every secret replaced by `[redacted]`, also what is only
        shaped like one."""
        text = self.clean(text)
        if self._words is not None:
            text = self._words.sub(MARK, text)
        text = _SHAPES.sub(MARK, text)
        return _LABELLED.sub(rf"\1{MARK}", text)

    def clean(self, text: str) -> str:
        """The text of an answer with every key replaced that is known by its value, in whatever form."""
        spans = self.spans(text)
        pieces, end = [], 0
        for start, stop in spans:
            pieces += [text[end:start], MARK]
            end = stop
        return "".join([*pieces, text[end:]]) if spans else text

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where keys stand in the text, (start, end), in order and apart; empty for most texts."""
        if not self.knows(text):
            return []
        found: list[tuple[int, int]] = []
        for start, stop in sorted(self._spans(text)):
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(stop, found[-1][1]))
            else:
                found.append((start, stop))
        return found

    def knows(self, text: str) -> bool:
        """Whether the text holds one of the keys that this redactor knows by value, or half of one."""
        return any(needle in text for needle in self._needles)  # a third of what one pattern takes

    def knows_line(self, line: bytes) -> bool:
        """`knows` of UTF-8."""
        return any(needle in line for needle in self._lines)

    def deep(self, value: Any, change: Callable[[str], str] | None = None) -> Any:
        """The same JSON value with every text in it redacted, keys of mappings included, or changed so."""
        change = change or self
        if isinstance(value, str):
            return change(value)
        if isinstance(value, Mapping):
            return {change(str(key)): self.deep(item, change) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.deep(item, change) for item in value]
        return value

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where keys stand: each form as far as it goes on round the part that tells it."""
        for needle, form, at in self._forms:
            place = text.find(needle)
            while place >= 0:
                start, left = place, at
                stop, right = place + len(needle), at + len(needle)
                while left and start and text[start - 1] == form[left - 1]:
                    start, left = start - 1, left - 1
                while right < len(form) and text[stop : stop + 1] == form[right]:
                    stop, right = stop + 1, right + 1
                yield start, stop
                place = text.find(needle, place + 1)


_learnt: dict[str, None] = {}
_sent: set[str] = set()
_known: Redactor | None = None


def learn(secrets: Iterable[str]) -> None:
    """Nothing; these values are secrets of this process from now on, whatever their variables are called."""
    global _known
    new = [secret for secret in map(str.strip, secrets) if secret and secret not in _learnt]
    if not new:
        return
    for secret in new:
        _learnt[secret] = None
        if not _is_key(secret) and not _is_stand_in(secret):
            _learnt[f"Bearer {secret}"] = None  # so it tells itself, however short
        if len(_learnt) > _MOST_LEARNT:
            del _learnt[next(iter(_learnt))]
    _known = None


def learn_address(address: str) -> None:
    """Nothing; the password in the address, of a database or a proxy, is a secret."""
    learn(_passwords_in(address))


def learn_sent(headers: Mapping[str, str]) -> None:
    """Nothing; what authorises a request is a secret, also where LiteLLM made or fetched it."""
    for name, value in headers.items():
        if value in _sent or not _SECRET_HEADER.search(name):
            continue
        if len(_sent) > _MOST_LEARNT:
            _sent.clear()
        _sent.add(value)
        scheme, _, token = value.partition(" ")
        if f"{scheme} " in _SCHEMES:
            learn([token, *_password(token)] if scheme == "Basic" else [token])
        elif not token and "cookie" not in name.lower():  # a signature of AWS is of one request only
            learn([value])


def known() -> Redactor:
    """The redactor of all secrets of this process, as the environment was at the last `refresh`."""
    return _known or refresh()


def refresh() -> Redactor:
    """The redactor of all secrets of this process, as its environment is now."""
    global _known
    _known = _redactor((*_suspects(os.environ), *_learnt))
    return _known


def redact(text: str) -> str:
    """The text without the keys that this process holds and without anything shaped like a key."""
    return refresh()(text)


@cache
def guard_logs() -> None:
    """Nothing; from now on, what other packages log and warn of in this process holds no key either."""
    import logging
    import warnings

    make_record, format_warning = logging.getLogRecordFactory(), warnings.formatwarning

    def record(*args: Any, **kwargs: Any) -> Any:
        """The record, its message and its exception without keys."""
        made = make_record(*args, **kwargs)
        try:
            text = made.getMessage()
            trace = logging.Formatter().formatException(made.exc_info) if made.exc_info else ""
        except Exception:  # a record that cannot be formatted is for logging to tell
            return made
        if known().knows(text):
            made.msg, made.args = known().clean(text), ()
        if known().knows(trace):
            made.exc_text = known().clean(trace)
        return made

    logging.setLogRecordFactory(record)
    warnings.formatwarning = lambda *args, **kwargs: known().clean(format_warning(*args, **kwargs))


def clean_line(line: bytes, redactor: Redactor) -> bytes:
    """The line of JSON without the keys that the redactor knows; the same bytes where it holds none."""
    if not redactor.knows_line(line):
        return line
    end = b"\n" if line.endswith(b"\n") else b""
    try:
        return orjson.dumps(redactor.deep(orjson.loads(line), redactor.clean)) + end
    except ValueError:  # a torn line, or one with numbers beyond JSON's: as text, all the same
        return redactor.clean(line.decode("utf-8", "replace")).encode()


@lru_cache(maxsize=8)
def _redactor(secrets: tuple[str, ...]) -> Redactor:
    """The redactor of these values, made once."""
    return Redactor(secrets)


def _suspects(environ: Mapping[str, str]) -> list[str]:
    """Values of variables that are named like secrets and do not look like words or places; passwords in
    addresses."""
    found = []
    for name, value in environ.items():
        if "://" in value:
            found += _passwords_in(value)
        elif len(value) >= _SHORT and _names_secret(name) and _is_key(value) and not _is_place(value):
            found.append(value)
    return found


@lru_cache(maxsize=1024)
def _names_secret(name: str) -> bool:
    words = re.split(r"[_\W\d]+", name.upper())
    words = [word for word in words if word]
    if not words or words[-1] in _PLACES:
        return False
    return any(word in _SECRET_WORDS or word.endswith(_ENDS) for word in words)


def _is_place(value: str) -> bool:
    return value.startswith(("/", "~", "./", "../")) and (
        bool(re.search(r"\.\w{1,6}$", value)) or os.path.exists(os.path.expanduser(value))
    )


def _passwords_in(address: str) -> list[str]:
    """The password in an address, as it is and decoded; none for most."""
    try:
        password = urlsplit(address).password
    except ValueError:
        return []
    return [each for each in {password, unquote(password)} if _is_key(each)] if password else []


def _password(token: str) -> list[str]:
    """The password in the token of Basic authentication."""
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError):
        return []
    return [part for part in text.split(":", 1) if _is_key(part)]


@lru_cache(maxsize=1024)
def _is_key(value: str) -> bool:
    """Whether the value can be told from words and numbers, so that it is taken out of answers too."""
    if value.startswith(_SCHEMES):
        return True
    if len(set(value)) < _FEWEST_CHARACTERS or _is_stand_in(value):
        return False
    if len(value) >= _LONG:
        return True
    letters, digits = any(char.isalpha() for char in value), any(char.isdigit() for char in value)
    return len(value) >= _SHORT and letters and digits


def _is_stand_in(value: str) -> bool:
    """Whether the value protects nothing: made of words such as none, test, your and key."""
    return all(part in _STAND_INS for part in re.split(r"[\W_]+", value.lower()) if part)


def _forms(secret: str) -> list[str]:
    """The forms in which a key may come back, without doubles, the key itself first."""
    data = secret.encode("utf-8", "surrogatepass")
    once = json.dumps(secret)[1:-1]
    percent = "".join(f"%{byte:02X}" for byte in data)
    forms = [
        secret,
        secret.lower(),
        secret.upper(),
        *(form for way in (quote, quote_plus) for form in _both_cases(way(secret, safe=""))),
        quote(secret),
        quote(quote(secret, safe=""), safe=""),
        *_both_cases(percent),
        "".join(f"\\u{ord(char):04x}" for char in secret),
        once,
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(once)[1:-1],
        once.replace("/", "\\/"),
        html.escape(secret),
        data.hex(),
        data.hex().upper(),
    ]
    for offset in range(3):
        n = len(data) + offset
        whole = base64.b64encode(b"\0" * offset + data).decode()
        core = whole[(0, 2, 3)[offset] : n // 3 * 4 + (0, 1, 2)[n % 3]]
        forms += [core, core.replace("+", "-").replace("/", "_"), core.replace("/", "\\/")]
        forms += _both_cases(quote(core, safe=""))
    return list(dict.fromkeys(forms))


def _both_cases(encoded: str) -> tuple[str, str]:
    """The percent-encoded text with its digits in capitals and in small letters."""
    return encoded, re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)
