"""Recorded outputs: every line finds its sample, or is said not to."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Loglikelihood, Message, Request, Response, Sample, TaskView, Usage
from evalkit.models.baseline import make_builtin
from evalkit.models.protocol import Model
from evalkit.models.replay import ReplayModel

QUESTIONS = ("What is the capital of France?", "How many legs has a spider?", "Who wrote Hamlet?")


def view(ids: tuple[str, ...] = ("a", "b", "c"), kind: str = "generate") -> TaskView:
    samples = {
        name: Sample(name, {"question": question, "level": "easy"})
        for name, question in zip(ids, QUESTIONS, strict=True)
    }
    return TaskView("quiz", "en", kind, (), samples, (), ())


def write(path: Path, rows: list[object]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return f"replay/{path}"


def replay(route: str, **options: str) -> ReplayModel:
    return ReplayModel.from_settings(route, route, options)


def ask(model: Model, sample_id: str, repeat: int = 0, prompt: str = "?") -> Response:
    request = Request("generate", "m", (Message("user", prompt),), sample_id=sample_id, repeat=repeat)
    return asyncio.run(model.generate(request))


def texts(model: Model, ids: str = "abc") -> list[str | None]:
    return [ask(model, name).text for name in ids]


def test_lines_are_found_by_id(tmp_path):
    """The id of a line is the id of its sample, whatever the order; its input does not matter then."""
    rows = [{"id": name, "output": name.upper(), "input": QUESTIONS[0]} for name in "cab"]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert texts(model) == ["A", "B", "C"]
    assert model.notes == ()


def test_numbers_are_ids_too(tmp_path):
    """An id that is a number in the file is compared as text."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": 7, "output": "seven"}])).bind(view(("7", "8", "9")))
    assert ask(model, "7").text == "seven"


@pytest.mark.parametrize("column", ["output", "response", "prediction", "completion", "answer_text"])
def test_columns_of_other_tools_are_known(tmp_path, column):
    """The usual names of an output are found without a setting."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": "a", column: "yes"}])).bind(view())
    assert ask(model, "a").text == "yes"


def test_output_comes_before_the_other_names(tmp_path):
    """Where several names occur, the order is the documented one."""
    rows = [{"id": "a", "prediction": "3", "response": "2", "output": "1"}]
    assert ask(replay(write(tmp_path / "x.jsonl", rows)).bind(view()), "a").text == "1"


def test_settings_name_the_columns(tmp_path):
    """Columns may have any name; a setting overrides the usual ones."""
    rows = [{"idx": "a", "id": "zzz", "text": "yes", "output": "no"}]
    model = replay(write(tmp_path / "x.jsonl", rows), id="idx", output="text").bind(view())
    assert ask(model, "a").text == "yes"


def test_a_recorded_prompt_is_found_as_sent(tmp_path):
    """Without ids, the prompt as it was sent finds its line."""
    rows = [{"prompt": "Say one.", "output": "one"}, {"prompt": "Say two.", "output": "two"}]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert ask(model, "a", prompt="Say two.").text == "two"


def test_a_recorded_prompt_is_found_by_the_question_in_it(tmp_path):
    """A prompt that holds the sample's question is its own; of several questions, the last is asked."""
    prompts = [f"Q: {QUESTIONS[2]} A: Shakespeare\n\nQ: {q}\nA:" for q in QUESTIONS]
    rows = [{"id": i, "input": prompt, "output": str(i)} for i, prompt in enumerate(prompts)]
    model = replay(write(tmp_path / "x.jsonl", rows[::-1])).bind(view())
    assert texts(model) == ["0", "1", "2"]
    assert "3 samples were found by their input" in model.notes


def test_a_question_among_the_worked_examples_is_not_asked(tmp_path):
    """A sample without a line does not take that of a prompt in which it is an example."""
    rows = [{"id": "a", "input": f"{QUESTIONS[2]} Shakespeare. {QUESTIONS[0]}", "output": "Paris"}]
    rows += [{"input": f"{QUESTIONS[2]} Shakespeare. {QUESTIONS[1]}", "output": "eight"}]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert texts(model) == ["Paris", "eight", None]


@pytest.mark.parametrize("ids", [None, 0, 1])
def test_lines_without_names_are_taken_in_order(tmp_path, ids):
    """Without id and input, or with ids that are positions, line i is sample i, and a note says so."""
    rows = [{"output": x} if ids is None else {"id": i + ids, "output": x} for i, x in enumerate("xyz")]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert texts(model) == ["x", "y", "z"]
    assert "samples were found by the order of the lines" in model.notes


def test_order_needs_as_many_lines_as_samples(tmp_path):
    """Two lines for three samples are no order: the error says how lines are found."""
    model = replay(write(tmp_path / "x.jsonl", [{"output": "x"}, {"output": "y"}]))
    with pytest.raises(ModelError, match=r"none of its 2 outputs.*\(3 asked\)"):
        model.bind(view())


