"""Prompts: the same sample gets the same messages, always; data are never templates."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from factories import make_task
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core.errors import PromptError
from evalkit.core.records import Message, Sample
from evalkit.tasks.prompts import Template, Variant, ask_for_letter, evaluate_column, letter

POOL = tuple(
    Sample(f"shot-{n}", {"question": f"shot {n}", "answer": label}, (label,))
    for n, label in enumerate(["yes"] * 9 + ["no"] * 3 + ["maybe"] * 3)
)
SAMPLES = tuple(Sample(f"s{n}", {"question": f"q{n}", "answer": "a"}, ("a",)) for n in range(30))


def make_variant(folder: Path, **changes: Any) -> Variant:
    """The only prompt of a new task."""
    task = make_task(folder, **changes)
    return task.variant(task.variant_names()[0])


def render(template: str, **fields: Any) -> str:
    """The template with these columns."""
    return Template(template, "task.yaml, prompts.p.user").render(fields)


@pytest.mark.parametrize("sampler", ["first", "random", "balanced"])
def test_shots_hang_on_seed_and_sample_alone(tmp_path: Path, sampler: str) -> None:
    """Order, subset and limit change no prompt: each sample's worked examples are its own."""
    variant = make_variant(tmp_path, few_shot={"count": 4, "sampler": sampler, "samples": []})
    alone = {sample.id: variant.choose_shots(POOL, sample, 7) for sample in SAMPLES}
    order = random.Random(3).sample(SAMPLES, 12)
    assert {s.id: variant.choose_shots(POOL, s, 7) for s in order} == {s.id: alone[s.id] for s in order}
    assert all(len(shots) == 4 for shots in alone.values())


def test_shots_do_not_hang_on_the_global_generator(tmp_path: Path) -> None:
    """Nobody's use of `random` reaches into the prompts, and the prompts do not reach out."""
    variant = make_variant(tmp_path, few_shot={"count": 4, "sampler": "random"})
    random.seed(1)
    before = random.getstate()
    first = variant.choose_shots(POOL, SAMPLES[0], 7)
    assert random.getstate() == before
    random.seed(2)
    assert variant.choose_shots(POOL, SAMPLES[0], 7) == first


@pytest.mark.parametrize("sampler", ["random", "balanced"])
def test_seed_and_sample_change_the_shots(tmp_path: Path, sampler: str) -> None:
    """Drawn examples differ between samples and between seeds."""
    variant = make_variant(tmp_path, few_shot={"count": 4, "sampler": sampler})
    by_sample = {tuple(s.id for s in variant.choose_shots(POOL, sample, 0)) for sample in SAMPLES}
    by_seed = {tuple(s.id for s in variant.choose_shots(POOL, SAMPLES[0], seed)) for seed in range(30)}
    assert min(len(by_sample), len(by_seed)) > 20


def test_first_sampler_takes_the_first_in_order(tmp_path: Path) -> None:
    """`first` shows the examples as the author ordered them."""
    variant = make_variant(tmp_path, few_shot={"count": 3})
    assert [shot.id for shot in variant.choose_shots(POOL, SAMPLES[0], 5)] == ["shot-0", "shot-1", "shot-2"]


@pytest.mark.parametrize("sampler", ["first", "random", "balanced"])
@pytest.mark.parametrize("how", ["id", "fields"])
def test_sample_is_never_its_own_example(tmp_path: Path, sampler: str, how: str) -> None:
    """A sample that stands in the pool too, by id or by content, never sees its own answer."""
    variant = make_variant(tmp_path, few_shot={"count": 14, "sampler": sampler})
    for shot in POOL:
        sample = Sample(shot.id, {}, ("a",)) if how == "id" else Sample("x", dict(shot.fields), ("a",))
        shots = variant.choose_shots(POOL, sample, 0)
        assert len(shots) == 14
        assert shot not in shots


@pytest.mark.parametrize("sampler", ["first", "random", "balanced"])
def test_no_example_stands_twice(tmp_path: Path, sampler: str) -> None:
    """Worked examples are drawn without putting back."""
    variant = make_variant(tmp_path, few_shot={"count": 15, "sampler": sampler})
    assert len({shot.id for shot in variant.choose_shots(POOL, SAMPLES[0], 0)}) == 15


@pytest.mark.parametrize(("count", "least"), [(3, 1), (6, 2), (9, 3)])
def test_balanced_sampler_is_balanced(tmp_path: Path, count: int, least: int) -> None:
    """Each class has the same number of examples while its members last, in an order that tells nothing."""
    variant = make_variant(tmp_path, few_shot={"count": count, "sampler": "balanced"})
    firsts = Counter()
    for sample in SAMPLES:
        shots = variant.choose_shots(POOL, sample, 0)
        assert set(Counter(shot.target[0] for shot in shots).values()) == {least}
        firsts[shots[0].target[0]] += 1
    assert len(firsts) == 3


