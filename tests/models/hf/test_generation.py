"""Generated texts are those of each prompt alone, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from local_models import Load

from evalkit.models.hf import generation
from evalkit.models.hf import rows as rows_module
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import Generated, GenerationItem, Prompt
from evalkit.models.hf.generation import generate
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.plain_generation import generate_plainly
from evalkit.models.hf.rows import make_rows

SHARED = "Question: How many apples are left when 3 of 10 are eaten?\nAnswer: 7\n\n"
PROMPTS = (
    "The quick brown fox",
    "今天天气很好，我们去",
    f"{SHARED}Question: What is the capital of France?\nAnswer:",
    f"{SHARED}Question: 小明有十个苹果？\nAnswer:",
    "a",
    "Water boils at 100 degrees; ice melts at",
)
FAMILIES = ("gpt2", "llama")


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token ends a text, so that random weights write as much as they may."""
    monkeypatch.setattr(rows_module, "end_tokens", lambda loaded: frozenset())


def items(**params: Any) -> list[GenerationItem]:
    """A request for each of the prompts; the later ones may write more."""
    return [
        GenerationItem(Prompt(text), {"max_tokens": 4 + 4 * number, **params}, f"0:{number}:0")
        for number, text in enumerate(PROMPTS)
    ]


def texts(loaded: Loaded, asked: Sequence[GenerationItem], tokens: int = 4096) -> list[Generated]:
    """The answers in the order of the requests; none may have failed."""
    found = dict(generate(loaded, BatchSize(tokens), asked))
    answers = [found[number] for number in range(len(asked))]
    assert all(isinstance(answer, Generated) for answer in answers)
    return answers  # type: ignore[return-value]