def test_strange_ids_are_an_error(tmp_path):
    """A file for another task is refused, with an id of each."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": f"q{i}", "output": "x"} for i in range(3)]))
    with pytest.raises(ModelError, match="look like 'q0', those of the task like 'a'"):
        model.bind(view())


def test_unknown_ids_are_counted_and_ignored(tmp_path):
    """Lines of no sample are said in the notes."""
    rows = [{"id": name, "output": name} for name in ("a", "b", "c", "x", "y")]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert model.notes == ("2 outputs belong to no sample that is asked",)


def test_a_missing_sample_is_an_error_by_default(tmp_path):
    """No recorded output is no answer of the model: the sample stays unscored."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": "a", "output": "x"}, {"id": "b", "output": None}]))
    for name in "bc":
        response = ask(model.bind(view()), name)
        assert (response.status, response.text) == ("error", None)
        assert response.error is not None
        assert response.error.kind == "missing"


def test_a_missing_sample_may_count_as_wrong(tmp_path):
    """`missing: wrong` gives an empty answer with a note, as SQuAD's scorer counts it."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": "a", "output": "x"}]), missing="wrong").bind(view())
    response = ask(model, "c")
    assert (response.status, response.text) == ("ok", "")
    assert response.notes


def test_repeats_are_several_lines_or_a_list(tmp_path):
    """The r-th output of a sample is its r-th repeat; one too many is missing."""
    rows = [{"id": "a", "output": "1"}, {"id": "b", "output": ["x", "y"]}, {"id": "a", "output": "2"}]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view())
    assert [ask(model, "a", repeat).text for repeat in range(2)] == ["1", "2"]
    assert [ask(model, "b", repeat).text for repeat in range(2)] == ["x", "y"]
    assert ask(model, "a", 2).status == "error"
    assert "1 samples have several outputs: their repeats" in model.notes


def test_a_json_list_and_a_mapping(tmp_path):
    """A .json file is a list of objects, a mapping id -> output, or a mapping id -> object."""
    listed, plain, nested = tmp_path / "l.json", tmp_path / "p.json", tmp_path / "n.json"
    listed.write_text(json.dumps([{"id": "a", "output": "A"}]))
    plain.write_text(json.dumps({"a": "A"}))
    nested.write_text(json.dumps({"a": {"response": "A"}}))
    for path in (listed, plain, nested):
        assert ask(replay(f"replay/{path}").bind(view()), "a").text == "A"


def test_plain_text_is_one_output_a_line(tmp_path):
    """System outputs as WMT publishes them: lines end at line feeds only, an empty line is an output."""
    path = tmp_path / "hyp.System.en"
    path.write_bytes("one\u2028still one\n\nthree\n".encode())
    model = replay(f"replay/{path}")
    assert model.name == "replay/hyp.System.en"
    assert texts(model.bind(view())) == ["one\u2028still one", "", "three"]


def test_one_model_of_several(tmp_path):
    """#model chooses its lines; without it, or with a wrong one, the error names them."""
    rows = [{"id": "a", "output": model, "model": model} for model in ("gpt-4", "llama3")]
    route = write(tmp_path / "x.jsonl", rows)
    chosen = replay(f"{route}#llama3")
    assert chosen.name == "replay/x#llama3"
    assert ask(chosen.bind(view()), "a").text == "llama3"
    with pytest.raises(ModelError, match=r"x.jsonl#gpt-4, replay/.*x.jsonl#llama3"):
        replay(route)
    with pytest.raises(ModelError, match="Did you mean 'llama3'"):
        replay(f"{route}#llama")


def test_what_was_recorded_beside_the_output_is_kept(tmp_path):
    """Tokens, cost, latency, reasoning and the reason to stop come back."""
    row = {
        "id": "a",
        "output": "cut",
        "model": "gpt-4",
        "finish_reason": "length",
        "latency_s": 1.5,
        "cost_usd": 0.01,
        "reasoning": "hm",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    response = ask(replay(write(tmp_path / "x.jsonl", [row])).bind(view()), "a")
    assert response == Response(
        "truncated",
        text="cut",
        reasoning="hm",
        finish_reason="length",
        usage=Usage(input=3, output=4),
        cost_usd=0.01,
        latency_s=1.5,
        model_reported="gpt-4",
    )


def test_recorded_loglikelihoods(tmp_path):
    """Numbers, or pairs as lm-evaluation-harness logs them; their count must be that of the choices."""
    rows = [
        {"id": "a", "loglikelihoods": [-1, [-2.5, True], ["-3.5", False]]},
        {"id": "b", "loglikelihoods": [-1]},
    ]
    model = replay(write(tmp_path / "x.jsonl", rows)).bind(view(kind="choice"))
    assert model.capabilities == {"loglikelihood", "rolling"}
    request = Request("loglikelihood", "m", continuations=("x", "y", "z"), sample_id="a")
    response = asyncio.run(model.loglikelihood(request))
    expected = (
        Loglikelihood(-1.0),
        Loglikelihood(-2.5, is_greedy=True),
        Loglikelihood(-3.5, is_greedy=False),
    )
    assert response.loglikelihoods == expected
    with pytest.raises(ModelError, match="list of 3"):
        asyncio.run(model.loglikelihood(replace(request, sample_id="b")))
    with pytest.raises(CallError, match="loglikelihoods only"):
        ask(model, "a")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": 1, "output": "x"}\n{"id": 2, "outp', "line 2: no valid JSON"),
        ('{"output": "x"}\n["y"]\n', "line 2: list instead"),
        ("", "no outputs"),
        ('{"id": 1, "text": "x"}\n', "it has id, text"),
    ],
)
def test_a_broken_file_is_a_typed_error(tmp_path, content, message):
    """The error names the file, the line and the fault."""
    path = tmp_path / "broken.jsonl"
    path.write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        replay(f"replay/{path}")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [{"output": {"a": 1}}, {"output": "x", "latency_s": "long"}, {"output": "x", "usage": {"input": -1}}],
)
def test_a_wrong_value_is_a_typed_error(tmp_path, row):
    """A value of the wrong kind is named with its sample."""
    model = replay(write(tmp_path / "x.jsonl", [{"id": "a", **row}])).bind(view())
    with pytest.raises(ModelError, match="sample 'a'"):
        ask(model, "a")