def test_order_of_balanced_examples_is_no_pattern(tmp_path: Path) -> None:
    """Neither the place of a class nor the class with one example more can be foreseen."""
    variant = make_variant(tmp_path / "six", few_shot={"count": 6, "sampler": "balanced"})
    orders = [[shot.target for shot in variant.choose_shots(POOL, sample, 0)] for sample in SAMPLES]
    assert any(order[0] == order[1] for order in orders)
    variant = make_variant(tmp_path / "four", few_shot={"count": 4, "sampler": "balanced"})
    doubled = {
        Counter(shot.target for shot in variant.choose_shots(POOL, sample, 0)).most_common(1)[0][0]
        for sample in SAMPLES
    }
    assert len(doubled) == 3


def test_too_few_examples_are_an_error(tmp_path: Path) -> None:
    """A pool that is too small is named with the cure; fewer examples than said would be another prompt."""
    variant = make_variant(tmp_path, few_shot={"count": 16})
    with pytest.raises(PromptError, match=r"task\.yaml.*16 worked examples are asked for, .* has 15; lower"):
        variant.choose_shots(POOL, SAMPLES[0], 0)


def test_shots_stand_before_the_question(tmp_path: Path) -> None:
    """In one message, examples are joined by blank lines, each answered as the prompt goes on."""
    variant = make_variant(tmp_path, few_shot={"count": 2})
    (message,) = variant.render(SAMPLES[0], POOL[:2])
    assert message == Message(
        "user", "Question: shot 0\nAnswer: yes\n\nQuestion: shot 1\nAnswer: yes\n\nQuestion: q0\nAnswer:"
    )


def test_multiturn_shots_are_turns(tmp_path: Path) -> None:
    """With `multiturn` the examples are a conversation before the question."""
    variant = make_variant(tmp_path, few_shot={"count": 2, "multiturn": True})
    assert variant.render(SAMPLES[0], POOL[:2]) == (
        Message("user", "Question: shot 0\nAnswer:"),
        Message("assistant", "yes"),
        Message("user", "Question: shot 1\nAnswer:"),
        Message("assistant", "yes"),
        Message("user", "Question: q0\nAnswer:"),
    )


def test_system_and_prefill_stand_first_and_last(tmp_path: Path) -> None:
    """A system prompt opens, a prefill of the assistant closes the messages."""
    prompts = {"p": {"system": "Be {{ mood }}.", "user": "{{ question }}", "assistant": "I think"}}
    variant = make_variant(tmp_path, prompts=prompts)
    sample = Sample("s", {"question": "?", "mood": "kind"}, ("a",))
    assert variant.render(sample) == (
        Message("system", "Be kind."),
        Message("user", "?"),
        Message("assistant", "I think"),
    )


def test_answer_of_an_example_may_have_its_own_form(tmp_path: Path) -> None:
    """`answer` writes the worked example out, with the columns and the target."""
    prompts = {"p": {"user": "{{ question }}", "answer": "{{ why }} So: {{ target[0] }}"}}
    shot = Sample("x", {"question": "Q", "why": "Because."}, ("yes", "yep"))
    variant = make_variant(tmp_path, prompts=prompts, few_shot={"count": 1})
    assert variant.render(SAMPLES[0], [shot])[0].text == "Q Because. So: yes\n\nq0"


def test_letter_example_is_answered_by_its_letter(tmp_path: Path) -> None:
    """Where letters are ranked, examples show the letter, not the text."""
    prompts = {"p": {"user": "{{ question }}", "scoring": "letter"}}
    variant = make_variant(tmp_path, prompts=prompts, few_shot={"count": 1})
    shot = Sample("x", {"question": "Q"}, ("apple",), ("stone", "apple"), (1,))
    assert variant.shot_answer(shot) == "B"


@pytest.mark.parametrize(
    ("language", "delimiter"),
    [
        ("en", " "),
        ("ko", " "),
        ("zh", ""),
        ("zh-Hans", ""),
        ("zh_CN", ""),
        ("ZH", ""),
        ("ja", ""),
        ("th", ""),
    ],
)
def test_answer_follows_a_space_only_where_the_language_has_spaces(
    tmp_path: Path, language: str, delimiter: str
) -> None:
    """Chinese, Japanese and Thai put no space before an answer, however the language is written."""
    variant = make_variant(tmp_path, language=language)
    assert variant.join("答案：", "北京") == f"答案：{delimiter}北京"


def test_delimiter_of_the_task_wins(tmp_path: Path) -> None:
    """`target_delimiter` replaces the language's own, also by nothing."""
    assert make_variant(tmp_path / "a", target_delimiter="").join("A:", "b") == "A:b"
    assert make_variant(tmp_path / "b", language="zh", target_delimiter=" => ").join("A:", "b") == "A: => b"


