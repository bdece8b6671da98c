"""Redaction: no key survives, and ordinary text does."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
import sys
import warnings
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.redaction import (
    MARK,
    Redactor,
    clean_line,
    guard_logs,
    known,
    learn_address,
    learn_sent,
    redact,
    refresh,
)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: sk-proj-abc123DEF456.",
        "Incorrect API key provided: sk-ab*********************xyz9.",
        "Authorization: Bearer abcdef123456",
        '{"authorization": "Bearer abcdef123456"}',
        "GET https://host/v1?key=abcdef123456",
        "api_key=abcdef123456 is wrong",
        "x-api-key: abcdef123456",
        "gsk_abcdef123456, hf_abcdef123456",
        "AIzaSyabcdef1234567890abcdef1234567",
        "http://user:abcdef123456@host/v1",
    ],
)
def test_whatever_has_the_shape_of_a_key_is_removed(text: str):
    """Common keys are recognised without knowing their value."""
    cleaned = redact(text)
    assert MARK in cleaned
    assert "abcdef123456" not in cleaned
    assert "abc123DEF456" not in cleaned
    assert "xyz9" not in cleaned


def test_a_key_of_the_environment_is_removed_by_value(monkeypatch: pytest.MonkeyPatch):
    """A key without any known shape is found because a variable holds it."""
    monkeypatch.setenv("MY_SERVER_API_KEY", "plainword-0815-x")
    assert redact("server says plainword-0815-x is wrong") == f"server says {MARK} is wrong"


def test_a_short_secret_is_removed_from_messages_where_it_is_a_word_and_stays_in_answers():
    """A key that may well be an answer must not shred answers; what failed calls say is no answer."""
    redactor = Redactor(["hunter"])
    assert redactor("hunter, hunters and plain") == f"{MARK}, hunters and plain"
    assert redactor.clean("the hunter") == "the hunter"


@pytest.mark.parametrize(
    "value",
    ["EMPTY", "none", "test", "your-api-key-here", "sk-no-key-required", "a" * 24, "sk-xxxx", "lm-studio"],
)
def test_stand_ins_are_no_keys(value: str):
    """What servers without keys are given protects nothing, and is an ordinary word of answers."""
    text = f'client = OpenAI(api_key="{value}")  # {value}'
    assert Redactor([value]).clean(text) == text


@pytest.mark.parametrize("value", ["timestamp", "42424242424", "correcthorse", "hunter2", "北京大学"])
def test_words_and_numbers_stay_in_answers(value: str):
    """They may be right answers: shorter than 16 characters, without letters and digits among each other."""
    assert Redactor([value]).clean(f"It is {value}.") == f"It is {value}."


KEYS = ["sk-proj-Ab3_dEf6GhI9jKl2MnO5pQr8StU1vWx4", 'p@ss/w+rd=9&"x\\y', "schlüssel-0815-größe", "a1b2c3d4"]
FORMS = {
    "raw": lambda key: key,
    "upper": str.upper,
    "lower": str.lower,
    "url": lambda key: quote(key, safe=""),
    "url, small": lambda key: re.sub(r"%..", lambda m: m[0].lower(), quote(key, safe="")),
    "url, slash": quote,
    "url, plus": quote_plus,
    "url, all": lambda key: "".join(f"%{byte:02x}" for byte in key.encode()),
    "url, twice": lambda key: quote(quote(key, safe=""), safe=""),
    "escaped": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "json": lambda key: json.dumps({"k": key}),
    "json, unicode": lambda key: json.dumps({"k": key}, ensure_ascii=False),
    "json in json": lambda key: json.dumps({"k": json.dumps({"k": key})}),
    "json, slash": lambda key: json.dumps({"k": key}).replace("/", "\\/"),
    "html": html.escape,
    "hex": lambda key: key.encode().hex(),
    "HEX": lambda key: key.encode().hex().upper(),
    "base64 in a url": lambda key: quote(base64.b64encode(key.encode()).decode(), safe=""),
    "base64 in json": lambda key: json.dumps(base64.b64encode(key.encode()).decode()).replace("/", "\\/"),
    "basic": lambda key: base64.b64encode(f"user:{key}".encode()).decode(),
    "header": lambda key: base64.urlsafe_b64encode(f"Authorization: Bearer {key}\r\n".encode()).decode(),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_known_in_every_form(key: str, form: str):
    """And what stands round it stays."""
    shown = FORMS[form](key)
    cleaned = Redactor([key]).clean(f"before {shown} after")
    assert cleaned.startswith("before ")
    assert cleaned.endswith(" after")
    assert cleaned.count(MARK) == 1
    assert Redactor([key]).clean(cleaned) == cleaned
    assert key not in cleaned


@given(st.binary(max_size=7), st.binary(max_size=7), st.sampled_from(KEYS), st.booleans())
def test_base64_is_known_at_every_alignment(before: bytes, after: bytes, key: str, safe: bool):
    """Wherever the key stands in what was encoded, what can be decoded of the rest is none of it."""
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    cleaned = Redactor([key]).clean(encode(before + key.encode() + after).decode())
    assert MARK in cleaned
    # at most two characters of the alphabet, shared with what stands beside the key, are left of it
    assert (
        len(cleaned.replace(MARK, "").rstrip("=")) <= -(-len(before) * 4 // 3) + -(-len(after) * 4 // 3) + 4
    )


@pytest.mark.parametrize("n", [20, 25, 37, 39])
def test_a_key_that_somebody_cut_is_known(n: int):
    """Half of it is enough, from its beginning or from its end."""
    key = KEYS[0]
    assert Redactor([key]).clean(f"Bearer {key[:n]}…") == f"Bearer {MARK}…"
    assert Redactor([key]).clean(f"…{key[-n:]}!") == f"…{MARK}!"


def test_a_line_of_json_keeps_its_form():
    """Numbers stay as they are, and a torn line is redacted as text."""
    key = KEYS[1]
    line = json.dumps({"a": key, "b": [1, 1.5, None, {key: key}]}).encode() + b"\n"
    assert clean_line(line, Redactor([key])) == json.dumps(
        {"a": MARK, "b": [1, 1.5, None, {MARK: MARK}]}, separators=(",", ":")
    ).encode() + b"\n"  # fmt: skip
    assert key.encode() not in clean_line(line[:-9], Redactor([key]))
    assert clean_line(b'{"a": 1}\n', Redactor([key])) == b'{"a": 1}\n'


@pytest.mark.parametrize(
    "name", ["PGPASSWORD", "OPENAI_API_KEY_2", "MY_KEYS", "AZURE_APIKEY_EU", "GITHUB_PAT", "authToken"]
)
def test_variables_are_known_by_their_names(name: str, monkeypatch: pytest.MonkeyPatch):
    """However they spell it."""
    monkeypatch.setenv(name, "Zx81-plain-0815")
    assert refresh().clean("it is Zx81-plain-0815.") == f"it is {MARK}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KEY_FILE", "secrets-of-2024.pem"),
        ("API_KEY_PATH", "a1b2c3d4e5f6"),
        ("SSH_KEY", "/home/u/.ssh/id_1.pub"),
    ],
)
def test_places_of_keys_are_no_keys(name: str, value: str, monkeypatch: pytest.MonkeyPatch):
    """A path is no secret."""
    monkeypatch.setenv(name, value)
    assert refresh().clean(f"see {value}") == f"see {value}"


def test_passwords_in_addresses_are_secrets(monkeypatch: pytest.MonkeyPatch):
    """Of proxies, and of the database that a cache is in."""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hunter2-hunter2@proxy:8080")
    learn_address("postgresql://me:p%40ssw0rd-77@host/db")
    for secret in ("hunter2-hunter2", "p%40ssw0rd-77", "p@ssw0rd-77"):
        assert refresh().clean(f"it is {secret}!") == f"it is {MARK}!"


def test_what_is_sent_is_a_secret():
    """Tokens that LiteLLM makes or fetches, and the whole header where the token is short."""
    learn_sent({"content-type": "application/json", "Authorization": "Bearer ya29.a0AfB_byC-fetched"})
    learn_sent({"authorization": "Basic " + base64.b64encode(b"me:tr0ub4dor-and-3").decode()})
    learn_sent({"x-goog-api-key": "made-up-77-key"})
    learn_sent({"Authorization": "Bearer hunter9"})
    for secret in ("ya29.a0AfB_byC-fetched", "tr0ub4dor-and-3", "made-up-77-key", "Bearer hunter9"):
        assert known().clean(f"({secret})") == f"({MARK})"
    assert known().clean("hunter9 application/json") == "hunter9 application/json"


def test_a_word_in_a_variable_that_ends_in_key_is_no_secret(monkeypatch: pytest.MonkeyPatch):
    """SORT_KEY=timestamp does not take the word timestamp out of all texts."""
    monkeypatch.setenv("SORT_KEY", "timestamp")
    assert redact("the timestamp is late") == "the timestamp is late"


@pytest.mark.parametrize(
    "text",
    [
        "The key to success is patience; the token was 5 tokens long.",
        "这道题的答案是 42。",
        "risk-averse, task-oriented and desk-bound",
        "https://example.org/a?b=c",
    ],
)
def test_ordinary_text_stays(text: str):
    """Words that merely resemble labels of keys are left alone."""
    assert redact(text) == text


def test_nested_values_are_redacted():
    """A JSON document is redacted at every depth."""
    redactor = Redactor(["secret-1"])
    assert redactor.deep({"a": ["secret-1", 1, {"b": "x secret-1"}]}) == {"a": [MARK, 1, {"b": f"x {MARK}"}]}


@given(st.text(), st.from_regex(r"[a-p0-9]{4,12}[0-9][a-p0-9]{4,12}", fullmatch=True))
def test_a_known_secret_never_survives(text: str, secret: str):
    """Wherever the secret stands, it is not in the result."""
    assert secret not in Redactor([secret])(f"{text}{secret}{text}")


@given(st.text())
def test_redacting_twice_changes_nothing(text: str):
    """The mark itself is not taken for a key."""
    redactor = Redactor(["0123456789"])
    assert redactor(redactor(text)) == redactor(text)


def test_logs_and_warnings_of_other_packages_hold_no_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Neither in a message, nor in its arguments, nor in the exception that is shown with it."""
    monkeypatch.setenv("LOGGED_KEY", KEYS[0])
    refresh()
    made, shown = logging.getLogRecordFactory(), warnings.formatwarning
    guard_logs.__wrapped__()
    handler = logging.StreamHandler()
    logger = logging.getLogger("somebody")
    logger.addHandler(handler)
    try:
        logger.error("sent %s", {"authorization": KEYS[0]})
        try:
            raise ValueError(KEYS[0])
        except ValueError:
            logger.exception("it failed")
        print(warnings.formatwarning(UserWarning(f"odd {KEYS[0]}"), UserWarning, "f.py", 1), file=sys.stderr)
    finally:
        logger.removeHandler(handler)
        logging.setLogRecordFactory(made)
        warnings.formatwarning = shown
    said = capsys.readouterr().err
    assert KEYS[0] not in said
    assert said.count(MARK) == 3
