"""task.yaml: everything that is valid is read; everything else is one error with file, line and cure."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from factories import ROWS, entry, task_fields, write_rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.core.errors import TaskError
from evalkit.tasks.schema import GENERATION_KEYS, FewShotSpec, TaskSpec, read_task_spec, read_yaml
from evalkit.tasks.task import load_task

EVERYTHING = """\
schema: 1
name: every-thing_1.0
description: All keys.
language: zh-Hans
tags: [a, b]
version: 2.1
license: CC0-1.0
source: https://example.org
data: {file: samples.jsonl}
documents: [documents.jsonl]
where: {subject: law}
group: {weighting: equal}
id: id
kind: choice
target: answer
choices: [x, y]
gold: text
choices_order: seeded
labels: [x, y]
cluster: passage
metadata: [topic]
prompts:
  plain: "{{ question }}"
  full:
    user: "{{ question }}"
    system: Be brief.
    assistant: "I think"
    answer: "{{ target[0] }}"
    few_shot: {count: 1, sampler: balanced, multiturn: true}
    extract: [strip, {regex: x}]
    scoring: letter
    choices_order: circular
    description: All of it.
    temperature: 0.5
    max_tokens: 9
    top_p: 0.9
    top_k: 3
    stop: ["\\n"]
    seed: 1
    presence_penalty: 0.1
    frequency_penalty: 0.2
    response_format: {type: json_object}
    reasoning_effort: low
  counted: {user: "{{ question }}", few_shot: 2}
few_shot: {count: 1, file: shots.jsonl, sampler: random, multiturn: false}
generation: {temperature: 0, max_tokens: 5, stop: ["\\n"]}
extract: [identity]
metrics: [accuracy, {name: f1, as: tokens}]
chance: 0.5
repeats: 3
target_delimiter: ""
"""


def read(folder: Path, text: str) -> TaskSpec:
    """The checked content of a task.yaml with this text."""
    file = folder / "task.yaml"
    file.write_text(text, encoding="utf-8")
    return read_task_spec(file)


def refuse(folder: Path, text: str) -> str:
    """The message with which the text is refused, checked to name the file and to be one line."""
    with pytest.raises(TaskError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert message.startswith(str(folder / "task.yaml"))
    assert "\n" not in message
    return message.removeprefix(str(folder / "task.yaml"))


def dump(**changes: Any) -> str:
    """A small valid task.yaml with these changes."""
    return yaml.safe_dump(task_fields(**changes), sort_keys=False, allow_unicode=True)


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key of the format arrives where it belongs, and the text above leaves none out."""
    spec = read(tmp_path, EVERYTHING)
    content = yaml.safe_load(EVERYTHING)
    assert set(content) | {"text", "matrix"} == {
        field.alias or name for name, field in TaskSpec.model_fields.items()
    }
    full = spec.prompts["full"]
    assert not isinstance(full, str)
    assert full.params() == {key: content["prompts"]["full"][key] for key in GENERATION_KEYS}
    assert full.few_shot == FewShotSpec(count=1, sampler="balanced", multiturn=True)
    assert full.extract == ["strip", {"regex": "x"}]
    assert (full.system, full.assistant, full.answer) == ("Be brief.", "I think", "{{ target[0] }}")
    assert (full.scoring, full.description) == ("letter", "All of it.")
    assert (spec.choices_order, full.choices_order) == ("seeded", "circular")
    assert spec.generation.params() == {"temperature": 0, "max_tokens": 5, "stop": ["\n"]}
    assert list(spec.prompts) == ["plain", "full", "counted"]
    for key in ("name", "language", "tags", "version", "kind", "choices", "labels", "metadata", "metrics"):
        assert getattr(spec, key) == content[key]
    for key in ("id", "target", "cluster", "chance", "repeats", "target_delimiter", "license", "source"):
        assert getattr(spec, key) == content[key]


def test_defaults(tmp_path: Path) -> None:
    """A task in a few lines is English, generates, is asked once and compares the answer as it is."""
    spec = read(tmp_path, dump(language=None))
    assert (spec.language, spec.kind, spec.repeats, spec.extract) == ("en", "generate", 1, ["identity"])
    assert (spec.few_shot, spec.generation.params(), spec.chance) == (FewShotSpec(), {}, None)