@pytest.mark.parametrize(("before", "after"), [("A: ", "b"), ("A:\n", "b"), ("A:", " b"), ("A:", "\nb")])
def test_no_second_white_space_is_added(tmp_path: Path, before: str, after: str) -> None:
    """Where prompt or answer bring white space of their own, nothing is put between."""
    assert make_variant(tmp_path).join(before, after) == before + after


HOSTILE = ["{{ 7 * 7 }}", "{% for x in y %}", "{# gone #}", "{{ question }}", "}}", "{{", "{%", "%}\n#}"]


@given(value=st.sampled_from(HOSTILE) | st.text("{}%# aq", max_size=20))
def test_data_that_look_like_templates_stay_verbatim(value: str) -> None:
    """A value of the data is put in as it is, and is never rendered itself."""
    assert render("<{{ question }}>", question=value) == f"<{value}>"
    assert evaluate_column("question", {"question": value}, "t") == value
    assert evaluate_column("{{ question }}", {"question": value}, "t") == value


def test_data_of_examples_and_answers_stay_verbatim(tmp_path: Path) -> None:
    """The same holds for examples, their answers, and options under letters."""
    shot = Sample("x", {"question": "{{ 7 * 7 }}", "answer": "{{ 1 }}"}, ("{{ 1 }}",))
    variant = make_variant(tmp_path, few_shot={"count": 1})
    (message,) = variant.render(Sample("s", {"question": "{% raw %}"}, ("a",)), [shot])
    assert message.text == "Question: {{ 7 * 7 }}\nAnswer: {{ 1 }}\n\nQuestion: {% raw %}\nAnswer:"
    assert "A. {{ 1 }}\nB. {% x %}" in ask_for_letter("Q", ("{{ 1 }}", "{% x %}"), "en")


def test_line_feeds_of_a_template_are_kept() -> None:
    """A template's white space is part of the prompt: two prompts that differ by it are two prompts."""
    assert render("{{ q }}\n\n", q="x") == "x\n\n"
    assert render("  a\n") == "  a\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ question.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ ('%s' | attr('format')).__globals__ }}",
        "{{ items.append(1) }}",
        "{{ range(10 ** 9) | list }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{{ open('/etc/passwd') }}",
    ],
)
def test_sandbox_refuses_what_is_no_prompt(template: str) -> None:
    """A template cannot reach Python, change the data, or fill the memory; the error says where it stands."""
    with pytest.raises(PromptError, match=r"task\.yaml, prompts\.p\.user"):
        render(template, question="q", items=[])


@pytest.mark.parametrize("rule", ["{{ ''.__class__.__mro__ }}", "{{ ''.__class__ }}", "{{ open('x') }}"])
def test_sandbox_holds_for_targets_too(rule: str) -> None:
    """Expressions of `target` and the like run in the same sandbox."""
    with pytest.raises(PromptError, match=r"task\.yaml, target"):
        evaluate_column(rule, {"question": "q"}, "task.yaml, target")


@pytest.mark.parametrize(
    "template", ["{{ qestion }}", "{{ qestion | upper }}", "{% if qestion %}x{% endif %}"]
)
def test_undefined_column_names_the_nearest(template: str) -> None:
    """A slip in a column's name is answered with the columns, the nearest last."""
    with pytest.raises(
        PromptError, match=r"'qestion' is undefined\. Columns of the sample: answer, question\. "
    ):
        render(template, question="q", answer="a")


@pytest.mark.parametrize(
    "template",
    ["{{ q", "{% if %}", "{{ q | nofilter }}", "{% endfor %}", "{{ 1 / 0 }}", "{{ q.missing }}", "{{ q() }}",
     "{{ " + "(" * 500 + " }}", "{% for a in q %}" * 30 + "{% endfor %}" * 30, "{{ " + "9" * 5000 + " }}"],
)  # fmt: skip
def test_broken_template_is_a_prompt_error(template: str) -> None:
    """Whatever is wrong with a template, the message says where it was written."""
    with pytest.raises(PromptError, match=r"task\.yaml, prompts\.p\.user"):
        render(template, q="x")


@given(st.text("{}%#|()[]'\" .aq1+-~\n", max_size=30))
def test_any_template_renders_or_is_a_prompt_error(template: str) -> None:
    """No template makes rendering fail otherwise."""
    problem = ""
    try:
        text = render(template, q="x", a=[1])
    except PromptError as error:
        problem = str(error)
    assert problem.startswith("task.yaml, prompts.p.user") or isinstance(text, str)


