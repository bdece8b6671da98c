"""Stop strings are found token by token, whatever tokens they are made of."""

from __future__ import annotations

from typing import Any

import pytest
from local_models import Load

from evalkit.models.hf.stopping import StopMatcher, cut, stop_tokens


def first_stop(tokenizer: Any, text: str, stops: tuple[str, ...]) -> tuple[str, int]:
    """(text up to the token that completes a stop string, cut; tokens used); the matcher must stop."""
    tokens = tokenizer.encode(text, add_special_tokens=False)
    matcher = StopMatcher(tokenizer, stops)
    for number, token in enumerate(tokens, start=1):
        if matcher.push(token):
            return cut(matcher.text(), stops)[0], number
    raise AssertionError(f"{stops} not found in {text!r}")


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("text", "stops", "before"),
    [
        ("a brown fox\n\nQuestion: and more", ("\n\nQuestion:",), "a brown fox"),
        ("the lazy dog. The end", (". T",), "the lazy dog"),
        ("今天天气很好。我们去公园", ("。",), "今天天气很好"),
        ("答案：七个。问题：还剩", ("。问题：",), "答案：七个"),
        ("done 🙂 then", ("🙂",), "done "),
        ("x yz", ("nowhere", " y"), "x"),
    ],
)
def test_stop_strings_across_tokens_and_characters_are_found(
    tiny_loaded: Load, family: str, text: str, stops: tuple[str, ...], before: str
) -> None:
    """A stop string of several tokens, or of characters of several tokens, ends the text where it begins."""
    found, _ = first_stop(tiny_loaded(family).tokenizer, text, stops)
    assert found == before


def test_matcher_stops_at_the_first_token_that_completes_a_stop(tiny_loaded: Load) -> None:
    """No token more is asked for than the stop string needs."""
    tokenizer = tiny_loaded("gpt2").tokenizer
    tokens = tokenizer.encode("one two\nthree four")
    _, used = first_stop(tokenizer, "one two\nthree four", ("\n",))
    assert "\n" in tokenizer.decode(tokens[:used])
    assert "\n" not in tokenizer.decode(tokens[: used - 1])


def test_half_a_character_is_no_stop(tiny_loaded: Load) -> None:
    """The bytes that two characters share do not end a text before the character is whole."""
    tokenizer = tiny_loaded("gpt2").tokenizer
    matcher = StopMatcher(tokenizer, ("🙂",))
    tokens = tokenizer.encode("🙃 and no smile")  # three of its four bytes are those of 🙂
    assert len(tokenizer.encode("🙃")) > 1
    assert not any(matcher.push(token) for token in tokens)


def test_special_token_as_stop_string_is_a_token(tiny_loaded: Load) -> None:
    """A stop string that is a special token ends the text though decoding leaves it out."""
    tokenizer = tiny_loaded("llama").tokenizer
    assert stop_tokens(tokenizer, ("</s>", "\n", "the")) == {tokenizer.eos_token_id}


def test_text_is_cut_at_the_first_of_several_stops() -> None:
    """The leftmost stop string counts, and an empty one is none."""
    assert cut("a b c", ("c", " b", "")) == ("a", True)
    assert cut("abc", ("x", "")) == ("abc", False)
