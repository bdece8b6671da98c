"""The plan: which cells there are, how each model is asked, and with which parameters."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from factories import ROWS, make_task
from factories import settings as make_settings
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import TaskError, UsageError
from evalkit.core.records import Message, TaskView
from evalkit.models.making import make_model
from evalkit.models.mock import MockModel
from evalkit.models.protocol import Model, ModelBase
from evalkit.models.resolution import Resolved, resolve_model
from evalkit.running.planning import Plan, PlanOptions, _slug, make_plan, task_info
from evalkit.tasks.task import Task

CHOICE: dict[str, Any] = {
    "rows": [
        {"id": "1", "question": "Fruit?", "options": ["stone", "apple"], "answer": 1},
        {"id": "2", "question": "Metal?", "options": ["iron", "wool"], "answer": 0},
    ],
    "kind": "choice",
    "choices": "options",
    "metrics": ["accuracy"],
    "prompts": {
        "direct": "{{ question }}\nAnswer:",
        "letters": {"user": "{{ question }}", "scoring": "letter"},
    },
}
PERPLEXITY: dict[str, Any] = {
    "rows": [{"id": "1", "body": "Once upon a time."}],
    "kind": "perplexity",
    "text": "body",
    "target": None,
    "prompts": None,
    "metrics": ["bits_per_byte"],
}
TWO_PROMPTS = {"direct": "{{ question }}", "cot": "{{ question }} Think."}


def model(
    name: str = "mock/a", capabilities: tuple[str, ...] = ("generate", "chat"), **fields: Any
) -> tuple[Resolved, Model]:
    """A resolved model with these capabilities."""
    resolved = Resolved(name, name, name, make_settings(name, **fields), "named so")
    return resolved, MockModel(lambda request: "x", name, capabilities)


def plan(tasks: list[Task], models: list[tuple[Resolved, Model]] | None = None, **options: Any) -> Plan:
    """The plan of these tasks for one mock model, or for these models."""
    return make_plan(models or [model()], tasks, PlanOptions(**options))


def task(folder: Path, name: str = "sums", **changes: Any) -> Task:
    """A task in a folder of its own."""
    return make_task(folder / name, changes.pop("rows", ROWS), name=name, **changes)


def test_cells_are_models_times_tasks_times_variants(tmp_path: Path) -> None:
    """Every model meets every task in every prompt that was asked for, in order."""
    tasks = [task(tmp_path, "one", prompts=TWO_PROMPTS), task(tmp_path, "two", prompts=TWO_PROMPTS)]
    made = plan(tasks, [model("mock/a"), model("mock/b")], prompts=("cot", "direct"))
    names = [(cell.model.name, cell.task.task.name, cell.variant.name) for cell in made.cells]
    assert names == [
        (m, t, v) for m in ("mock/a", "mock/b") for t in ("one", "two") for v in ("cot", "direct")
    ]
    assert [cell.index for cell in made.cells] == list(range(8))
    assert len({cell.slug for cell in made.cells}) == 8
    assert made.n_requests == 8 * 6


@pytest.mark.parametrize(
    ("prompts", "chosen"),
    [
        ((), ["direct"]),
        (("cot",), ["cot"]),
        (("all",), ["direct", "cot"]),
        (("cot", "all"), ["direct", "cot"]),
        (("cot", "cot"), ["cot"]),
    ],
)
def test_prompts_are_chosen_by_name(tmp_path: Path, prompts: tuple[str, ...], chosen: list[str]) -> None:
    """Without a word the first prompt is taken, else those that were named, each once."""
    made = plan([task(tmp_path, prompts=TWO_PROMPTS)], prompts=prompts)
    assert [cell.variant.name for cell in made.cells] == chosen


def test_prompt_that_no_task_has_is_an_error(tmp_path: Path) -> None:
    """A misspelt prompt is answered with the nearest, never with an empty run."""
    with pytest.raises(
        TaskError, match=r"no.* has a prompt 'cott'\. Did you mean 'cot'\? Prompts: best_of_n, cot, direct"
    ):
        plan([task(tmp_path, prompts=TWO_PROMPTS)], prompts=("cott",))


def test_task_without_the_prompt_is_left_out_and_said(tmp_path: Path) -> None:
    """Where only some tasks have a prompt, the others are left out with a note."""
    tasks = [task(tmp_path, "one", prompts={"direct": "x", "terse": "y"}), task(tmp_path, "two")]
    made = plan(tasks, prompts=("terse",))
    assert [cell.task.task.name for cell in made.cells] == ["one"]
    assert made.notes == ("two has no prompt terse; it has direct",)


@pytest.mark.parametrize(
    ("changes", "prompt", "capabilities", "mode", "supported"),
    [
        ({}, "direct", ("generate",), "generate", True),
        ({}, "direct", ("loglikelihood", "rolling"), "generate", False),
        (CHOICE, "direct", ("generate", "loglikelihood"), "loglikelihood", True),
        (CHOICE, "direct", ("generate", "chat"), "letter_generate", True),
        (CHOICE, "letters", ("generate", "loglikelihood"), "letter_logprobs", True),
        (CHOICE, "letters", ("generate",), "letter_generate", True),
        (CHOICE, "direct", ("rolling",), "letter_generate", False),
        (PERPLEXITY, "text", ("rolling", "generate"), "rolling", True),
        (PERPLEXITY, "text", ("generate", "loglikelihood"), "rolling", False),
    ],
)
def test_mode_follows_from_kind_prompt_and_capabilities(
    tmp_path: Path,
    changes: dict[str, Any],
    prompt: str,
    capabilities: tuple[str, ...],
    mode: str,
    supported: bool,
) -> None:
    """Options are ranked where likelihoods are given and asked for by letter elsewhere."""
    able = model("mock/able", ("generate", "loglikelihood", "rolling"))
    asked = () if prompt == "text" else (prompt,)
    made = plan([task(tmp_path, **changes)], [able, model("mock/a", capabilities)], prompts=asked)
    cell = made.cells[1]
    assert (cell.mode, cell.supported) == (mode, supported)
    assert (cell.n_requests > 0) is supported
    assert (len(list(cell.work())) > 0) is supported


def test_run_that_could_ask_nothing_is_an_error(tmp_path: Path) -> None:
    """If no model can do what the tasks need, nothing is started; the message says which could."""
    with pytest.raises(UsageError, match=r"mock/a: cannot be asked what these tasks need \(sums\); .*ngram"):
        plan([task(tmp_path, **PERPLEXITY)])


def test_model_with_nothing_to_say_is_left_out(tmp_path: Path) -> None:
    """A model that declines a task has no cell there, and a note says so."""

    class Picky(ModelBase):
        name = "baseline/picky"
        capabilities = frozenset({"generate"})

        def bind(self, view: TaskView) -> Model:
            return ModelBase() if view.name == "two" else self

    resolved = Resolved("baseline/picky", "p", "baseline/picky", make_settings("baseline/picky"), "")
    made = plan([task(tmp_path, "one"), task(tmp_path, "two")], [(resolved, Picky())])
    assert [cell.task.task.name for cell in made.cells] == ["one"]
    assert made.notes == ("baseline/picky has nothing to say on two",)


def test_bound_model_learns_task_and_train_split(tmp_path: Path) -> None:
    """A built-in model is handed the samples, and the few-shot split as data and as whole texts."""
    views: list[TaskView] = []

    class Learner(ModelBase):
        name = "baseline/learner"
        capabilities = frozenset({"generate"})

        def bind(self, view: TaskView) -> Model:
            views.append(view)
            return self

    resolved = Resolved("l", "l", "baseline/learner", make_settings("l"), "")
    few_shot = {"samples": [{"question": "Q", "answer": "A"}]}
    plan([task(tmp_path, few_shot=few_shot, labels=["0", "2"])], [(resolved, Learner())])
    (view,) = views
    assert (view.name, view.language, view.kind, view.labels) == ("sums", "en", "generate", ("0", "2"))
    assert list(view.samples) == [row["id"] for row in ROWS]
    assert [shot.target for shot in view.train] == [("A",)]
    assert view.train_texts == ("Question: Q\nAnswer: A",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"temperature": 0.1, "max_tokens": 1}),
        ({"variant": True}, {"temperature": 0.2, "max_tokens": 1}),
        ({"variant": True, "model": True}, {"temperature": 0.3, "max_tokens": 1}),
        ({"variant": True, "model": True, "command": True}, {"temperature": 0.4, "max_tokens": 1}),
        ({"command": True}, {"temperature": 0.4, "max_tokens": 1}),
    ],
)
def test_parameters_of_the_command_win_over_model_variant_and_task(
    tmp_path: Path, changes: dict[str, bool], expected: dict[str, Any]
) -> None:
    """Task, variant, model settings, command line: the later replaces the earlier, key by key."""
    prompt: dict[str, Any] = {"user": "{{ question }}"}
    if "variant" in changes:
        prompt["temperature"] = 0.2
    settings = {"params": {"temperature": 0.3}} if "model" in changes else {}
    params = {"temperature": 0.4} if "command" in changes else {}
    made = plan(
        [task(tmp_path, prompts={"p": prompt}, generation={"temperature": 0.1, "max_tokens": 1})],
        [model(**settings)],
        params=params,
    )
    assert made.cells[0].params == expected
    assert next(made.cells[0].work()).request.params == expected


def test_letter_question_is_short_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    """A question for a letter gets few tokens and no temperature by default."""
    made = plan([task(tmp_path, **CHOICE)])
    assert made.cells[0].params == {"max_tokens": 16, "temperature": 0}
    made = plan([task(tmp_path / "2", **CHOICE)], params={"max_tokens": 500})
    assert made.cells[0].params == {"max_tokens": 500, "temperature": 0}


def test_limit_counts_samples_and_repeats_multiply(tmp_path: Path) -> None:
    """--limit takes the first samples of each task, --repeats asks each of them so many times."""
    made = plan([task(tmp_path)], limit=2, repeats=3)
    (cell,) = made.cells
    works = list(cell.work())
    assert made.n_requests == len(works) == 6
    assert [(work.sample.id, work.request.repeat) for work in works] == [
        (sample, repeat) for sample in ("s0", "s1") for repeat in range(3)
    ]
    assert [work.position for work in works] == list(range(6))
    assert len({work.request.digest for work in works}) == 6


def test_repeats_of_the_task_are_the_default(tmp_path: Path) -> None:
    """A task may ask for repeats itself; the command line replaces them."""
    assert plan([task(tmp_path / "a", repeats=2)]).cells[0].repeats == 2
    assert plan([task(tmp_path / "b", repeats=2)], repeats=1).cells[0].repeats == 1


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": -1}, {"repeats": 0}, {"num_fewshot": -1}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, options: dict[str, int]) -> None:
    """No samples, no repeats or negative examples are errors, never an empty run."""
    with pytest.raises(UsageError, match=r"must be at least [01], not"):
        plan([task(tmp_path)], **options)


def test_no_models_and_no_tasks_are_errors(tmp_path: Path) -> None:
    """An empty plan says what to name."""
    with pytest.raises(UsageError, match=r"no models; name at least one"):
        make_plan([], [task(tmp_path)], PlanOptions())
    with pytest.raises(UsageError, match=r"no tasks; see what there is"):
        plan([])


def test_requests_are_the_rendered_prompts(tmp_path: Path) -> None:
    """Each sample is asked with its prompt and its examples, under the model's route."""
    few_shot = {"count": 1, "samples": [{"question": "Q", "answer": "A"}]}
    cell = plan([task(tmp_path, few_shot=few_shot)]).cells[0]
    work = next(cell.work())
    assert work.request.messages == (
        Message("user", "Question: Q\nAnswer: A\n\nQuestion: What is 0 + 0?\nAnswer:"),
    )
    assert (work.request.model, work.request.sample_id, work.request.kind) == ("mock/a", "s0", "generate")
    assert plan([task(tmp_path / "z", few_shot=few_shot)], num_fewshot=0).cells[0].variant.num_fewshot == 0


