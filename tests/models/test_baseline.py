"""Trivial baselines: they answer by their rule, deterministically, and never look at what they may not."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Message, Request, Response, Sample, TaskView
from evalkit.models.baseline import BASELINES, lead, make_baseline, make_builtin
from evalkit.models.protocol import CAPABILITIES, Model

LABELS = ("negative", "positive")


def view(kind: str = "generate", **changes) -> TaskView:
    samples = {
        f"s{i}": Sample(f"s{i}", {"text": f"Text {i}. It goes on."}, target=(LABELS[i % 2], "other"))
        for i in range(40)
    }
    base = TaskView("t", "en", kind, (), samples, (), ())
    return replace(base, **changes)


def choice_view(**changes) -> TaskView:
    samples = {
        f"s{i}": Sample(f"s{i}", {}, target=("x",), choices=("a", "bb", "ccc", "dddd"), gold=(i % 4,))
        for i in range(400)
    }
    return replace(TaskView("c", "en", "choice", (), samples, (), ()), **changes)


def ask(sample_id: str = "s0", repeat: int = 0, text: str = "Say something nice.") -> Request:
    return Request("generate", "m", (Message("user", text),), sample_id=sample_id, repeat=repeat)


def rank(sample_id: str = "s0", n: int = 4) -> Request:
    options = tuple("x" * (i + 1) for i in range(n))
    return Request("loglikelihood", "m", (Message("user", "?"),), options, sample_id=sample_id)


def answer(name: str, task: TaskView, request: Request, seed: int = 0) -> Response:
    return asyncio.run(make_baseline(name, seed).bind(task).generate(request))


def choice(name: str, task: TaskView, request: Request, seed: int = 0) -> int:
    response = asyncio.run(make_baseline(name, seed).bind(task).loglikelihood(request))
    scores = [each.logprob for each in response.loglikelihoods]
    assert len(scores) == len(request.continuations)
    return scores.index(max(scores))


@pytest.mark.parametrize("name", BASELINES)
def test_every_listed_baseline_can_be_made(name):
    """Each name of the list makes a model of that name that follows the protocol and is not cached."""
    model = make_baseline(name)
    assert isinstance(model, Model)
    assert model.name == name
    assert model.capabilities <= set(CAPABILITIES)
    assert not model.cacheable


def test_an_unknown_baseline_is_a_typed_error():
    """A misspelt baseline gets the nearest name."""
    with pytest.raises(ModelError, match="Did you mean 'baseline/oracle'"):
        make_baseline("baseline/orakle")


@pytest.mark.parametrize("name", ["baseline/random", "mock/echo"])
def test_any_builtin_is_made_by_its_name(name):
    """make_builtin serves all providers that need no key."""
    assert make_builtin(name).name == name


def test_an_unbound_baseline_says_so():
    """Without a task there is no answer, and the message says what to call."""
    with pytest.raises(CallError, match="bind"):
        asyncio.run(make_baseline("baseline/oracle").generate(ask()))


def test_binding_leaves_the_model_alone():
    """One baseline may be bound to several tasks at once."""
    model = make_baseline("baseline/random")
    first, second = model.bind(view(labels=("a",))), model.bind(view(labels=("b",)))
    assert asyncio.run(first.generate(ask())).text == "a"
    assert asyncio.run(second.generate(ask())).text == "b"


@pytest.mark.parametrize(
    ("name", "kind", "capabilities"),
    [
        ("baseline/oracle", "perplexity", set()),
        ("baseline/oracle", "choice", {"generate", "chat", "loglikelihood"}),
        ("baseline/random", "perplexity", {"rolling"}),
        ("baseline/majority", "perplexity", set()),
        ("baseline/lead", "choice", set()),
        ("baseline/copy", "generate", {"generate", "chat"}),
    ],
)
def test_capabilities_depend_on_the_task(name, kind, capabilities):
    """Where a baseline has nothing to say it has no capabilities, and refuses in a way that stops it."""
    bound = make_baseline(name).bind(view(kind))
    assert bound.capabilities == capabilities
    if not capabilities:
        with pytest.raises(CallError) as caught:
            asyncio.run(bound.generate(ask()))
        assert caught.value.action == "stop_model"


def test_oracle_answers_with_the_first_target():
    """The ceiling of a generation task is its best target."""
    assert answer("baseline/oracle", view(), ask("s1")).text == "positive"


def test_oracle_takes_the_right_choice():
    """The right choice gets loglikelihood 0, every other one less."""
    task = choice_view()
    assert [choice("baseline/oracle", task, rank(f"s{i}")) for i in range(8)] == [0, 1, 2, 3, 0, 1, 2, 3]


def test_oracle_takes_all_right_choices():
    """Where several choices are right, all of them get loglikelihood 0."""
    sample = Sample("s0", {}, choices=("a", "b", "c"), gold=(0, 2))
    bound = make_baseline("baseline/oracle").bind(choice_view(samples={"s0": sample}))
    response = asyncio.run(bound.loglikelihood(rank("s0", 3)))
    assert [each.logprob for each in response.loglikelihoods] == [0.0, -100.0, 0.0]


def test_asked_for_a_letter_the_oracle_gives_it():
    """A choice task that is asked by generation gets the letter of the right choice."""
    assert answer("baseline/oracle", choice_view(), ask("s2")).text == "C"


def test_a_sample_that_the_task_lacks_fails_alone():
    """An unknown sample is an error of that sample, not of the model."""
    with pytest.raises(CallError) as caught:
        answer("baseline/oracle", view(), ask("nobody"))
    assert caught.value.action == "fail_sample"


def test_random_labels_are_uniform_and_deterministic():
    """Over 40 samples both labels occur; a second run gives the same; another seed gives another."""
    task = view(labels=LABELS)
    first = [answer("baseline/random", task, ask(f"s{i}")).text for i in range(40)]
    assert first == [answer("baseline/random", task, ask(f"s{i}")).text for i in range(40)]
    assert first != [answer("baseline/random", task, ask(f"s{i}"), seed=1).text for i in range(40)]
    assert 8 <= Counter(first)["positive"] <= 32


def test_random_differs_between_repeats():
    """Repeats of a sample are drawn independently."""
    task = view(labels=LABELS)
    assert len({answer("baseline/random", task, ask("s0", repeat)).text for repeat in range(20)}) == 2


def test_random_choices_are_uniform():
    """Each of four positions is taken about 100 times in 400 (within 5 standard deviations)."""
    task = choice_view()
    counts = Counter(choice("baseline/random", task, rank(f"s{i}")) for i in range(400))
    assert all(abs(counts[i] - 100) < 5 * math.sqrt(75) for i in range(4))


def test_random_choices_do_not_depend_on_length():
    """Dividing by the length of the choices, as normalised accuracy does, does not change the choice."""
    bound = make_baseline("baseline/random").bind(choice_view())
    for i in range(50):
        request = rank(f"s{i}")
        scores = [x.logprob for x in asyncio.run(bound.loglikelihood(request)).loglikelihoods]
        normed = [score / len(text) for score, text in zip(scores, request.continuations, strict=True)]
        assert scores.index(max(scores)) == normed.index(max(normed))


def test_random_open_answers_are_targets_of_the_train_split():
    """A guess at an open question is somebody's right answer."""
    train = tuple(Sample(f"t{i}", {}, target=(str(i),)) for i in range(5))
    texts = {answer("baseline/random", view(train=train), ask(f"s{i}")).text for i in range(40)}
    assert texts <= {"0", "1", "2", "3", "4"}
    assert len(texts) >= 3