@pytest.mark.parametrize(
    ("changes", "key", "nearest"),
    [
        ({"metrisc": ["f1"]}, "metrisc", "metrics"),
        ({"metrics": None, "metrcs": ["f1"]}, "metrcs", "metrics"),  # also where the right key is missing
        ({"data": {"fil": "x"}}, "data.fil", "file"),
        ({"few_shot": {"cuont": 1}}, "few_shot.cuont", "count"),
        ({"generation": {"temprature": 0}}, "generation.temprature", "temperature"),
        ({"prompts": {"p": {"user": "u", "sytem": "s"}}}, "prompts.p.sytem", "system"),
        ({"prompts": {"p": {"usr": "u"}}}, "prompts.p.usr", "user"),
        ({"prompts": {"p": {"user": "u", "max_token": 5}}}, "prompts.p.max_token", "max_tokens"),
        ({"prompts": {"few_shot": {"user": "u", "sytem": "s"}}}, "prompts.few_shot.sytem", "system"),
        (
            {"prompts": {"p": {"user": "u", "few_shot": {"samplr": "first"}}}},
            "prompts.p.few_shot.samplr",
            "sampler",
        ),
        ({"prompts": {"a.b[c]": {"user": "u", "sytem": "s"}}}, "prompts.a.b[c].sytem", "system"),
    ],
)
def test_unknown_key_is_named_with_line_and_nearest_key(
    tmp_path: Path, changes: dict[str, Any], key: str, nearest: str
) -> None:
    """A misspelt key at any level is an error: it would otherwise change the measurement silently."""
    text = dump(**changes)
    line = next(
        number
        for number, content in enumerate(text.splitlines(), start=1)
        if content.lstrip().startswith(key.rsplit(".", 1)[-1] + ":")
    )
    assert refuse(tmp_path, text).startswith(f", line {line}: unknown key {key!r}. Did you mean {nearest!r}")


