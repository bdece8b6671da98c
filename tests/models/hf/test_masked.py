"""Masked models: pseudo-log-likelihoods by their definition, one masked copy at a time."""

from __future__ import annotations

import math

import pytest
import torch
from local_models import Load

from evalkit.core.errors import CallError
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Prompt, Scores, TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.masked import MaskedEngine

ASKED = (
    ChoiceItem(Prompt("The capital of France is"), (" paris", " the umbrella 北京", " x")),
    ChoiceItem(Prompt("今天天气"), ("很好。", "不好")),
    ChoiceItem(Prompt(""), ("the quick brown fox",)),
)


def definition(loaded: Loaded, prompt: str, text: str, *, same_word: bool) -> tuple[float, int]:
    """(pseudo-log-likelihood, tokens) of a continuation, one unpadded forward pass for each of its tokens."""
    tokenizer = loaded.tokenizer
    whole = tokenizer(prompt + text)
    tokens, words = whole["input_ids"], whole.word_ids()
    first = len(tokenizer(prompt)["input_ids"]) - 1
    total = 0.0
    for place in range(first, len(tokens) - 1):
        masked = list(tokens)
        masked[place] = tokenizer.mask_token_id
        if same_word:
            for later in range(place + 1, len(tokens) - 1):
                if words[later] == words[place]:
                    masked[later] = tokenizer.mask_token_id
        with torch.inference_mode():
            logits = loaded.model(torch.tensor([masked])).logits[0, place]
        total += float(torch.log_softmax(logits, -1)[tokens[place]])
    return total, len(tokens) - 1 - first


@pytest.mark.parametrize("pll", ["original", "within_word_l2r"])
@pytest.mark.parametrize("tokens", [40, 4096])
def test_choices_have_the_pseudo_log_likelihood_of_the_definition(
    tiny_loaded: Load, pll: str, tokens: int
) -> None:
    """In batches of any size, the sum over a continuation's tokens is that of one mask at a time."""
    loaded = tiny_loaded("bert", pll=pll)
    found = dict(MaskedEngine(loaded, BatchSize(tokens)).loglikelihood(ASKED))
    for number, item in enumerate(ASKED):
        scores = found[number]
        assert isinstance(scores, Scores)
        for text, one in zip(item.continuations, scores.loglikelihoods, strict=True):
            value, n_tokens = definition(loaded, item.prompt.text, text, same_word=pll == "within_word_l2r")
            assert one.n_tokens == n_tokens
            assert one.logprob == pytest.approx(value, abs=1e-4)


def test_variants_differ_where_a_word_has_several_tokens(tiny_loaded: Load) -> None:
    """Within a word, the tokens to the right are hidden in one variant and seen in the other."""
    word = ChoiceItem(Prompt(""), ("jumping",))
    values = []
    for pll in ("original", "within_word_l2r"):
        ((_, scores),) = MaskedEngine(tiny_loaded("bert", pll=pll), BatchSize(64)).loglikelihood([word])
        assert isinstance(scores, Scores)
        assert (scores.loglikelihoods[0].n_tokens or 0) > 1
        values.append(scores.loglikelihoods[0].logprob)
    assert values[0] != values[1]


def test_long_text_is_scored_token_by_token_in_windows(tiny_loaded: Load) -> None:
    """A text longer than the model takes is the sum of its pieces; each token is scored once."""
    loaded = tiny_loaded("bert", max_length=12)
    engine = MaskedEngine(loaded, BatchSize(256))
    text = "the quick brown fox jumps over the lazy dog and rests 今天天气很好"
    n_tokens = len(loaded.tokenizer.encode(text, add_special_tokens=False))
    assert n_tokens > 10
    found = dict(engine.rolling([TextItem(text), TextItem(""), TextItem("fox")]))
    whole, empty, one = (found[number].loglikelihoods[0] for number in range(3))  # type: ignore[union-attr]
    assert whole.n_tokens == n_tokens
    assert (empty.logprob, empty.n_tokens) == (0.0, 0)
    assert one.n_tokens == 1
    assert one.logprob == pytest.approx(definition(loaded, "", "fox", same_word=False)[0], abs=1e-4)


def test_guessing_costs_the_logarithm_of_the_vocabulary(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that knows nothing gives each token 1/V, so that pseudo-perplexity is V."""
    loaded = tiny_loaded("bert")
    for parameter in loaded.model.get_output_embeddings().parameters():
        monkeypatch.setattr(parameter, "data", torch.zeros_like(parameter.data))
    ((_, scores),) = MaskedEngine(loaded, BatchSize(512)).rolling([TextItem("the lazy dog jumps")])
    assert isinstance(scores, Scores)
    likelihood = scores.loglikelihoods[0]
    rate = -likelihood.logprob / (likelihood.n_tokens or 1)
    assert math.exp(rate) == pytest.approx(loaded.config.vocab_size, rel=1e-4)


def test_long_prompt_loses_its_beginning_and_a_long_answer_is_an_error(tiny_loaded: Load) -> None:
    """What does not fit is cut from the left with a note; a continuation that does not fit fails alone."""
    engine = MaskedEngine(tiny_loaded("bert", max_length=16), BatchSize(256))
    long = ChoiceItem(Prompt("one two three " * 20), (" fox",))
    endless = ChoiceItem(Prompt("a"), (" fox" * 40,))
    found = dict(engine.loglikelihood([long, endless]))
    kept, refused = found[0], found[1]
    assert isinstance(kept, Scores)
    assert "beginning was left out" in kept.notes[0]
    assert isinstance(refused, CallError)
    assert refused.kind == "context_length"


def test_masked_model_writes_nothing(tiny_loaded: Load) -> None:
    """A generate request is refused, with the reason."""
    engine = MaskedEngine(tiny_loaded("bert"), BatchSize(64))
    ((_, error),) = engine.generate([GenerationItem(Prompt("a"), {}, "")])
    assert not isinstance(error, Generated)
    assert "masked language model" in str(error)