def test_wrong_options_are_typed_errors(tmp_path):
    """A misspelt option, or value of one, is named."""
    route = write(tmp_path / "x.jsonl", [{"output": "x"}])
    with pytest.raises(ModelError, match="Did you mean 'output'"):
        replay(route, outptu="x")
    with pytest.raises(ModelError, match="error or wrong"):
        replay(route, missing="skip")
    with pytest.raises(ModelError, match="no file"):
        replay("replay/nowhere.jsonl")


def test_the_file_decides_the_identity(tmp_path):
    """Another content is another model: nothing cached may stand in for it."""
    path = tmp_path / "x.jsonl"
    first = replay(write(path, [{"output": "x"}])).identity
    assert first == replay(f"replay/{path}").identity
    assert first != replay(write(path, [{"output": "y"}])).identity


def test_an_alias_keeps_its_name(tmp_path):
    """Named in evalkit.yaml, results carry that name; else the stem of the file."""
    route = write(tmp_path / "x.jsonl", [{"output": "x"}])
    assert ReplayModel.from_settings("abel", route, {}).name == "abel"
    assert make_builtin(route).name == "replay/x"


@pytest.mark.realdata
def test_abel_finds_every_question_of_gsm8k():
    """The recorded prompts of Abel find their questions although the data has no ids."""
    folder = Path(os.environ.get("EVALKIT_REALDATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (folder / "gsm8k").exists():
        pytest.skip(f"no {folder}")
    rows = [json.loads(line) for line in (folder / "gsm8k" / "test.jsonl").read_text().splitlines()]
    samples = {f"{i:x}-digest": Sample(f"{i:x}-digest", row) for i, row in enumerate(rows)}
    view = TaskView("gsm8k", "en", "generate", (), samples, (), ())
    path = folder / "gsm8k" / "outputs_abel-7b-001.jsonl"
    model = replay(f"replay/{path}").bind(view)
    recorded = [json.loads(line)["response"] for line in path.read_text().splitlines()]
    assert [ask(model, name).text for name in samples] == recorded


def test_a_limited_run_takes_the_first_lines_of_a_longer_recording(tmp_path):
    """With --limit, lines without ids still belong to the samples in their order."""
    path = tmp_path / "out.txt"
    path.write_text("a\nb\nc\n")
    model = ReplayModel.from_settings(f"replay/{path}", f"replay/{path}", {})
    two = {str(number): Sample(str(number), {}) for number in range(2)}
    view = TaskView("t", "en", "generate", (), two, (), (), limited=True)
    bound = model.bind(view)
    assert asyncio.run(bound.generate(Request("generate", "m", sample_id="1"))).text == "b"
    with pytest.raises(ModelError, match="as many as samples"):
        model.bind(TaskView("t", "en", "generate", (), two, (), ()))


def shifted(tmp_path: Path, by: int) -> tuple[ReplayModel, TaskView]:
    """A recording whose ids count from `by`, and the task, whose ids count from 1."""
    questions = [f"How many apples are left in basket number {n * 7}?" for n in range(1, 6)]
    samples = {
        str(n): Sample(str(n), {"question": text}, ("x",)) for n, text in enumerate(questions, start=1)
    }
    rows = [{"id": n + by, "prompt": text, "output": text[-4:]} for n, text in enumerate(questions)]
    return replay(write(tmp_path / "o.jsonl", rows)), TaskView("quiz", "en", "generate", (), samples, (), ())


def test_ids_that_the_inputs_contradict_are_an_error(tmp_path):
    """Ids from 0 against ids from 1 would pair each output with its neighbour's question."""
    model, task = shifted(tmp_path, 0)
    with pytest.raises(ModelError, match=r"4 of 4 lines .* line 2 has id '1', the text is of sample '2'"):
        model.bind(task)
    model, task = shifted(tmp_path, 1)
    assert ask(model.bind(task), "3").text == " 21?"