def test_random_without_a_train_split_says_what_it_took():
    """A sentence of the source, or else a word of the prompt, with a note."""
    response = answer("baseline/random", view(), ask("s3"))
    assert response.text in ("Text 3.", "It goes on.")
    assert response.notes == ("no train split: a random sentence of the source",)
    bare = view(samples={"q": Sample("q", {"question": "Who?"}, target=("Ann",))})
    response = answer("baseline/random", bare, ask("q"))
    assert response.text in ("say", "something", "nice")
    assert response.notes


def test_random_has_eight_bits_per_byte():
    """The random baseline of a perplexity task is the uniform distribution over bytes."""
    bound = make_baseline("baseline/random").bind(view("perplexity"))
    response = asyncio.run(bound.loglikelihood(Request("rolling", "m", text="héé")))
    (found,) = response.loglikelihoods
    assert found.n_tokens == 5
    assert found.logprob == pytest.approx(-5 * 8 * math.log(2))


def test_majority_is_the_most_frequent_target_of_the_train_split():
    """The most frequent first target wins; ties go to the one seen first."""
    train = tuple(Sample(f"t{i}", {}, target=(x,)) for i, x in enumerate(["b", "a", "a", "b", "c"]))
    assert answer("baseline/majority", view(train=train), ask()).text == "b"