def test_unknown_key_without_a_near_one_lists_all(tmp_path: Path) -> None:
    """A key like none is answered with the keys that there are at its level."""
    assert ": unknown key 'zzz'. Known keys: schema, name, " in refuse(tmp_path, dump(zzz=1))
    assert refuse(tmp_path, dump(data={"zzz": 1})).endswith("few_shot_split, few_shot_config, remote.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "name: this key is missing"),
        ({"data": None}, "data: this key is missing"),
        ({"metrics": None}, "metrics: this key is missing"),
        ({"target": None}, "give `target:`"),
        ({"prompts": None}, "give at least one prompt"),
        ({"kind": "choice"}, "a choice task needs `choices:`"),
        ({"kind": "perplexity"}, "a perplexity task needs `text:`"),
        ({"data": {}}, "data: give `file:` or `hub:`"),
        ({"data": {"file": "a.jsonl", "hub": "a/b"}}, "data: give `file:` or `hub:`, not both"),
        ({"metrics": []}, "metrics: List should have at least 1 item"),
        ({"metrics": [{"nam": "f1"}]}, "a metric is a name or a mapping with `name`"),
        ({"schema": 2}, "schema 2 is newer than this evalkit reads"),
        (
            {"prompts": {"p": {"user": "u", "few_shot": {"count": 1, "file": "x.jsonl"}}}},
            "prompts.p: the data of few_shot are the same for all prompts",
        ),
    ],
)
def test_incomplete_or_contradictory_task_says_what_to_write(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    """What is missing, or does not go together, is told in words of the file."""
    assert message in refuse(tmp_path, dump(**changes))


def test_words_that_yaml_reads_as_no_text_are_to_be_quoted(tmp_path: Path) -> None:
    """`labels: [yes, no]` are truth values in YAML: the error says so."""
    assert "labels.0: Input should be a valid string, not true; put it in quotes" in refuse(
        tmp_path, dump(labels=[True, False])
    )


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"name": 5}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"language": "english!"}, "language"),
        ({"tags": "one"}, "tags"),
        ({"tags": [1]}, "tags.0"),
        ({"kind": "essay"}, "kind"),
        ({"repeats": 0}, "repeats"),
        ({"repeats": "3"}, "repeats"),
        ({"repeats": True}, "repeats"),
        ({"chance": -0.1}, "chance"),
        ({"chance": float("nan")}, "chance"),
        ({"data": "samples.jsonl"}, "data"),
        ({"data": {"file": 5}}, "data.file"),
        ({"target": 5}, "target"),
        ({"labels": {"a": 1}}, "labels"),
        ({"metrics": "f1"}, "metrics"),
        ({"metrics": [5]}, "metrics.0"),
        ({"prompts": "{{ question }}"}, "prompts"),
        ({"prompts": {"p": None}}, "prompts.p"),
        ({"prompts": {"p": 5}}, "prompts.p"),
        ({"prompts": {"p": {"user": 5}}}, "prompts.p.user"),
        ({"prompts": {"p": {"user": "u", "stop": "x"}}}, "prompts.p.stop"),
        ({"prompts": {"p": {"user": "u", "max_tokens": 0}}}, "prompts.p.max_tokens"),
        ({"prompts": {"p": {"user": "u", "few_shot": -1}}}, "prompts.p.few_shot"),
        ({"prompts": {"p": {"user": "u", "few_shot": {"count": -1}}}}, "prompts.p.few_shot.count"),
        ({"prompts": {"p": {"user": "u", "scoring": "words"}}}, "prompts.p.scoring"),
        ({"few_shot": {"sampler": "best"}}, "few_shot.sampler"),
        ({"few_shot": {"samples": ["x"]}}, "few_shot.samples.0"),
        ({"generation": {"temperature": "hot"}}, "generation.temperature"),
        ({"generation": {"temperature": -1}}, "generation.temperature"),
        ({"generation": {"max_tokens": 1.5}}, "generation.max_tokens"),
    ],
)
def test_wrong_value_is_named_by_its_key_and_line(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    """A value of the wrong type or range is refused, never converted; the key is that of the file."""
    text = dump(**changes)
    match = re.match(r", line (\d+): ([^ ]+): ", refuse(tmp_path, text))
    assert match is not None
    assert match[2] == key
    words = [word for word in key.split(".") if not word.isdecimal()]
    assert any(text.splitlines()[int(match[1]) - 1].lstrip(" -").startswith(word) for word in words) or (
        key[-1].isdecimal()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nname: b\n", "line 2: key 'name' stands twice"),
        ("prompts:\n  p: x\n  q: y\n  p: z\n", "line 4: key 'p' stands twice"),
        ("prompts: {p: {user: x, user: y}}\n", "line 1: key 'user' stands twice"),
        ("a: &a\n  b: *a\n", "line 1: an alias refers to itself"),
        ("a: [1\nb: 2\n", "line 2: not valid YAML"),
        ("a: 'x\n", "not valid YAML"),
        ("a: *b\n", "line 1: not valid YAML (found undefined alias"),
        ("a: 2020-13-45\n", "not readable as YAML"),
        ("{a}: 1\n", "not valid YAML"),
        ("a: !!python/object:os.system x\n", "not valid YAML (could not determine a constructor"),
        ("", "expected `key: value` lines, got NoneType"),
        ("- a\n", "expected `key: value` lines, got list"),
        ("text\n", "expected `key: value` lines, got str"),
        ("1: x\n", ""),
        ("? [a]\n: x\n", ""),
    ],
)
def test_broken_yaml_is_an_error_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A key that stands twice, or text that is no YAML, is never half read."""
    assert message in refuse(tmp_path, text)


def test_merged_keys_are_no_double_keys(tmp_path: Path) -> None:
    """YAML's own merging of mappings goes on working."""
    text = dump(prompts=None) + (
        "prompts:\n  a: &base {user: '{{ question }}', system: s}\n  b: {<<: *base, max_tokens: 5}\n"
    )
    spec = read(tmp_path, text)
    assert getattr(spec.prompts["b"], "system", None) == "s"


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    """Ten lines that stand for a milliard of values are refused at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "more than 100000 keys" in refuse(tmp_path, "\n".join(lines))


def test_unreadable_file_is_an_error(tmp_path: Path) -> None:
    """A missing file and one that is not UTF-8 are named."""
    with pytest.raises(TaskError, match=r"nowhere\.yaml cannot be read"):
        read_yaml(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: café\n".encode("latin-1"))
    with pytest.raises(TaskError, match=r"latin\.yaml cannot be read"):
        read_yaml(tmp_path / "latin.yaml")


def test_lines_of_keys_are_those_of_the_file(tmp_path: Path) -> None:
    """Line numbers count from one, in nested mappings and in lists."""
    file = tmp_path / "task.yaml"
    file.write_text("# head\na:\n  b: 1\n  c:\n    - x\n    - y\n")
    _, lines = read_yaml(file)
    assert lines == {("a",): 2, ("a", "b"): 3, ("a", "c"): 4, ("a", "c", "0"): 5, ("a", "c", "1"): 6}


# Broken task files: a valid task in which some values are replaced, dropped or renamed.
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**65),
    st.floats(),
    st.text("ab{}%# _.:\"'\\\n", max_size=12),
    st.sampled_from(
        ["{{ question", "{{ nothing }}", "{{ ''.__class__.__mro__ }}", "{% for %}", "{{ 1/0 }}",
         "{{ [] | first }}", "{% include 'x' %}", "{{ range(10**9) | list }}", "{{ question }}",
         "answer", "id", "question", "A"]
    ),
    st.lists(st.sampled_from(["answer", 1, None, "{{ id }}"]), max_size=3),
    st.dictionaries(st.sampled_from(["user", "file", "count", "x"]), st.integers(-1, 2), max_size=2),
)  # fmt: skip

PLACES = [
    *[
        (key,)
        for key in (*task_fields(), "few_shot", "generation", "choices", "labels", "cluster", "id", "kind")
    ],
    ("data", "file"),
    ("prompts", "direct"),
    ("prompts", "direct", "user"),
    ("prompts", "direct", "system"),
    ("prompts", "direct", "few_shot"),
    ("prompts", "direct", "stop"),
    ("few_shot", "samples"),
    ("few_shot", "count"),
    ("metrics", 0),
    ("unknown",),
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), ODD), min_size=1, max_size=3))
def test_broken_tasks_raise_task_errors_alone(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[tuple[Any, ...], Any]]
) -> None:
    """Whatever is wrong with a task, it gives samples and prompts or an error that names its file."""
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    if not folder.exists():
        write_rows(folder / "samples.jsonl", ROWS[:2])
    fields = copy.deepcopy(
        task_fields(
            prompts={"direct": {"user": "{{ question }}"}},
            few_shot={"count": 1, "samples": [{"question": "a", "answer": "b"}]},
        )
    )
    for place, value in changes:
        node: Any = fields
        for key in place[:-1]:
            node = node[key] if isinstance(node, dict) and isinstance(node.get(key), dict | list) else {}
        if isinstance(node, dict) or (isinstance(node, list) and node and place[-1] == 0):
            node[place[-1]] = value
    file = folder / "task.yaml"
    file.write_text(yaml.safe_dump(fields, allow_unicode=True), encoding="utf-8")
    problem = None
    try:
        task = load_task(entry(file))
        _ = task.digest, task.headline, task.data_revision
        for name in task.variant_names():
            variant = task.variant(name)
            for sample in task.samples():
                variant.render(sample, variant.choose_shots(task.few_shot_pool(), sample, 0))
    except TaskError as error:
        problem = str(error)
    assert problem is None or "task.yaml" in problem or str(folder) in problem


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("ab:-[]{}&*<!|>'\"#\n ?,%@`\t0~\u2028é"), max_size=40))
def test_any_text_is_a_task_or_a_task_error(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """No text makes the reader fail otherwise than with a TaskError that names the file."""
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(TaskError, match=r"any\.yaml"):  # none of these texts can be a whole task
        read_task_spec(file)
