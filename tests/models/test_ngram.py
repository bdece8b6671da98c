"""The n-gram baseline: a proper distribution over bytes, learned from the train split alone."""

from __future__ import annotations

import asyncio
import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import CallError
from evalkit.core.records import Message, Request, Response, Sample, TaskView
from evalkit.models.ngram import ByteModel, NgramModel
from evalkit.models.protocol import Model

TASKS = Path(__file__).parents[2] / "tasks"
FABLE = "Q: 1\nA: yes\n", "Q: 2\nA: yes\n", "Q: 3\nA: no\n"


def bound(texts: tuple[str, ...] = FABLE, seed: int = 0, **changes) -> Model:
    return NgramModel(seed).bind(TaskView("t", "en", "generate", (), changes.get("samples", {}), (), texts))


def generate(model: Model, prompt: str, repeat: int = 0, **params) -> Response:
    request = Request(
        "generate", "m", (Message("user", prompt),), params=params, sample_id="s", repeat=repeat
    )
    return asyncio.run(model.generate(request))


def rank(model: Model, prompt: str, *continuations: str) -> Response:
    request = Request("loglikelihood", "m", (Message("user", prompt),), continuations)
    return asyncio.run(model.loglikelihood(request))


def roll(model: Model, text: str) -> float:
    response = asyncio.run(model.loglikelihood(Request("rolling", "m", text=text)))
    return response.loglikelihoods[0].logprob


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=3), st.text(max_size=8))
def test_the_next_byte_has_a_proper_distribution(texts, prefix):
    """The probabilities of the 256 bytes are positive and sum to 1, after any text."""
    model = ByteModel(texts)
    context = model.context(prefix.encode())
    values = model.distribution(context)
    assert min(values) > 0
    assert sum(values) == pytest.approx(1)
    assert values[97] == pytest.approx(model.probability(context, 97))


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_likelihoods_add_up(first, second):
    """The loglikelihood of a text is that of its beginning plus that of the rest after it."""
    model = ByteModel(FABLE)
    a, b = first.encode(), second.encode()
    whole = model.score(b"", a + b)
    assert whole.logprob == pytest.approx(model.score(b"", a).logprob + model.score(a, b).logprob)
    assert whole.n_tokens == len(a + b)


def test_without_training_text_every_byte_is_equally_likely():
    """An empty train split makes the uniform model: 8 bits per byte, nothing to say, and a note."""
    model = bound(())
    assert roll(model, "abc") == pytest.approx(-3 * math.log(256))
    response = generate(model, "Hello")
    assert response.text == ""
    assert response.notes


def test_what_was_seen_is_likelier():
    """A continuation of the train split gets a higher loglikelihood than its reverse."""
    scores = rank(bound(), "Q: 4\nA:", " yes", " sey").loglikelihoods
    assert scores[0].logprob > scores[1].logprob
    assert scores[0].n_tokens == 4


def test_is_greedy_means_the_likeliest_byte_each_time():
    """The greedy continuation is what generation writes."""
    model = bound()
    written = generate(model, "Q: 4\nA:", stop=["\n"]).text
    assert written == " yes"
    scores = rank(model, "Q: 4\nA:", " yes", " no").loglikelihoods
    assert [score.is_greedy for score in scores] == [True, False]


def test_it_learns_nothing_but_the_train_texts():
    """The samples that are asked change nothing."""
    samples = {"s": Sample("s", {"text": "zebra " * 50}, target=("zebra",))}
    assert roll(bound(samples=samples), "zebra") == roll(bound(), "zebra")


def test_max_tokens_cuts_and_says_so():
    """A token is a byte; a cut answer is truncated, and never half a character."""
    response = generate(bound(("一二三四五六七八九十",)), "一", max_tokens=7)
    assert (response.status, response.finish_reason, response.text) == ("truncated", "length", "二三")


def test_stop_ends_the_text_before_it():
    """Stop sequences are not part of the answer."""
    assert generate(bound(), "Q: 1\nA:", stop="s").text == " ye"


def test_the_end_of_a_text_is_learned():
    """After the last byte of a train text, generation ends by itself."""
    response = generate(bound(("say hello",)), "say ")
    assert (response.status, response.text) == ("ok", "hello")


def test_sampling_hangs_on_seed_sample_and_repeat():
    """The same request gives the same text; another repeat or seed gives another."""
    text = ("the cat sat on the mat and the dog ran to the cat on the mat " * 3,)
    first = generate(bound(text), "the ", temperature=1.5, max_tokens=60)
    assert first == generate(bound(text), "the ", temperature=1.5, max_tokens=60)
    assert first.text != generate(bound(text), "the ", repeat=1, temperature=1.5, max_tokens=60).text
    assert first.text != generate(bound(text, seed=1), "the ", temperature=1.5, max_tokens=60).text


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60), st.text(max_size=20), st.sampled_from([0, 0.7, 2.0]))
def test_generation_is_always_text(train, prompt, temperature):
    """Whatever it read, it writes valid text within the limit."""
    response = generate(bound((train,)), prompt, temperature=temperature, max_tokens=40)
    assert response.text is not None
    assert len(response.text.encode()) <= 40


def test_unbound_it_says_so():
    """Without a task there is nothing to read."""
    with pytest.raises(CallError, match="bind"):
        roll(NgramModel(), "x")


@pytest.mark.parametrize(("language", "bits"), [("zh", 3.798), ("en", 2.877)])
def test_bits_per_byte_of_the_bundled_texts(language, bits):
    """The figures that chose order and smoothing (this model, this data; see the module's docstring)."""
    folder = TASKS / f"language_modelling_{language}"
    if not folder.exists():
        pytest.skip("the task is not there")

    def texts(name: str) -> list[str]:
        return [json.loads(line)["text"] for line in (folder / name).read_text("utf-8").splitlines()]

    model = ByteModel(texts("train.jsonl"))
    scores = [model.score(b"", text.encode()) for text in texts("samples.jsonl")]
    n_bytes = sum(score.n_tokens or 0 for score in scores)
    assert -sum(score.logprob for score in scores) / math.log(2) / n_bytes == pytest.approx(bits, abs=0.15)


def test_a_bundled_task_takes_less_than_a_second():
    """40 samples of 4 choices (50 characters after prompts of 300), and 18 kB of rolling text."""
    text = "The quick brown fox jumps over the lazy dog, and then it sleeps until the sun is up again. "
    model = bound((text * 30,))
    before = time.process_time()
    for i in range(40):
        rank(model, (text * 5)[i : i + 300], *[text[i + k : i + k + 50] for k in range(4)])
    roll(model, text * 200)
    assert time.process_time() - before < 1