@pytest.mark.parametrize(
    ("language", "prompt", "expected"),
    [
        ("en", "direct", (" stone", " apple")),
        ("zh", "direct", ("stone", "apple")),
        ("en", "letters", (" A", " B")),
    ],
)
def test_continuations_follow_the_prompt_as_text_would(
    tmp_path: Path, language: str, prompt: str, expected: tuple[str, ...]
) -> None:
    """What is ranked are the options, or their letters, with the space that the language puts before them."""
    cell = plan(
        [task(tmp_path, **CHOICE, language=language)],
        [model("m", ("loglikelihood",))],
        prompts=(prompt,),
    ).cells[0]
    request = next(cell.work()).request
    assert (request.kind, request.continuations, dict(request.params)) == ("loglikelihood", expected, {})


def test_letter_question_lists_the_options(tmp_path: Path) -> None:
    """A chat model sees the options under letters, unless the prompt lists them itself."""
    direct, letters = plan([task(tmp_path, **CHOICE)], prompts=("all",)).cells
    assert "A. stone\nB. apple" in next(direct.work()).request.messages[0].text
    assert next(letters.work()).request.messages[0].text == "Fruit?"


def test_rolling_request_is_the_text(tmp_path: Path) -> None:
    """A perplexity task asks for the likelihood of the text as it stands."""
    cell = plan([task(tmp_path, **PERPLEXITY)], [model("m", ("rolling",))]).cells[0]
    request = next(cell.work()).request
    assert (request.kind, request.text, request.messages) == ("rolling", "Once upon a time.", ())