def alone(loaded: Loaded, item: GenerationItem, **settings: Any) -> str:
    """What transformers' own generate writes after this prompt alone, cut at the stop strings."""
    limit = item.params["max_tokens"]
    tokens = torch.tensor([loaded.tokenizer.encode(item.prompt.text)[-(loaded.max_length - limit) :]])
    settings = {"do_sample": False, "pad_token_id": 0, "max_new_tokens": limit, **settings}
    with torch.inference_mode():
        found = loaded.model.generate(tokens, attention_mask=torch.ones_like(tokens), **settings)
    text: str = loaded.tokenizer.decode(found[0, tokens.shape[1] :], skip_special_tokens=True)
    for stop in item.params.get("stop", ()):
        text = text.split(stop)[0]
    return text


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("rows", [1, 3, 64])
def test_greedy_texts_are_those_of_each_prompt_alone(
    tiny_loaded: Load, family: str, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rows stand side by side, a text is what transformers' generate gives its prompt alone."""
    monkeypatch.setitem(generation._MOST_ROWS, "cpu", rows)
    loaded = tiny_loaded(family)
    asked = items(stop=["的", "fox", "oo"])
    found = texts(loaded, asked)
    assert [answer.text for answer in found] == [alone(loaded, item) for item in asked]
    assert generation._HOLDS[loaded.model], "the rows must have stood in slots"


@pytest.mark.parametrize("family", FAMILIES)
def test_batches_of_transformers_give_the_same(tiny_loaded: Load, family: str) -> None:
    """Both ways of generating, in slots and by transformers' generate, write the same texts."""
    loaded = tiny_loaded(family)
    asked = [*items(stop=["的", "oo"]), *items(temperature=1.0, top_p=0.9)]
    rows, failed = make_rows(loaded, asked)
    plain: dict[int, Generated] = {}
    for row in generate_plainly(loaded, BatchSize(256), rows):
        plain.update(dict.fromkeys(row.numbers, row.result(loaded.tokenizer)))
    assert not failed
    assert [plain[number].text for number in range(len(asked))] == [
        answer.text for answer in texts(loaded, asked)
    ]


def test_sampled_texts_hang_on_the_request_alone(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, batch and neighbours change no sampled text; another seed does."""
    loaded = tiny_loaded("llama")
    asked = items(temperature=1.2, top_k=50)
    found = [answer.text for answer in texts(loaded, asked)]
    monkeypatch.setitem(generation._MOST_ROWS, "cpu", 2)
    assert [answer.text for answer in texts(loaded, asked[::-1])][::-1] == found
    other = [GenerationItem(item.prompt, item.params, f"1{item.seed}") for item in asked]
    assert [answer.text for answer in texts(loaded, other)] != found


@pytest.mark.usefixtures("endless")
def test_repeats_of_a_prompt_share_it(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt that is asked several times is computed once; greedy texts are even written once."""
    loaded = tiny_loaded("gpt2")
    fed = _count_tokens(loaded, monkeypatch)
    prompt = Prompt(PROMPTS[2])
    n_prompt = len(loaded.tokenizer.encode(prompt.text))
    sampled = [GenerationItem(prompt, {"max_tokens": 3, "temperature": 1}, str(n)) for n in range(5)]
    assert len({answer.text for answer in texts(loaded, sampled)}) > 1
    assert sum(fed) == n_prompt + 2 * 5  # the prompt once, then two steps of five rows
    fed.clear()
    greedy = [GenerationItem(prompt, {"max_tokens": 3}, str(n)) for n in range(5)]
    assert len({answer.text for answer in texts(loaded, greedy)}) == 1
    assert sum(fed) == n_prompt + 2


def test_common_beginning_is_computed_once(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts with the same worked examples feed the model with those once."""
    loaded = tiny_loaded("gpt2")
    fed = _count_tokens(loaded, monkeypatch)
    asked = [
        GenerationItem(Prompt(f"{SHARED}Question: {n}?\nAnswer:"), {"max_tokens": 1}, "") for n in range(6)
    ]
    texts(loaded, asked)
    n_shared = len(loaded.tokenizer.encode(SHARED))
    n_whole = len(loaded.tokenizer.encode(asked[0].prompt.text))
    assert sum(fed) <= n_whole + 5 * (n_whole - n_shared + 1)


@pytest.mark.usefixtures("endless")
def test_finished_rows_leave_at_once(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of 40 tokens does not make its neighbours of 2 tokens go on."""
    loaded = tiny_loaded("gpt2")
    fed = _count_tokens(loaded, monkeypatch)
    asked = [GenerationItem(Prompt(f"{n} apples"), {"max_tokens": 40 if n == 3 else 2}, "") for n in range(6)]
    found = texts(loaded, asked)
    n_prompts = sum(len(loaded.tokenizer.encode(item.prompt.text)) for item in asked)
    assert [answer.n_output for answer in found] == [2, 2, 2, 40, 2, 2]
    assert sum(fed) <= n_prompts + 12 + 39 + 5  # some padding of the prompts


def test_memory_that_ends_halves_the_rows_and_changes_no_text(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When memory ends in the middle, fewer rows go on from the beginning, with the same texts."""
    loaded = tiny_loaded("llama")
    asked = items(temperature=1.0)
    expected = [answer.text for answer in texts(loaded, asked)]
    whole = loaded.model.forward
    steps = 0

    def forward(*args: Any, **kwargs: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > 4 and len(kwargs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return whole(*args, **kwargs)

    forward.__signature__ = __import__("inspect").signature(whole)  # type: ignore[attr-defined]
    monkeypatch.setattr(loaded.model, "forward", forward)
    assert [answer.text for answer in texts(loaded, asked)] == expected


def test_end_of_text_ends_and_length_truncates(tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """EOS is a stop and no part of the text; max_tokens without one is the reason `length`."""
    loaded = tiny_loaded("gpt2")
    asked = [GenerationItem(Prompt("The quick"), {"max_tokens": 6}, "")]
    (free,) = texts(loaded, asked)
    third = loaded.tokenizer.encode(PROMPTS[0] + " jumps")[-1]
    assert free.finish_reason == "length"
    assert free.n_output == 6
    rows, _ = make_rows(loaded, asked)
    written = _written(loaded, asked)
    monkeypatch.setattr(loaded.model.generation_config, "eos_token_id", [written[2], third])
    (ended,) = texts(loaded, asked)
    assert ended.finish_reason == "stop"
    assert ended.n_output == written.index(written[2]) + 1
    assert ended.text == loaded.tokenizer.decode(written[: ended.n_output - 1])
    assert rows


def test_long_prompt_keeps_its_end_and_says_so(tiny_loaded: Load) -> None:
    """A prompt that does not fit beside its answer loses its beginning, as in lm_eval, with a note."""
    loaded = tiny_loaded("gpt2")
    item = GenerationItem(Prompt("one two three four " * 30), {"max_tokens": 28}, "")
    (answer,) = texts(loaded, [item])
    assert answer.text == alone(loaded, item)
    assert answer.n_input > 100
    assert any("its beginning was left out" in note for note in answer.notes)


@pytest.mark.usefixtures("endless")
def test_answer_never_takes_more_than_half_of_the_context_from_the_prompt(tiny_loaded: Load) -> None:
    """Where max_tokens exceeds the context, the prompt keeps half of it and the answer is shorter."""
    loaded = tiny_loaded("gpt2")
    (answer,) = texts(loaded, [GenerationItem(Prompt("a b c d " * 50), {"max_tokens": 500}, "")])
    assert answer.n_output == 64
    assert any("the answer may be shorter" in note for note in answer.notes)


def test_repetition_penalty_and_beams_are_those_of_transformers(tiny_loaded: Load) -> None:
    """Parameters that transformers knows give its texts."""
    loaded = tiny_loaded("gpt2")
    for settings in ({"repetition_penalty": 1.7}, {"num_beams": 3}):
        asked = items(**settings)[:3]
        expected = [alone(loaded, item, **settings) for item in asked]
        assert [answer.text for answer in texts(loaded, asked)] == expected


def test_generation_configuration_that_only_transformers_knows_is_obeyed(
    tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model whose own configuration forbids repeated pairs of tokens writes none."""
    loaded = tiny_loaded("gpt2")
    monkeypatch.setattr(loaded.model.generation_config, "no_repeat_ngram_size", 1)
    asked = items()[:3]
    assert [answer.text for answer in texts(loaded, asked)] == [alone(loaded, item) for item in asked]


def test_unknown_parameter_is_said_and_a_wrong_one_fails_its_item_only(tiny_loaded: Load) -> None:
    """What is not known is noted; what is no number fails that request and no other."""
    loaded = tiny_loaded("gpt2")
    good = GenerationItem(Prompt("a"), {"max_tokens": 1, "logit_bias": {}}, "")
    bad = GenerationItem(Prompt("a"), {"max_tokens": "many"}, "")
    found = dict(generate(loaded, BatchSize(64), [good, bad]))
    assert found[0].notes == ("logit_bias was not used: models in this process do not know it",)
    assert "max_tokens must be a number" in str(found[1])


def test_empty_prompt_begins_with_bos_and_no_tokens_give_no_text(tiny_loaded: Load) -> None:
    """Nothing asked is nothing written, and an empty prompt is begun as the tokenizer begins texts."""
    loaded = tiny_loaded("gpt2")
    empty = GenerationItem(Prompt(""), {"max_tokens": 3}, "")
    nothing = GenerationItem(Prompt("a"), {"max_tokens": 0}, "")
    begun, none = texts(loaded, [empty, nothing])
    assert begun.n_output == 3
    assert (none.text, none.n_output, none.finish_reason) == ("", 0, "length")


def _written(loaded: Loaded, asked: Sequence[GenerationItem]) -> list[int]:
    """The tokens of the only answer."""
    rows, _ = make_rows(loaded, asked)
    return next(iter(generate_plainly(loaded, BatchSize(64), rows))).written


def _count_tokens(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of tokens, padding included, of every forward pass from here on."""
    dict(generate(loaded, BatchSize(64), [GenerationItem(Prompt("a"), {"max_tokens": 1}, "")]))  # the trial
    fed: list[int] = []
    whole = generation.Slots._forward

    def forward(self: Any, tokens: Any, *args: Any) -> Any:
        fed.append(tokens.numel())
        return whole(self, tokens, *args)

    monkeypatch.setattr(generation.Slots, "_forward", forward)
    return fed
