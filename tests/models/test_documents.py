"""JSON as servers send it: odd documents are read, and everything that is kept can be written."""

from __future__ import annotations

import json
import math
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.records import Response, Token, ToolCall
from evalkit.models.documents import (
    UnreadableError,
    read_document,
    sound_body,
    writable,
    writable_response,
)

ODD: dict[str, tuple[bytes, Any]] = {
    "half a pair": (rb'{"a": "x\ud83d"}', {"a": "x\ud83d"}),
    "both halves": (rb'{"a": "\ud83d\ude00"}', {"a": "😀"}),
    "cut byte": (b'{"a": "\xe4\xbd"}', {"a": "\udce4\udcbd"}),
    "byte order mark": (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    "infinity": (b'{"a": [Infinity, -Infinity]}', {"a": [math.inf, -math.inf]}),
    "line break": (b'{"a": "x\ny"}', {"a": "x\ny"}),
    "equal keys": (b'{"a": 1, "a": 2}', {"a": 2}),
    "utf-16": ('{"a": "é"}'.encode("utf-16"), {"a": "é"}),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_documents_are_read(name: str) -> None:
    """What orjson refuses is read all the same."""
    body, document = ODD[name]
    assert read_document(body) == document


def test_nan_is_a_float() -> None:
    """In a side field it hurts nobody."""
    assert math.isnan(read_document(b'{"a": NaN}')["a"])


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": 1', b"{} {}", b"[" * 200_000, b"\xff\xfe\x00"])
def test_what_is_no_document_is_told(body: bytes) -> None:
    """One error, whatever the bytes are; they are passed on as they came."""
    with pytest.raises(UnreadableError):
        read_document(body)
    assert sound_body(body) is body


@pytest.mark.parametrize("name", ODD)
def test_a_sound_body_is_the_same_document_for_every_reader(name: str) -> None:
    """The standard library reads it from bytes, as httpx and LiteLLM do."""
    body, document = ODD[name]
    assert json.loads(sound_body(body)) == document


def test_a_body_that_is_sound_is_left_alone() -> None:
    """Nothing is written anew where nothing is odd."""
    body = b'{"a": 1.50}'
    assert sound_body(body) is body


@given(st.text(st.characters(codec=None, categories=None), max_size=12))
def test_writable_text_can_be_written_and_keeps_what_could(text: str) -> None:
    """Lone surrogates become U+FFFD, one for one; the rest stays."""
    found = writable(text)
    found.encode()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert found == text
    assert writable(found) == found


def test_every_text_of_a_response_is_made_writable() -> None:
    """Text, thoughts, tokens and tool calls can be stored; a note says that something was replaced."""
    bad = "a\ud800"
    response = Response(
        text=bad,
        reasoning=bad,
        finish_reason=bad,
        model_reported=bad,
        tokens=(Token(bad, {bad: -1.0}),),
        tool_calls=(ToolCall(bad, bad, bad),),
    )
    found = writable_response(response)
    assert orjson.dumps(found).decode().count("a\ufffd") == 9
    assert "U+FFFD" in found.notes[0]
    assert writable_response(found) is found
