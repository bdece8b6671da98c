"""Likelihoods of choices: shared contexts give what each request gives alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import CallError
from evalkit.models.hf import trie
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Prompt, Scores
from evalkit.models.hf.likelihood import score_choices
from evalkit.models.hf.loading import Loaded, describe, load
from evalkit.models.hf.options import HfOptions
from evalkit.models.hf.scoring import Asked, Scorer

DECODERS = ("gpt2", "llama")


@functools.cache
def untouched(folder: Path) -> Any:
    """The model as transformers loads it, never in evalkit's hands."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def alone(model: Any, asked: Asked) -> tuple[float, bool]:
    """(logprob, greedy) by one forward pass over the sequence and a softmax of everything."""
    import torch

    with torch.no_grad():
        logits = model(torch.tensor([list(asked.tokens)])).logits[0]
    logprobs = torch.log_softmax(logits, -1)[asked.first : asked.first + len(asked.targets)]
    targets = torch.tensor(list(asked.targets))
    return float(logprobs.gather(1, targets[:, None]).sum()), bool((logprobs.argmax(-1) == targets).all())


@functools.cache
def scorer(model: Loaded, tokens: int = 200) -> Scorer:
    """A scorer of the model with batches of so many tokens."""
    return Scorer(model, BatchSize(tokens))