def test_plan_reads_work_as_it_is_taken(tmp_path: Path) -> None:
    """Work is made one at a time: what nobody takes is not rendered."""
    prompts = {"p": "{{ 1 / (3 - n) }}"}
    rows = [{"id": str(n), "n": n, "answer": "a"} for n in range(5)]
    works = plan([task(tmp_path, rows=rows, prompts=prompts)]).cells[0].work()
    assert [next(works).sample.id for _ in range(3)] == ["0", "1", "2"]
    with pytest.raises(TaskError, match=r"ZeroDivisionError"):
        next(works)


def test_data_digest_depends_on_the_planned_samples(tmp_path: Path) -> None:
    """Runs over other samples, or over fewer, are told apart."""
    digests = {
        plan([task(tmp_path / "a")]).tasks[0].data_digest,
        plan([task(tmp_path / "b")], limit=3).tasks[0].data_digest,
        plan([task(tmp_path / "c", rows=[{**ROWS[0], "answer": "other"}, *ROWS[1:]])]).tasks[0].data_digest,
    }
    assert len(digests) == 3
    assert plan([task(tmp_path / "d")]).tasks[0].data_digest in digests


NAMES = [
    "a/b",
    "a-b",
    "a b",
    "A/B",
    "模型",
    "零样本",
    "..",
    "../../etc/passwd",
    "",
    "x" * 300,
    "x" * 299,
    "-",
]
NAMES += ["a__b", "nul\0", "a\nb", "😀"]


