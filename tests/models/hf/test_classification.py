"""Classification heads: their labels are the task's, and their probabilities its likelihoods."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiny_models
import torch
from local_models import Load

from evalkit.core.errors import CallError, ConfigError
from evalkit.core.records import Message, Request, Response, Sample, TaskView
from evalkit.models.hf import make_hf
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.classification import ClassifierEngine
from evalkit.models.hf.engine import ChoiceItem, Prompt, Scores
from evalkit.models.hf.head import HfClassifier
from evalkit.models.hf.labels import head_labels
from evalkit.models.hf.options import HfOptions
from evalkit.models.resolution import resolve_model
from evalkit.models.settings import ModelSettings

TEXTS = ("the film was wonderful", "the worst meal", "今天天气很好，演员也很出色", "a")


def task(
    kind: str = "generate", labels: tuple[str, ...] = ("negative", "positive"), **fields: str
) -> TaskView:
    """A task with one sample; of a choice task, the labels are its options."""
    sample = Sample("1", fields or {"text": TEXTS[0]}, choices=labels if kind == "choice" else ())
    return TaskView("films", "en", kind, labels if kind == "generate" else (), {"1": sample}, (), ())


@pytest.fixture(scope="module")
def model(tiny_model: Callable[[str], Path]) -> Callable[..., HfClassifier]:
    """Makes the tiny classifier with the options of an evalkit.yaml."""

    def make(**options: Any) -> HfClassifier:
        settings = ModelSettings(f"hf/{tiny_model('classifier')}", options=options)
        made = make_hf(resolve_model("head", {"head": settings}))
        assert isinstance(made, HfClassifier)
        return made

    return make


def ask(bound: HfClassifier, text: str, kind: str = "generate", **more: Any) -> Response:
    """The response to a request with this prompt."""

    async def once() -> Response:
        request = Request(kind, "head", (Message("user", text),), sample_id="1", **more)  # type: ignore[arg-type]
        try:
            return await (bound.generate if kind == "generate" else bound.loglikelihood)(request)
        finally:
            await bound.aclose()

    return asyncio.run(once())


def test_likelihoods_are_the_heads_own_probabilities(tiny_loaded: Load) -> None:
    """Texts of several lengths in one batch get the log-softmax that each has alone."""
    loaded = tiny_loaded("classifier")
    asked = [ChoiceItem(Prompt(text), (" Negative", "positive")) for text in TEXTS]
    found = dict(ClassifierEngine(loaded, BatchSize(4096)).loglikelihood(asked))
    for number, text in enumerate(TEXTS):
        scores = found[number]
        assert isinstance(scores, Scores)
        with torch.inference_mode():
            logits = loaded.model(**loaded.tokenizer(text, return_tensors="pt")).logits[0]
        expected = torch.log_softmax(logits.double(), -1).tolist()
        assert [one.logprob for one in scores.loglikelihoods] == pytest.approx(expected, abs=1e-5)


def test_unknown_label_fails_its_request_with_both_sides_named(tiny_loaded: Load) -> None:
    """A label that the head does not have is an error that says which it has."""
    engine = ClassifierEngine(tiny_loaded("classifier"), BatchSize(64))
    ((_, error),) = engine.loglikelihood([ChoiceItem(Prompt("a"), ("neutral",))])
    assert isinstance(error, CallError)
    assert "no label 'neutral'; its labels are negative, positive" in str(error)


def test_several_outputs_of_a_head_may_stand_for_one_label() -> None:
    """Stars become two labels by a mapping; a label that the head lacks is an error in the file."""
    config = {"id2label": {str(n): f"{n + 1} stars" for n in range(4)}}
    mapping = {"1 stars": "bad", "2 stars": "bad", "3": "good"}
    found = head_labels(config, HfOptions(labels=mapping), "head")
    assert found == {"bad": [0, 1], "good": [3]}
    with pytest.raises(ConfigError, match="no label 'worst'; its labels are 1 stars, 2 stars"):
        head_labels(config, HfOptions(labels={"worst": "bad"}), "head")


def test_probabilities_of_outputs_with_one_label_add_up(
    tiny_model: Callable[[str], Path], tiny_loaded: Load
) -> None:
    """Where all outputs stand for one label, it has probability 1."""
    loaded = tiny_loaded("classifier")
    engine = ClassifierEngine(loaded, BatchSize(64))
    engine._labels = {"any": [0, 1]}
    ((_, scores),) = engine.loglikelihood([ChoiceItem(Prompt("a"), ("any",))])
    assert isinstance(scores, Scores)
    assert math.exp(scores.loglikelihoods[0].logprob) == pytest.approx(1.0)


def test_classification_task_is_answered_with_a_label(model: Callable[..., HfClassifier]) -> None:
    """A task with labels is answered with the likeliest, in the task's own spelling."""
    bound = model().bind(task(labels=("Negative", "Positive")))
    assert bound.capabilities == {"generate"}
    assert ask(bound, TEXTS[0]).text in ("Negative", "Positive")