@st.composite
def trees(draw: st.DrawFn) -> list[Asked]:
    """Contexts that begin alike and end differently, each with choices, some of which begin alike, too."""
    token = st.integers(0, 3)
    start = draw(st.lists(token, max_size=40))
    asked = []
    for context in draw(st.lists(st.lists(token, min_size=1, max_size=10), min_size=1, max_size=4)):
        for continuation in draw(st.lists(st.lists(token, min_size=1, max_size=5), min_size=1, max_size=4)):
            whole = [*start, *context]
            asked.append(Asked([*whole, *continuation[:-1]], len(whole) - 1, continuation))
    return draw(st.permutations(asked))


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize(("most", "least"), [(6, 2), (512, 16)])
def test_shared_tokens_change_nothing(
    family: str,
    most: int,
    least: int,
    loaded: Callable[..., Loaded],
    tiny: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However requests share their beginnings, each likelihood is within 1e-4 of the one computed alone."""
    monkeypatch.setattr(trie, "MAX_TREE", most)
    monkeypatch.setattr(trie, "MIN_SHARED", least)
    model, scores = untouched(tiny(family)), scorer(loaded(family))
    assert scores.shares

    @given(trees())
    @settings(max_examples=25, deadline=None)
    def check(asked: list[Asked]) -> None:
        found = dict(scores.score(asked))
        assert sorted(found) == list(range(len(asked)))
        for number, entry in enumerate(asked):
            logprob, greedy = alone(model, entry)
            assert found[number].logprob == pytest.approx(logprob, abs=1e-4)
            assert found[number].greedy == greedy

    check()


def test_shared_tokens_are_computed_once(
    loaded: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty questions behind one beginning cost the beginning once, each question once, each choice once."""
    scores = scorer(loaded("gpt2"), 100)
    computed = []
    stream = type(scores._body).stream
    monkeypatch.setattr(
        type(scores._body),
        "stream",
        lambda self, tokens, *rest, **more: (
            computed.append(len(tokens)),
            stream(self, tokens, *rest, **more),
        )[1],
    )
    start = [i % 7 for i in range(60)]
    asked = [
        Asked([*start, 10 + question, 3, 4, 5, choice, 8], 63, [choice, 8, 9])
        for question in range(40)
        for choice in (20, 21, 22)
    ]
    assert len(dict(scores.score(asked))) == 120
    assert sum(computed) == 60 + 40 * (4 + 3 * 2)


def test_single_tokens_need_the_context_alone(
    loaded: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Choices of one token are read from one distribution behind their context."""
    scores = scorer(loaded("gpt2"), 100)
    computed = []
    stream = type(scores._body).stream
    monkeypatch.setattr(
        type(scores._body),
        "stream",
        lambda self, tokens, *rest, **more: (
            computed.append(len(tokens)),
            stream(self, tokens, *rest, **more),
        )[1],
    )
    assert len(dict(scores.score([Asked([1, 2, 3], 2, [letter]) for letter in range(50, 54)]))) == 4
    assert computed == [3]


def test_models_that_cannot_share_are_asked_row_by_row(
    tiny: Callable[[str], Path], loaded: Callable[..., Loaded]
) -> None:
    """With attention that is not replaced, the numbers are the same and nothing is shared."""
    options = HfOptions(device="cpu", attention="eager")
    plain = scorer(load(describe(str(tiny("gpt2")), options, name="x"), options))
    assert not plain.shares
    asked = [Asked([*range(n + 1), 5], n, [5, 6]) for n in range(12)]
    one, other = dict(plain.score(asked)), dict(scorer(loaded("gpt2")).score(asked))
    for number in range(len(asked)):
        assert one[number].logprob == pytest.approx(other[number].logprob, abs=1e-4)


def test_a_wrong_attention_is_noticed(loaded: Callable[..., Loaded], monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream in which tokens see other branches differs from requests alone: such a model is not shared."""
    from evalkit.models.hf import body

    monkeypatch.setattr(body, "_mask", lambda *args: None)
    assert not Scorer(loaded("gpt2"), BatchSize(200)).shares


def ask(model: Loaded, items: list[ChoiceItem]) -> dict[int, Any]:
    """Position -> result."""
    return dict(score_choices(model, scorer(model), items))


def test_white_space_goes_to_the_continuation(loaded: Callable[..., Loaded]) -> None:
    """A space at the end of the context is scored with the continuation, as lm_eval does."""
    found = ask(
        loaded("gpt2"),
        [ChoiceItem(Prompt("Answer: "), ("yes", "no")), ChoiceItem(Prompt("Answer:"), (" yes", " no"))],
    )
    for one, other in zip(found[0].loglikelihoods, found[1].loglikelihoods, strict=True):
        assert one == other


def test_contexts_that_do_not_fit_lose_their_beginning(
    loaded: Callable[..., Loaded], tiny: Callable[[str], Path]
) -> None:
    """The last max_length tokens before the last one are the input, and the response says what was lost."""
    model = loaded("gpt2")
    text = "The quick brown fox jumps over the lazy dog. " * 30
    found = ask(model, [ChoiceItem(Prompt(text.strip()), (" yes", " It was the worst meal"))])[0]
    tokens = model.tokenizer(text.strip())["input_ids"]
    whole = model.tokenizer(text.strip() + " It was the worst meal")["input_ids"]
    tail = whole[len(tokens) :]
    kept = whole[-129:][:-1]
    expected, _ = alone(untouched(tiny("gpt2")), Asked(kept, len(kept) - len(tail), tail))
    assert found.loglikelihoods[1].logprob == pytest.approx(expected, abs=1e-4)
    lost = len(whole) - 129
    assert f"the context lost its first {lost} of {len(tokens)} tokens" in found.notes


def test_a_continuation_longer_than_the_model_fails_alone(loaded: Callable[..., Loaded]) -> None:
    """What cannot be scored is an error of its sample, and the others are answered."""
    found = ask(loaded("gpt2"), [ChoiceItem(Prompt("a"), ("x " * 300,)), ChoiceItem(Prompt("a"), (" b",))])
    assert isinstance(found[0], CallError)
    assert found[0].kind == "context_length"
    assert isinstance(found[1], Scores)


@pytest.mark.parametrize("family", DECODERS)
def test_a_continuation_of_nothing_stands_behind_bos(family: str, loaded: Callable[..., Loaded]) -> None:
    """Without a context, BOS (EOS where there is none) is the input and never a target."""
    model = loaded(family)
    found = ask(model, [ChoiceItem(Prompt(""), ("Paris is a city",))])[0]
    tokens = model.tokenizer("Paris is a city", add_special_tokens=False)["input_ids"]
    asked = Asked([model.prefix_token, *tokens[:-1]], 0, tokens)
    assert found.loglikelihoods[0].logprob == pytest.approx(
        dict(scorer(model).score([asked]))[0].logprob, abs=1e-4
    )
    assert found.loglikelihoods[0].n_tokens == len(tokens)


def test_an_empty_continuation_is_certain(loaded: Callable[..., Loaded]) -> None:
    """Nothing to say has the likelihood 1, no tokens, and does not stop the others."""
    found = ask(loaded("gpt2"), [ChoiceItem(Prompt("a"), ("", " b"))])[0]
    assert (found.loglikelihoods[0].logprob, found.loglikelihoods[0].n_tokens) == (0.0, 0)
    assert found.loglikelihoods[1].n_tokens == 1


def test_contexts_of_their_own_share_what_they_have(
    loaded: Callable[..., Loaded], tiny: Callable[[str], Path]
) -> None:
    """Choices that stand in the context (Winogrande) are scored with the same ending behind each."""
    model = loaded("llama")
    start = "A farmer has 12 sheep because the "
    items = [ChoiceItem(Prompt(start + word), (" was worse than the story.",)) for word in ("fox", "meal")]
    found = ask(model, items)
    for number, item in enumerate(items):
        head = model.tokenizer(item.prompt.text)["input_ids"]
        whole = model.tokenizer(item.prompt.text + item.continuations[0])["input_ids"]
        expected, _ = alone(untouched(tiny("llama")), Asked(whole[:-1], len(head) - 1, whole[len(head) :]))
        assert found[number].loglikelihoods[0].logprob == pytest.approx(expected, abs=1e-4)