def test_majority_never_counts_the_samples():
    """Without a train split it takes the first label and says so, although the samples would tell more."""
    samples = {f"s{i}": Sample(f"s{i}", {}, target=("positive",)) for i in range(9)}
    response = answer("baseline/majority", view(samples=samples, labels=LABELS), ask())
    assert response.text == "negative"
    assert response.notes == ("no train split: the first label",)


def test_majority_of_choices_is_a_position():
    """The most frequent right position of the train split, as far as the sample has it."""
    train = tuple(Sample(f"t{i}", {}, choices=("a",) * 5, gold=(g,)) for i, g in enumerate([3, 3, 1]))
    assert choice("baseline/majority", choice_view(train=train), rank(n=4)) == 3
    assert choice("baseline/majority", choice_view(train=train), rank(n=2)) == 1


def test_majority_of_choices_without_train_is_the_first():
    """Without a train split it takes the first choice and says so."""
    bound = make_baseline("baseline/majority").bind(choice_view())
    response = asyncio.run(bound.loglikelihood(rank("s3")))
    assert response.loglikelihoods[0].logprob == 0.0
    assert response.notes == ("no train split: the first choice",)


def test_lead_takes_three_sentences():
    """Three sentences at most, from the field that holds the passage."""
    sample = Sample("s0", {"passage": "One. Two. Three. Four.", "text": "No."})
    assert answer("baseline/lead", view(samples={"s0": sample}), ask()).text == "One. Two. Three."


def test_lead_stops_at_sixty_words():
    """A sentence that would pass the limit is left out, unless it is the first."""
    long = " ".join(["word"] * 45) + "."
    assert lead(f"{long} {long}", "en") == long
    longer = " ".join(["word"] * 99) + "."
    assert lead(longer, "en") == longer


def test_lead_of_chinese_counts_characters():
    """Chinese sentences are joined without spaces, up to 80 characters."""
    text = "今天下雨。" * 2 + "天" * 75 + "。"
    assert lead(text, "zh") == "今天下雨。今天下雨。"


def test_lead_and_copy_fall_back_to_the_user_message():
    """Where one sample of a task lacks the source, its prompt stands in."""
    other = Sample("p", {"question": "Who?", "passage": "Somebody."})
    bare = view(samples={"p": other, "q": Sample("q", {"question": "Who?"})})
    request = ask("q", text="First. Second. Third. Fourth.")
    assert answer("baseline/lead", bare, request).text == "First. Second. Third."
    assert answer("baseline/copy", bare, request).text == "First. Second. Third. Fourth."


def test_copy_prefers_the_source():
    """Copying gives the column that is translated."""
    sample = Sample("s0", {"text": "a note", "source": "Guten Tag."})
    assert answer("baseline/copy", view(samples={"s0": sample}), ask()).text == "Guten Tag."


@pytest.mark.parametrize("name", ["baseline/lead", "baseline/copy", "baseline/majority"])
def test_a_baseline_without_what_it_works_with_says_nothing(name):
    """No source to copy, no train split to count: no capabilities, so that the planner leaves it out."""
    bare = view(samples={"q": Sample("q", {"question": "Who?"})}, train=(), labels=())
    assert make_baseline(name).bind(bare).capabilities == frozenset()


@given(text=st.text(min_size=1, max_size=200), language=st.sampled_from(["en", "zh", "de", "xx"]))
def test_no_text_is_too_odd_for_a_baseline(text, language):
    """Any source and prompt has an answer."""
    sample = Sample("s0", {"text": f"x{text}"})
    task = view(samples={"s0": sample}, train=(Sample("t", {}, (text,)),), language=language)
    for name in ("baseline/random", "baseline/majority", "baseline/lead", "baseline/copy"):
        assert isinstance(answer(name, task, ask(text=text)).text, str)
