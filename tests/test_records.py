"""Records: a request's digest says what was asked, and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from typing import Any

import pytest
from factories import make_request
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core import records
from evalkit.core.records import ImagePart, Message, Request, TextPart, digest, encode_message, flatten

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

CHANGES: dict[str, Any] = {
    "kind": "loglikelihood",
    "model": "mock/other",
    "messages": (Message("user", "another question"),),
    "continuations": ("yes", "no"),
    "text": "a text",
    "params": {"temperature": 0.5},
    "repeat": 1,
}


@pytest.mark.parametrize("field", CHANGES)
def test_digest_depends_on_every_field_of_the_content(field: str) -> None:
    """A change to any field that can change the answer changes the digest."""
    request = make_request()
    assert dataclasses.replace(request, **{field: CHANGES[field]}).digest != request.digest


def test_every_field_of_a_request_is_content_or_the_label() -> None:
    """A new field of Request must be decided on: part of the digest, or a label like sample_id."""
    assert {field.name for field in dataclasses.fields(Request)} == {*CHANGES, "sample_id", "order"}


def test_digest_ignores_the_sample_that_asks() -> None:
    """Two samples that ask the same share one answer."""
    assert make_request(sample_id="a").digest == make_request(sample_id="b").digest


def test_digest_ignores_the_order_of_parameters() -> None:
    """The order in which parameters were written is no content."""
    one = make_request(params={"temperature": 0, "max_tokens": 5, "stop": ["a", "b"]})
    other = make_request(params={"stop": ["a", "b"], "max_tokens": 5, "temperature": 0})
    assert one.digest == other.digest


def test_digest_keeps_the_order_of_messages_and_continuations() -> None:
    """Swapped messages or continuations are another question."""
    messages = (Message("user", "a"), Message("assistant", "b"))
    assert make_request(messages=messages).digest != make_request(messages=messages[::-1]).digest
    assert make_request(continuations=("a", "b")).digest != make_request(continuations=("b", "a")).digest


def test_digest_tells_roles_and_borders_of_messages_apart() -> None:
    """The same characters in another role, or cut at another place, are another question."""
    digests = {
        make_request(messages=messages).digest
        for messages in (
            (Message("user", "ab"),),
            (Message("system", "ab"),),
            (Message("user", "a"), Message("user", "b")),
            (Message("user", (TextPart("ab"),)),),
            (Message("user", (TextPart("a"), TextPart("b"))),),
            (Message("user", (ImagePart("ab"),)),),
        )
    }
    assert len(digests) == 6


def test_digest_is_the_same_in_every_process_and_release() -> None:
    """The digest is the SHA-256 of canonical JSON; if it moved, every cache would be orphaned."""
    assert digest({"b": 1, "a": ["é"]}) == hashlib.sha256('{"a":["é"],"b":1}'.encode()).hexdigest()
    assert (
        make_request(params={"temperature": 0}).digest
        == "8091ef648f75c5e19b1a4440b3818c638da3af653537c28e9c81ced53d0d8c80"
    )


@given(JSON_VALUES)
def test_any_json_value_has_a_digest(value: object) -> None:
    """Whatever a data file or a task file holds (huge integers, NaN) has a digest, always the same."""
    assert digest(value) == digest(value)


def test_lone_surrogates_have_a_digest() -> None:
    """A text that is no valid Unicode has a digest of its own, and does not end a run."""
    assert digest(["\ud800"]) != digest(["\ud801"])


def test_message_is_encoded_as_chat_servers_take_it() -> None:
    """Plain content is a text; parts become typed objects."""
    assert encode_message(Message("user", "hi")) == {"role": "user", "content": "hi"}
    message = Message("user", (TextPart("look"), ImagePart("data:image/png;base64,AA==")))
    assert encode_message(message)["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
    ]


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ((Message("user", "Q"),), "Q"),
        ((Message("system", "S"), Message("user", "Q")), "S\n\nQ"),
        ((Message("user", "Q"), Message("assistant", "A")), "Q A"),
        ((Message("user", "Q\n"), Message("assistant", "A")), "Q\nA"),
        ((Message("user", "Q"), Message("assistant", " A")), "Q A"),
        ((Message("user", "Q"), Message("assistant", "")), "Q"),
        ((Message("user", (TextPart("a"), ImagePart("x"), TextPart("b"))),), "ab"),
        ((), ""),
    ],
)
def test_flatten_joins_messages_as_one_text(messages: tuple[Message, ...], text: str) -> None:
    """A blank line stands between messages, one space before a prefill, never two kinds of white space."""
    assert flatten(messages) == text


def test_records_are_frozen() -> None:
    """A record that was handed out cannot be changed under anybody's feet."""
    classes = [item for _, item in inspect.getmembers(records, dataclasses.is_dataclass)]
    assert len(classes) > 15
    for record in classes:
        assert record.__dataclass_params__.frozen, record