@given(
    cells=st.lists(
        st.tuples(*[st.sampled_from(NAMES) | st.text(max_size=5)] * 3), min_size=1, max_size=12, unique=True
    )
)
def test_slugs_are_unique_and_plain_for_any_names(cells: list[tuple[str, str, str]]) -> None:
    """Whatever models, tasks and prompts are called, each cell has a short plain file name of its own."""
    taken: set[str] = set()
    slugs = [_slug(*names, taken) for names in cells]
    assert len({slug.lower() for slug in slugs}) == len(cells)  # also on file systems that ignore case
    for slug in slugs:
        assert len(slug) < 220
        assert slug.isascii()
        assert slug.replace("-", "").replace(".", "").replace("_", "").isalnum()
        assert not slug.startswith(".")


def test_slugs_do_not_change_from_run_to_run(tmp_path: Path) -> None:
    """The same names give the same files, so that two runs can be laid side by side."""
    cells = [("openai/gpt-4o", "sums", "direct"), ("openai-gpt-4o", "sums", "direct")]
    first, second = (
        (lambda taken: [_slug(*names, taken) for names in cells])(set()),
        [_slug(*names, set()) for names in cells],
    )
    assert first[0] == second[0] == "openai-gpt-4o__sums__direct"
    assert first[1].startswith("openai-gpt-4o__sums__direct__")


def test_task_record_of_the_run_is_complete(tmp_path: Path) -> None:
    """What a page needs to know of a task stands in the run itself."""
    made = plan(
        [task(tmp_path, description="D", tags=["t"], version=2, chance=0.1, license="CC0-1.0")], limit=4
    )
    info = task_info(made.tasks[0])
    assert (info.name, info.description, info.version, info.chance) == ("sums", "D", "2", 0.1)
    assert (info.n_samples, info.headline, info.license) == (4, "exact_match", "CC0-1.0")
    assert info.prompts == {"direct": "Question: {{ question }}\nAnswer:"}
    assert info.data_revision.startswith("sha256:")


def test_the_oracle_answers_in_the_form_of_the_prompt(tmp_path: Path) -> None:
    """A prompt whose answer has a form of its own is answered in it, also where only worked examples have
    all columns of that form."""
    prompts = {
        "plain": "{{ question }}",
        "quoted": {
            "user": "{{ question }}",
            "answer": "{{ quote }}\nAnswer: {{ target[0] }}",
            "extract": [{"after_marker": "Answer:"}, "first_line"],
        },
    }
    resolved = resolve_model("baseline/oracle", {})
    task = make_task(tmp_path, prompts=prompts)
    plan = make_plan([(resolved, make_model(resolved))], [task], PlanOptions(prompts=("all",)))
    texts = []
    for cell in plan.cells:
        work = next(cell.work())
        texts.append(asyncio.run(work.model.generate(work.request)).text)
    assert texts == ["0", "\nAnswer: 0"]


def test_a_model_learns_of_the_samples_that_are_asked(tmp_path: Path) -> None:
    """--limit holds for what a built-in model is told of the task."""
    seen: list[TaskView] = []

    class Nosy(ModelBase):
        name = "mock/nosy"
        capabilities = frozenset({"generate"})

        def bind(self, task: TaskView) -> Model:
            seen.append(task)
            return self

    resolved = resolve_model("mock/echo", {})
    make_plan([(resolved, Nosy())], [make_task(tmp_path)], PlanOptions(limit=2))
    assert (list(seen[0].samples), seen[0].limited) == (["s0", "s1"], True)
