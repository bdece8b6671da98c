"""Broken task files: only typed errors, each naming the file, and the key where there is one."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.core.errors import EvalkitError
from evalkit.interop.lm_eval import build_index, load_group, load_task
from evalkit.interop.lm_eval.config import FEWSHOT_KEYS, TASK_KEYS

GOOD: dict[str, Any] = {
    "task": "own",
    "output_type": "multiple_choice",
    "test_split": "test",
    "training_split": "train",
    "doc_to_text": "{{q}}",
    "doc_to_target": "gold",
    "doc_to_choice": "options",
}
ROWS = [{"q": f"why {i}", "gold": 0, "options": ["a", "b"]} for i in range(5)]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        [
            "{{",
            "{% if %}",
            "{{ q[99] }}",
            "{{ nothing }}",
            "{{ 1/0 }}",
            "{{ q.__class__ }}",
            "{{ [] | first }}",
            "[1,",
            "gold",
            "options",
            "²",
            "{{ '5' }}",
            "{{ '[1, 2' }}",
            "\n",
            "!function",
            "a" * 500,
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(max_size=8), inner, max_size=3),
        st.fixed_dictionaries({"name": scalars, "filter": inner}),
        st.fixed_dictionaries({"metric": scalars}, optional={"aggregation": scalars, "ignore_case": scalars}),
        st.fixed_dictionaries({"function": st.sampled_from(["regex", "map", "take_first_k", "x"])}),
        st.dictionaries(st.sampled_from(FEWSHOT_KEYS), inner, max_size=3),
    ),
    max_leaves=6,
)
keys = st.one_of(st.sampled_from([*TASK_KEYS, "include", "tag", "group", "class"]), st.text(max_size=10))


def run(file: Path) -> None:
    """Everything that is done with a task file."""
    build_index(file.parent)
    with contextlib.suppress(EvalkitError):
        load_group(file, build_index(file.parent))
    task = load_task(file, rows=lambda split: ROWS, facade=True)
    scored = []
    for asked in task.requests(1, limit=2):
        answers = {"generate": "a", "rolling": -1.0}
        scored.append(task.score(asked, [answers.get(item.kind, (-1.0, True)) for item in asked.items]))
    task.aggregate(scored, bootstrap=10)


def check(content: bytes) -> None:
    """Runs a file of this content; a failure must be typed and name the file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "broken.yaml"
        file.write_bytes(content)
        message = "broken.yaml"
        try:
            run(file)
        except EvalkitError as error:
            message = str(error)
        assert "broken.yaml" in message


SLOW = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(st.dictionaries(keys, values, min_size=1, max_size=3))
@SLOW
def test_wrong_values_under_any_key(changes: dict[str, Any]) -> None:
    """Any value under any key: the task runs, or a typed error names the file."""
    check(yaml.safe_dump({**GOOD, **changes}, allow_unicode=True).encode("utf-8", "surrogatepass"))


@given(st.data())
@SLOW
def test_damaged_text(data: st.DataObject) -> None:
    """A file with bytes cut out, doubled or replaced."""
    content = bytearray(yaml.safe_dump({**GOOD, "metric_list": [{"metric": "acc"}]}).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        patch = data.draw(
            st.one_of(st.binary(max_size=6), st.sampled_from([b": ", b"\n- ", b"&a ", b"*a", b"!x ", b"\t"]))
        )
        content[at : at + data.draw(st.integers(0, 5))] = patch
    check(bytes(content))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "a mapping of keys is wanted"),
        ("", "a mapping of keys is wanted"),
        ("a: [1\n", "line 2: not valid YAML"),
        ("task: t\ndoc_to_txt: x\n", "doc_to_txt: this key is not known.*Did you mean 'doc_to_text'"),
        ("task: t\nrepeats: 0\n", "repeats: at least 1 is wanted"),
        ("task: t\nnum_fewshot: many\n", "num_fewshot: int is wanted, not str"),
        ("task: t\noutput_type: multiple_choices\n", "output_type: .*Did you mean 'multiple_choice'"),
        ("task: t\nfewshot_config: {sample: x}\n", "fewshot_config.sample: .*Did you mean 'sample"),
        ("task: t\nfewshot_config: {sampler: frist_n}\n", "sampler: no sampler 'frist_n'.*'first_n'"),
        ("task: t\nmetric_list: [acc]\n", "metric_list: each item is a mapping"),
        ("task: t\nmetric_list: [{metric: acc, aggregation: avg}]\n", "metric_list: no aggregation 'avg'"),
        ("task: t\nfilter_list: [{name: x}]\n", "filter_list: each item needs"),
        (
            "task: t\nfilter_list: [{name: x, filter: [{function: regex, regex_pattern: '('}]}]\n",
            "filter_list.x",
        ),
        ("task: t\ndoc_to_text: '{{ a'\ndoc_to_target: b\n", "doc_to_text: .*line 1 of the template"),
        ("task: t\ngeneration_kwargs: {temperature: hot}\n", "generation_kwargs.temperature: a number"),
        ("task: t\ninclude: [1]\n", "include: a file name"),
        ("task: t\ninclude: nowhere\n", "include: there is no file"),
        ("task: t\nx: !function\n  - a\n", "!function takes one name"),
        ("task: t\nx: !other a\n", "not valid YAML"),
        ("task: t\ndescription: &a [*a]\n", "refers to itself"),
        ("include: task.yaml\n", "include each other"),
        ("description: x\n", "task: the key is missing"),
        ("task: t\nx: 2001-13-99\n", "a value cannot be read"),
        ("task: t\nx: " + "[" * 200 + "]" * 200 + "\n", "nested more than|cannot be read"),
    ],
)
def test_messages_say_where_and_what(text: str, message: str, tmp_path: Path) -> None:
    """Each message names the file and the key, and the cure where there is one."""
    file = tmp_path / "task.yaml"
    file.write_text(text)
    with pytest.raises(EvalkitError, match=message) as caught:
        load_task(file, rows=lambda split: ROWS)
    assert "task.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doc_to_text": "{{ questoin }}"}, "doc_to_text: 'questoin' is undefined.*gold, options, q"),
        ({"doc_to_text": "{{ 5 }}{{ 5 }}"}, "doc_to_choice|doc_to_text"),
        ({"doc_to_choice": "{{ q }}"}, "doc_to_choice: gives .* not a Python literal"),
        ({"doc_to_choice": "q"}, "doc_to_choice: a list is wanted"),
        ({"doc_to_target": "{{ 7 }}"}, "doc_to_target: there is no choice 7"),
        ({"doc_to_text": "options"}, "doc_to_text: a text is wanted, the document gives list"),
        ({"output_type": "loglikelihood"}, "doc_to_target: a text is wanted for loglikelihood"),
        ({"training_split": None, "fewshot_config": {"samples": []}}, "the few-shot data has 0"),
    ],
)
def test_messages_about_documents(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """What is wrong with a document is said with file, key and the columns there are."""
    file = tmp_path / "task.yaml"
    file.write_text(yaml.safe_dump({**GOOD, **changes}))
    task = load_task(file, rows=lambda split: ROWS, facade=True)
    with pytest.raises(EvalkitError, match=message) as caught:
        list(task.requests(1))
    assert "task.yaml" in str(caught.value)
