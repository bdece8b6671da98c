"""Whole texts: every token is scored once, whatever their length."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.records import Loglikelihood
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.options import HfOptions
from evalkit.models.hf.rolling import score_texts, windows
from evalkit.models.hf.scoring import Asked, Scorer


def disjoint(tokens: list[int], prefix: int, longest: int) -> list[tuple[list[int], list[int]]]:
    """(input, targets) of each window, written after lm_eval 0.4.13: utils.get_rolling_token_windows with
    context_len 1, then make_disjoint_window, then the input without its last token."""
    found = []
    done = 0
    while done < len(tokens):
        targets = tokens[done : done + longest]
        # The windows' inputs are full: the last one, which predicts less, sees more before it.
        context = tokens[max(0, done + len(targets) - longest - 1) : done] if done else [prefix]
        found.append(([*context, *targets][:-1], targets))
        done += len(targets)
    return found


@given(st.integers(0, 40), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_windows_are_those_of_lm_eval(n: int, longest: int) -> None:
    """Disjoint windows: the same inputs and targets."""
    tokens = list(range(100, 100 + n))
    found = [(list(part.tokens), list(part.targets)) for part in windows(tokens, 7, longest, None)]
    assert found == disjoint(tokens, 7, longest)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=80, deadline=None)
def test_strided_windows_score_each_token_once(n: int, longest: int, stride: int) -> None:
    """Each token is a target once, behind what precedes it, with at least longest - stride before it."""
    tokens = list(range(100, 100 + n))
    whole = [7, *tokens]
    targets = []
    for part in windows(tokens, 7, longest, min(stride, longest)):
        assert len(part.tokens) <= longest
        for offset, target in enumerate(part.targets):
            at = whole.index(target)
            start = part.first + offset + 1
            assert list(part.tokens[:start]) == whole[at - start : at]
            assert start >= min(at, longest - stride + 1)
            targets.append(target)
    assert targets == tokens


def score(model: Loaded, texts: list[str]) -> list[Loglikelihood]:
    """The likelihood of each text."""
    found = dict(score_texts(model, Scorer(model, BatchSize(300)), [TextItem(text) for text in texts]))
    return [found[number].loglikelihoods[0] for number in range(len(texts))]  # type: ignore[union-attr]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_empty_and_short_texts(family: str, loaded: Callable[..., Loaded]) -> None:
    """Nothing has the likelihood 1 and no tokens; one token is scored behind BOS, which is no target."""
    model = loaded(family)
    word = model.tokenizer.decode([300])
    empty, one = score(model, ["", word])
    assert (empty.logprob, empty.n_tokens) == (0.0, 0)
    tokens = model.tokenizer(word, add_special_tokens=False)["input_ids"]
    asked = Asked([model.prefix_token, *tokens[:-1]], 0, tokens)
    expected = dict(Scorer(model, BatchSize(300)).score([asked]))[0].logprob
    assert one.logprob == pytest.approx(expected, abs=1e-4)
    assert one.n_tokens == len(tokens)


def test_texts_longer_than_the_model(loaded: Callable[..., Loaded]) -> None:
    """A long text is the sum of its windows, and every token of it is counted."""
    model = loaded("gpt2")
    text = "Water boils at 100 degrees; ice melts at 0 degrees. " * 40
    tokens = model.tokenizer(text)["input_ids"]
    assert len(tokens) > 3 * model.max_length
    found = score(model, [text])[0]
    parts = [
        Asked(i, len(i) - len(t), t) for i, t in disjoint(tokens, model.prefix_token or 0, model.max_length)
    ]
    expected = sum(entry.logprob for _, entry in Scorer(model, BatchSize(300)).score(parts))
    assert found.logprob == pytest.approx(expected, abs=1e-3)
    assert found.n_tokens == len(tokens)


def test_strides_change_long_texts_only(loaded: Callable[..., Loaded]) -> None:
    """A text that fits has the same likelihood in both forms; a longer one another, over as many tokens."""
    short, long = "The fox jumps.", "The quick brown fox jumps over the lazy dog. " * 30
    one = score(loaded("gpt2"), [short, long])
    other = score(loaded("gpt2", HfOptions(device="cpu", rolling="strided", stride=32)), [short, long])
    assert one[0].logprob == pytest.approx(other[0].logprob, abs=1e-5)
    assert one[1].n_tokens == other[1].n_tokens
    assert abs(one[1].logprob - other[1].logprob) > 1e-3