def test_choice_task_gets_likelihoods(model: Callable[..., HfClassifier]) -> None:
    """Options that are the head's labels get its log-probabilities."""
    bound = model(labels={"negative": "bad", "positive": "good"}).bind(task("choice", ("good", "bad")))
    assert bound.capabilities == {"loglikelihood"}
    response = ask(bound, TEXTS[0], "loglikelihood", continuations=(" good", " bad"))
    assert sum(math.exp(one.logprob) for one in response.loglikelihoods) == pytest.approx(1.0)


def test_head_reads_the_column_that_is_named(model: Callable[..., HfClassifier]) -> None:
    """With `input`, the head reads the bare text of the sample and not the prompt round it."""
    plain = ask(model().bind(task()), TEXTS[0], "generate").usage.input
    bound = model(input="text").bind(task())
    assert ask(bound, f"Is this good or bad?\n\n{TEXTS[0]}\nAnswer:", "generate").usage.input == plain
    with pytest.raises(CallError, match="the prompt does not show text"):
        ask(model(input="text").bind(task()), "Is this good or bad?")


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (task(labels=("good", "bad")), "its head knows 'negative', 'positive', not 'good', 'bad'; map them"),
        (task(labels=()), "writes no text, and the task has no labels"),
        (task("perplexity"), "gives no likelihood of a text"),
        (task("choice", ("a stone", "negative")), "not 'a stone'"),
    ],
)
def test_task_that_a_head_cannot_do_says_why(
    model: Callable[..., HfClassifier], view: TaskView, why: str
) -> None:
    """Before anything is asked it is known that the labels do not match, and what to do."""
    bound = model().bind(view)
    assert bound.capabilities == frozenset()
    assert why in bound.obstacle


def test_pairs_are_read_as_pairs(tmp_path: Path) -> None:
    """Two columns go into the head as two texts with their types, as for natural language inference."""
    folder = tiny_models.make_classifier(tmp_path / "nli", labels=("entailment", "contradiction"))
    settings = ModelSettings(f"hf/{folder}", options={"input": ["premise", "hypothesis"]})
    made = make_hf(resolve_model("nli", {"nli": settings}))
    assert isinstance(made, HfClassifier)
    fields = {"premise": "the dog jumps", "hypothesis": "a fox rests"}
    bound = made.bind(task("choice", ("entailment", "contradiction"), **fields))
    asked = "the dog jumps. So: a fox rests?"
    response = ask(bound, asked, "loglikelihood", continuations=("entailment", "contradiction"))
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    pair = AutoTokenizer.from_pretrained(folder)(
        *fields.values(), return_tensors="pt", return_token_type_ids=True
    )
    with torch.inference_mode():
        logits = AutoModelForSequenceClassification.from_pretrained(folder)(**pair).logits[0]
    assert [one.logprob for one in response.loglikelihoods] == pytest.approx(
        torch.log_softmax(logits, -1).tolist(), abs=1e-5
    )
