"""Encoder-decoder models: likelihoods after a prompt, and texts, as the model gives each alone."""

from __future__ import annotations

import pytest
import torch
from local_models import Load

from evalkit.core.errors import CallError
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Prompt, Scores, TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.seq2seq import Seq2SeqEngine

FAMILIES = ("t5", "bart")
ASKED = (
    ChoiceItem(
        Prompt("Question: What is the capital of France?\nAnswer: "), ("Paris", "London is big", "巴黎")
    ),
    ChoiceItem(Prompt("水在一百度"), (" 沸腾", "融化。")),
    ChoiceItem(Prompt(""), ("the fox", "a")),
    ChoiceItem(Prompt("水在一百度"), ("散步",)),
)


def alone(loaded: Loaded, prompt: str, continuation: str) -> tuple[float, bool]:
    """(likelihood, whether greedy) by the rules of lm_eval 0.4.13: one row, `labels`, no padding."""
    kept = prompt.rstrip()
    tokens = loaded.tokenizer.encode(kept) if prompt else [loaded.prefix_token]
    labels = loaded.tokenizer.encode(prompt[len(kept) :] + continuation, add_special_tokens=False)
    with torch.inference_mode():
        logits = loaded.model(input_ids=torch.tensor([tokens]), labels=torch.tensor([labels])).logits[0]
    logprobs = torch.log_softmax(logits, -1)
    value = logprobs.gather(-1, torch.tensor(labels)[:, None]).sum()
    return float(value), logits.argmax(-1).tolist() == labels


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("tokens", [24, 4096])
def test_likelihoods_are_those_of_each_continuation_alone(
    tiny_loaded: Load, family: str, tokens: int
) -> None:
    """Prompts encoded once and continuations side by side give each row's own likelihood within 1e-4."""
    loaded = tiny_loaded(family)
    found = dict(Seq2SeqEngine(loaded, BatchSize(tokens)).loglikelihood(ASKED))
    for number, item in enumerate(ASKED):
        scores = found[number]
        assert isinstance(scores, Scores)
        expected = [alone(loaded, item.prompt.text, text) for text in item.continuations]
        assert [one.logprob for one in scores.loglikelihoods] == pytest.approx(
            [value for value, _ in expected], abs=1e-4
        )
        assert [one.is_greedy for one in scores.loglikelihoods] == [greedy for _, greedy in expected]


def test_prompt_is_encoded_once(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """All continuations of a prompt, also those of another request, share one pass of the encoder."""
    loaded = tiny_loaded("t5")
    rows: list[int] = []
    encoder = loaded.model.get_encoder()
    whole = encoder.forward

    def forward(*args: object, **kwargs: object) -> object:
        rows.append(len(kwargs["input_ids"]))  # type: ignore[arg-type]
        return whole(*args, **kwargs)

    monkeypatch.setattr(encoder, "forward", forward)
    list(Seq2SeqEngine(loaded, BatchSize(4096)).loglikelihood(ASKED))
    assert rows == [3]


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_texts_are_those_of_each_prompt_alone(tiny_loaded: Load, family: str) -> None:
    """Batches, most tokens and stop strings of each row leave its text as `generate` gives it alone."""
    loaded = tiny_loaded(family)
    asked = [
        GenerationItem(Prompt(text), {"max_tokens": 5 + 4 * number, "stop": ["oo"]}, "")
        for number, text in enumerate(("The quick brown fox", "今天天气很好", "x"))
    ]
    found = dict(Seq2SeqEngine(loaded, BatchSize(4096)).generate(asked))
    for number, item in enumerate(asked):
        tokens = torch.tensor([loaded.tokenizer.encode(item.prompt.text)])
        with torch.inference_mode():
            written = loaded.model.generate(tokens, max_new_tokens=item.params["max_tokens"], do_sample=False)
        text = loaded.tokenizer.decode(written[0], skip_special_tokens=True)
        answer = found[number]
        assert isinstance(answer, Generated)
        assert answer.text == text.split("oo")[0]


def test_whole_texts_have_no_likelihood(tiny_loaded: Load) -> None:
    """A decoder's likelihoods are conditional on a prompt: a rolling request is refused with the reason."""
    engine = Seq2SeqEngine(tiny_loaded("t5"), BatchSize(64))
    ((number, error),) = engine.rolling([TextItem("a text")])
    assert number == 0
    assert isinstance(error, CallError)
    assert error.kind == "unsupported"
    assert "conditional on a prompt" in str(error)
