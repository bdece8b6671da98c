"""Samples as compressed blocks: nothing is lost between the run and the page, and a click opens little."""

from __future__ import annotations

from typing import Any

from factories import make_result
from hypothesis import given, settings
from hypothesis import strategies as st
from shard_reader import read_shard, unpack

from evalkit.core.records import Message, MetricValue, Response, ResponseStatus, SampleResult
from evalkit.pages.answers import encode_answer, encode_prompt
from evalkit.pages.shards import MAX_SNIPPET, ShardCell, build_shard, verdict

ACCURACY = MetricValue(0.5, 0.1, (0.3, 0.7), "gaffke", 10, "accuracy|v:1", True, "fraction")
LOSS = MetricValue(3.0, None, None, None, 10, "loss", False, "unbounded")


def answer(id: str, score: float | None = 1.0, **changes: Any) -> SampleResult:
    """An answer to sample `id`."""
    values: dict[str, Any] = {
        "sample_id": id,
        "messages": (Message("user", f"Question: {id}?\nAnswer:"),),
        "target": ("4",),
        "response": Response(text=f"It is {id}."),
        "answer": id,
        "scores": {"m": score},
    }
    return make_result(**{**values, **changes})


def shard_of(*models: list[SampleResult], metric: MetricValue = ACCURACY) -> Any:
    """The shard of some models' answers."""
    cells = [ShardCell(f"model-{i}", "m", {"m": metric}, rows, len(rows)) for i, rows in enumerate(models)]
    return build_shard("t/v", "t", "v", cells)


statuses: list[ResponseStatus] = ["ok", "truncated", "refused"]
answers = st.builds(
    lambda id, repeat, text, status, score, question: answer(
        id,
        score,
        repeat=repeat,
        response=Response(text=text, status=status),
        answer=None if score is None else text,
        messages=(Message("system", "Be brief."), Message("user", question)) if question else (),
    ),
    st.sampled_from("abc"),
    st.integers(0, 2),
    st.text(alphabet="xy四,\n😀", max_size=12),
    st.sampled_from(statuses),
    st.sampled_from([0.0, 0.25, 1.0, None]),
    st.sampled_from(["", "Q: one\nA:", "Q: two\nA:", "Q: one one\nA:", "四四"]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.lists(answers, max_size=6), min_size=1, max_size=3))
def test_the_page_has_every_answer_as_it_was(models: list[list[SampleResult]]) -> None:
    """Whoever answered what how often: texts, verdicts, prompts and unknown scores come back."""
    shard = read_shard(shard_of(*models))
    for sample in shard["samples"]:
        given = [(m, r) for m, rows in enumerate(models) for r in rows if r.sample_id == sample["id"]]
        assert len(sample["answers"]) == len(given)
        for found, (m, result) in zip(sample["answers"], given, strict=True):
            expected = {"m": m, "v": verdict(result, "m", ACCURACY), **encode_answer(result)}
            if result.response.status != "ok":
                expected["status"] = result.response.status
            if result.messages:
                expected["prompt"] = encode_prompt(result.messages)
            assert found == expected


def test_texts_are_in_chunks_and_not_in_the_index() -> None:
    """A list of thousands of samples opens without their texts; one sample costs its chunk."""
    rows = [answer(str(i), response=Response(text=f"{i} " * 2000)) for i in range(200)]
    shard = shard_of(rows)
    index = unpack(shard.content)
    assert index["ids"] == [str(i) for i in range(200)]
    assert sum(index["sizes"]) == 200
    assert max(index["sizes"]) < 100
    assert len(shard.chunks) == len(index["sizes"])
    assert "text" not in str(index)


def test_the_list_shows_what_is_a_questions_own() -> None:
    """Instructions that all share are left out, and a long question is cut; the chunk has it whole."""
    texts = [f"Answer briefly.\nQuestion: {word} {'long ' * 60}\nAnswer:" for word in ("one", "two", "three")]
    rows = [answer(str(i), messages=(Message("user", text),)) for i, text in enumerate(texts)]
    shard = read_shard(shard_of(rows))
    assert [sample["snippet"][:9] for sample in shard["samples"]] == ["one long ", "two long ", "three lon"]
    assert all(len(sample["snippet"]) == MAX_SNIPPET for sample in shard["samples"])
    assert [sample["answers"][0]["prompt"] for sample in shard["samples"]] == [[["user", t]] for t in texts]


def test_scores_are_in_the_index_only_where_verdicts_do_not_tell_them() -> None:
    """Right and wrong say all; to tell better from worse, a graded score is needed: the mean of repeats."""
    plain = unpack(shard_of([answer("a", 1.0), answer("b", 0.0)]).content)
    assert "values" not in plain
    graded = unpack(shard_of([answer("a", 0.5), answer("a", 1.0, repeat=1), answer("b", None)]).content)
    assert graded["values"] == [[0.75, None]]
    assert unpack(shard_of([answer("a", 3.0)], metric=LOSS).content)["lower"] is True


def test_models_disagree_where_one_is_right_and_another_is_not() -> None:
    """A failed call is no opinion; where nothing is right or wrong, other answers are."""
    failed = answer("b", None, unscored_reason="no_logprobs")
    shard = shard_of([answer("a", 1.0), answer("b", 1.0)], [answer("a", 0.0), failed])
    assert unpack(shard.content)["disagree"] == [0]
    other = shard_of([answer("a", 3.0)], [answer("a", 3.0, answer="x")], metric=LOSS)
    assert unpack(other.content)["disagree"] == [0]