def test_letters_go_on_after_z() -> None:
    """Options are A to Z, then AA as in a spreadsheet."""
    assert [letter(n) for n in (0, 1, 25, 26, 27, 51, 52, 701, 702)] == [
        "A", "B", "Z", "AA", "AB", "AZ", "BA", "ZZ", "AAA",
    ]  # fmt: skip


def test_letter_question_in_english() -> None:
    """The options stand under letters before the line that asks for the answer."""
    assert ask_for_letter("Question: Which?\nAnswer:", ("stone", "apple", "chair"), "en") == (
        "Question: Which?\nA. stone\nB. apple\nC. chair\nAnswer with one letter only (A, B or C).\nAnswer:"
    )


@pytest.mark.parametrize("language", ["zh", "zh-Hans", "zh_CN", "ZH"])
def test_letter_question_in_chinese(language: str) -> None:
    """The same in Chinese, with Chinese punctuation."""
    text = ask_for_letter("问题：哪个？\n答案：", ("石头", "苹果"), language)
    assert text == "问题：哪个？\nA. 石头\nB. 苹果\n只回答一个字母（A、B）。\n答案："


@pytest.mark.parametrize("text", ["Which is a fruit?", "A passage.\nWhich is a fruit?", "Answer:"])
def test_letter_question_without_a_cue_ends_with_the_request(text: str) -> None:
    """A prompt without a last line that asks for the answer gets options and request at its end."""
    asked = ask_for_letter(text, ("a", "b"), "en")
    assert asked == f"{text}\nA. a\nB. b\nAnswer with one letter only (A or B)."


def test_prefill_and_letters_do_not_go_together(tmp_path: Path) -> None:
    """A prompt that ends in the assistant's words cannot become a question for a letter."""
    prompt = {"user": "{{ question }}", "assistant": "A:"}
    variant = make_variant(tmp_path, prompts={"direct": prompt})
    with pytest.raises(PromptError, match=r"assistant prefill"):
        variant.render(Sample("s", {"question": "Q"}, ("a",), ("a", "b"), (0,)), letters=True)


def test_worked_examples_are_asked_for_letters_too(tmp_path: Path) -> None:
    """Where a letter is asked for, the examples list their options and answer with letters."""
    variant = make_variant(tmp_path, few_shot={"count": 1})
    shot = Sample("x", {"question": "1?"}, ("b",), ("a", "b"), (1,))
    sample = Sample("s", {"question": "2?"}, ("c",), ("c", "d"), (0,))
    (message,) = variant.render(sample, [shot], letters=True)
    request = "Answer with one letter only (A or B).\nAnswer:"
    assert message.text == (f"Question: 1?\nA. a\nB. b\n{request} B\n\nQuestion: 2?\nA. c\nB. d\n{request}")


CHANGES: dict[str, dict[str, Any]] = {
    "user": {"prompts": {"direct": "{{ question }}"}},
    "system": {"prompts": {"direct": {"user": "Question: {{ question }}\nAnswer:", "system": "s"}}},
    "assistant": {"prompts": {"direct": {"user": "Question: {{ question }}\nAnswer:", "assistant": "s"}}},
    "answer": {"prompts": {"direct": {"user": "Question: {{ question }}\nAnswer:", "answer": "s"}}},
    "scoring": {"prompts": {"direct": {"user": "Question: {{ question }}\nAnswer:", "scoring": "letter"}}},
    "count": {"few_shot": {"count": 1}},
    "sampler": {"few_shot": {"sampler": "random"}},
    "multiturn": {"few_shot": {"multiturn": True}},
    "delimiter": {"target_delimiter": ""},
    "params": {"generation": {"temperature": 0}},
    "extract": {"extract": ["strip"]},
}


def test_digest_of_a_variant_depends_on_everything_that_changes_an_answer(tmp_path: Path) -> None:
    """Two variants with one digest ask and read the same; a name or a description is no difference."""
    base = make_variant(tmp_path / "base").digest()
    digests = {name: make_variant(tmp_path / name, **change).digest() for name, change in CHANGES.items()}
    assert len({base, *digests.values()}) == len(CHANGES) + 1
    same = {"prompts": {"other": {"user": "Question: {{ question }}\nAnswer:", "description": "words"}}}
    assert make_variant(tmp_path / "same", **same).digest() == base


def test_variant_shows_its_templates(tmp_path: Path) -> None:
    """A reader of a run sees the prompt as it was written, with roles and the number of examples."""
    assert make_variant(tmp_path / "a").text() == "Question: {{ question }}\nAnswer:"
    prompts = {"p": {"system": "S", "user": "U", "few_shot": {"count": 2, "sampler": "random"}}}
    assert (
        make_variant(tmp_path / "b", prompts=prompts).text() == "[system] S\n[user] U\n[few-shot] 2 (random)"
    )
