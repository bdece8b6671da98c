"""Options under letters: their order hangs on the sample, every rotation is asked, probabilities are kept."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from factories import make_task
from factories import settings as make_settings
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import TaskError
from evalkit.core.records import Request, Response, SampleResult, Token
from evalkit.models.making import make_model
from evalkit.models.mock import MockModel
from evalkit.models.resolution import Resolved, resolve_model
from evalkit.running.planning import PlannedCell, PlanOptions, make_plan
from evalkit.running.results import make_scorer
from evalkit.tasks.choices import (
    as_listed,
    base_mode,
    in_data_order,
    letter_likelihoods,
    rotation,
    seeded_order,
    with_order,
)
from evalkit.tasks.prompts import letter
from evalkit.tasks.task import Task

ROWS = [
    {"id": f"s{n}", "question": f"Number {n}?", "options": ["red", "blue", "green", "pink"], "answer": n % 4}
    for n in range(8)
]
CHAT = ("generate", "chat")


def choice_task(folder: Path, **changes: Any) -> Task:
    """A choice of four."""
    fields: dict[str, Any] = {
        "kind": "choice",
        "choices": "options",
        "metrics": ["accuracy", "brier"],
        "prompts": {"direct": "{{ question }}\nAnswer:"},
        **changes,
    }
    rows = fields.pop("rows", ROWS)
    return make_task(folder, rows, **fields)


def cell_of(task: Task, reply: Any, capabilities: tuple[str, ...] = CHAT, **options: Any) -> PlannedCell:
    """The cell of a model that replies like this."""
    model = MockModel(reply, "mock/m", capabilities)
    resolved = Resolved("mock/m", "mock/m", "mock/m", make_settings("mock/m"), "")
    return make_plan([(resolved, model)], [task], PlanOptions(**options)).cells[0]


def results_of(cell: PlannedCell) -> list[SampleResult]:
    """The scored results of a cell, asked one by one."""
    scorer = make_scorer(cell)

    async def ask(request: Request) -> Response:
        if request.kind == "generate":
            return await cell.bound.generate(request)
        return await cell.bound.loglikelihood(request)

    found = []
    for work in cell.work():
        response = asyncio.run(work.solve(ask) if work.solve is not None else ask(work.request))
        found.append(scorer.score(work.position, work.sample, work.request, response))
    return found


def listed(request: Request) -> list[str]:
    """The options as the prompt lists them."""
    lines = request.messages[-1].text.splitlines()
    return [line[3:] for line in lines if line[1:3] == ". "]


@given(st.integers(1, 30), st.integers(0, 5), st.text(max_size=5))
def test_orders_are_permutations_with_their_inverses(n: int, seed: int, name: str) -> None:
    """What is found for the listed options comes back to the data's order, and the other way round."""
    for order in (seeded_order(n, seed, name), rotation(n, n // 2)):
        assert sorted(order) == list(range(n))
        shown = as_listed([f"option {i}" for i in range(n)], order)
        assert in_data_order(shown, order) == tuple(f"option {i}" for i in range(n))
    assert seeded_order(n, seed, name) == seeded_order(n, seed, name)


def test_seeded_orders_balance_the_right_letter() -> None:
    """Whatever the data's position, each letter is right about equally often, and the seed changes which."""
    places = Counter(seeded_order(4, 0, f"s{n}").index(0) for n in range(4000))
    assert all(900 < places[place] < 1100 for place in range(4))
    assert any(seeded_order(4, 0, f"s{n}") != seeded_order(4, 1, f"s{n}") for n in range(5))


def test_modes_carry_the_order() -> None:
    """Modes of letters alone name an order; what is not listed under letters has none."""
    assert with_order("letter_generate", "seeded") == "letter_generate_seeded"
    assert with_order("letter_generate", "data") == "letter_generate"
    assert with_order("loglikelihood", "circular") == "loglikelihood"
    assert base_mode("letter_logprobs_circular") == "letter_logprobs"


def test_options_are_listed_in_seeded_order_and_read_back(tmp_path: Path) -> None:
    """A model that finds the option by its text is right whatever letter it stands under."""
    by_id = {row["id"]: row["options"][row["answer"]] for row in ROWS}

    def reply(request: Request) -> str:
        return letter(listed(request).index(by_id[request.sample_id]))

    cell = cell_of(choice_task(tmp_path, choices_order="seeded"), reply)
    assert cell.mode == "letter_generate_seeded"
    results = results_of(cell)
    assert [result.scores["accuracy"] for result in results] == [1.0] * 8
    assert [result.answer for result in results] == [by_id[row["id"]] for row in ROWS]
    assert results[0].choices == tuple(ROWS[0]["options"])
    orders = {tuple(listed(work.request)) for work in cell.work()}
    assert len(orders) > 3


def test_always_the_same_letter_is_right_by_chance_only(tmp_path: Path) -> None:
    """Where the data have the right option first, answering A earns nothing once options are shuffled."""
    rows = [{**row, "id": f"r{n}", "answer": 0} for n, row in enumerate(ROWS * 25)]
    task = choice_task(tmp_path, rows=rows)
    in_data = results_of(cell_of(task, lambda request: "A"))
    seeded = results_of(cell_of(task, lambda request: "A", choices_order="seeded"))
    assert sum(result.scores["accuracy"] or 0 for result in in_data) == 200
    assert 25 < sum(result.scores["accuracy"] or 0 for result in seeded) < 75


def test_circular_evaluation_asks_every_rotation(tmp_path: Path) -> None:
    """Right is what is right in all rotations; the record shows each, and calls are counted."""
    by_id = {row["id"]: row["options"][row["answer"]] for row in ROWS}

    def reply(request: Request) -> str:
        options = listed(request)
        if request.sample_id == "s1" and options[0] == "green":
            return "A"
        if request.sample_id == "s2":
            return "A"
        if request.sample_id == "s3" and options[0] == "pink":
            return "I cannot say."
        return letter(options.index(by_id[request.sample_id]))

    cell = cell_of(choice_task(tmp_path), reply, choices_order="circular")
    assert (cell.mode, cell.n_requests, cell.n_calls) == ("letter_generate_circular", 8, 32)
    results = {result.sample_id: result for result in results_of(cell)}
    assert {name: result.scores["accuracy"] for name, result in results.items()} == {
        **dict.fromkeys(by_id, 1.0),
        **dict.fromkeys(("s1", "s2", "s3"), 0.0),
    }
    wrong = results["s1"]
    assert (wrong.answer, results["s3"].answer) == ("green", None)
    assert [part.text for part in wrong.response.parts] == ["B", "A", "A", "C"]
    assert wrong.response.parts[2].notes == ("rotation 3 of 4: chose 'green'",)
    assert "circular: 3 of 4 rotations right" in wrong.response.notes
    assert results["s3"].response.parts[3].notes == ("rotation 4 of 4: no answer",)
    assert wrong.scores["brier"] is None


def test_a_failed_rotation_leaves_the_sample_unscored(tmp_path: Path) -> None:
    """Three rotations of four would be an easier test: the sample is not scored."""

    def reply(request: Request) -> Response | str:
        if listed(request)[0] == "pink":
            from evalkit.core.records import ResponseError

            return Response("error", error=ResponseError("timeout", "slow"))
        return "A"

    results = results_of(cell_of(choice_task(tmp_path), reply, choices_order="circular", limit=1))
    assert (results[0].unscored_reason, results[0].scores) == ("timeout", {})


@pytest.mark.parametrize("order", ["data", "seeded", "circular"])
@pytest.mark.parametrize("scoring", ["choices", "letter", "reason"])
def test_the_oracle_is_right_and_chance_is_chance_in_every_order(
    tmp_path: Path, order: str, scoring: str
) -> None:
    """The ceiling stays the ceiling however options are listed, and its letters are those of the list."""
    user = "{{ question }}\n{% for o in options %}{{ o }}\n{% endfor %}"
    task = choice_task(tmp_path, prompts={"p": {"user": user, "scoring": scoring}})
    resolved = resolve_model("baseline/oracle", {})
    plan = make_plan([(resolved, make_model(resolved))], [task], PlanOptions(choices_order=order))
    assert [result.scores["accuracy"] for result in results_of(plan.cells[0])] == [1.0] * 8


def test_a_prompt_that_lists_options_itself_is_reordered_with_its_columns(tmp_path: Path) -> None:
    """The columns of the options move with them; where they cannot be told, the error says so."""
    rows = [{"id": "1", "q": "Q?", "A": "x", "B": "y", "C": "z", "key": "C"}]
    prompts = {"p": {"user": "{{ q }}\nA. {{ A }}\nB. {{ B }}\nC. {{ C }}", "scoring": "letter"}}
    columns = choice_task(
        tmp_path / "a", rows=rows, choices=["{{ A }}", "{{ B }}", "{{ C }}"], target="key", prompts=prompts
    )
    work = next(cell_of(columns, lambda request: "A", choices_order="circular").work())
    asked: list[Request] = []

    async def ask(request: Request) -> Response:
        asked.append(request)
        return Response(text="A")

    assert work.solve is not None
    asyncio.run(work.solve(ask))
    assert [request.messages[0].text.splitlines()[1:] for request in asked] == [
        ["A. x", "B. y", "C. z"],
        ["A. y", "B. z", "C. x"],
        ["A. z", "B. x", "C. y"],
    ]
    made = choice_task(
        tmp_path / "b",
        rows=rows,
        choices=["{{ A|upper }}", "{{ B|upper }}"],
        target="{{ 0 }}",
        prompts=prompts,
    )
    with pytest.raises(TaskError, match="another order"):
        next(cell_of(made, lambda request: "A", choices_order="circular").work())


def test_likely_letters_become_probabilities(tmp_path: Path) -> None:
    """Probabilities are of the letter's own token, over the letters alone, in the data's order."""
    tokens = (
        Token("Answer: ", {}),
        Token("B", {"B": math.log(0.6), " b": math.log(0.1), "A": math.log(0.2), "The": math.log(0.1)}),
    )
    found = letter_likelihoods(tokens, 8, 3, (2, 0, 1))
    assert found is not None
    likelihoods, n_missing = found
    # Listed: A = option 2, B = option 0, C = option 1.
    assert [round(math.exp(each.logprob), 9) for each in likelihoods] == [
        pytest.approx(7 / 9),
        0.0,
        pytest.approx(2 / 9),
    ]
    assert (n_missing, likelihoods[0].is_greedy) == (1, True)
    assert letter_likelihoods(tokens, 50, 3, ()) is None
    assert letter_likelihoods((Token("x", {"x": -0.1}),), 0, 3, ()) is None


@pytest.mark.parametrize("order", ["data", "seeded"])
def test_confidence_of_a_chat_model_is_scored(tmp_path: Path, order: str) -> None:
    """A model that shows its tokens is asked for them where a metric needs them; the record says how."""
    top = {"A": math.log(0.7), "B": math.log(0.2), "C": math.log(0.05), "D": math.log(0.05)}

    def reply(request: Request) -> Response:
        assert request.params["top_logprobs"] == 20
        return Response(text="A", tokens=(Token("A", top),))

    task = choice_task(tmp_path)
    cell = cell_of(task, reply, (*CHAT, "top_logprobs"), choices_order=order)
    result = results_of(cell)[0]
    shown = listed(next(cell.work()).request)
    right = shown.index("red")
    shares = [0.7, 0.2, 0.05, 0.05]
    wanted = sum((share - (place == right)) ** 2 for place, share in enumerate(shares))
    assert result.scores["brier"] == pytest.approx(wanted)
    assert [round(math.exp(each.logprob), 6) for each in result.response.loglikelihoods] == [
        shares[shown.index(name)] for name in ROWS[0]["options"]
    ]
    assert any(note.startswith("letters: ") for note in result.response.notes)
    plain = cell_of(choice_task(tmp_path / "b", metrics=["accuracy"]), reply, (*CHAT, "top_logprobs"))
    assert "top_logprobs" not in plain.params
