"""The pages' ground: numbers, words, samples, and what a page may contain."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from page_runs import HOSTILE
from shard_reader import read_shard, unpack

from evalkit.core.errors import UsageError
from evalkit.core.records import (
    Message,
    MetricValue,
    Response,
    ResponseError,
    ResponseStatus,
    SampleResult,
    Usage,
)
from evalkit.pages.answers import MAX_TEXT
from evalkit.pages.environment import Page, embed, render_page
from evalkit.pages.formats import (
    breakable,
    count,
    delta,
    dollars,
    interval,
    score,
    seconds,
    share,
    tokens,
    visible,
)
from evalkit.pages.shards import ShardCell, build_shard, verdict
from evalkit.pages.translations import LANGUAGES, Translator, load_texts

ROOT = Path(__file__).parent.parent / "evalkit" / "pages"
ACCURACY = MetricValue(0.5, 0.1, (0.3, 0.7), "gaffke", 10, "accuracy|v:1", True, "fraction")


def result(**changes: Any) -> SampleResult:
    """A right answer, with changes."""
    values: dict[str, Any] = {
        "sample_id": "a",
        "repeat": 0,
        "request_digest": "0",
        "messages": (Message("user", "2 + 2?"),),
        "target": ("4",),
        "choices": (),
        "response": Response(text="It is 4."),
        "answer": "4",
        "rule": "number:last",
        "span": (6, 7),
        "scores": {"accuracy": 1.0},
        "stats": {},
    }
    return SampleResult(**{**values, **changes})


def shard_of(*results: SampleResult) -> dict[str, Any]:
    """The shard of one model's results."""
    cell = ShardCell("m", "accuracy", {"accuracy": ACCURACY}, results, len(results))
    return read_shard(build_shard("t/v", "t", "v", [cell]))


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (score(0.81234, "fraction"), "81.2"),
        (score(0.0, "fraction"), "0.0"),
        (score(-0.0001, "fraction"), "0.0"),
        (score(-0.101, "fraction"), "−10.1"),
        (score(34.56, "percent"), "34.6"),
        (score(12.3456, "unbounded"), "12.3"),
        (score(412.71, "unbounded"), "412.7"),
        (score(0.78312, "unbounded"), "0.783"),
        (score(1.3e12, "unbounded"), "1.300e+12"),
        (score(float("inf"), "unbounded"), "∞"),
        (score(None, "fraction"), "–"),
        (score(float("nan"), "fraction"), "–"),
        (interval((0.781, 0.843), "fraction"), "78.1–84.3"),
        (interval((-0.02, 0.03), "fraction"), "−2.0 – 3.0"),
        (interval(None, "fraction"), "–"),
        (delta(0.042, "fraction"), "+4.2"),
        (delta(-0.042, "fraction"), "−4.2"),
        (delta(0.0001, "fraction"), "0.0"),
        (count(12345), "12,345"),
        (count(None), "–"),
        (share(1, 48), "2.1%"),
        (share(0, 48), "0"),
        (share(1, 100_000), "<0.1%"),
        (share(99_999, 100_000), "99.9%"),
        (share(48, 48), "100.0%"),
        (share(0, 0), "–"),
        (dollars(0.00042), "$0.00042"),
        (dollars(3.171), "$3.17"),
        (dollars(0), "$0"),
        (dollars(None), "–"),
        (seconds(0.0854), "85 ms"),
        (seconds(1.236), "1.24 s"),
        (seconds(200), "3 min 20 s"),
        (seconds(7500), "2 h 05 min"),
        (seconds(None), "–"),
        (tokens(940), "940"),
        (tokens(12_345), "12.3k"),
        (tokens(4_560_000), "4.56M"),
        (tokens(None), "–"),
    ],
)
def test_numbers_are_written_for_people_and_unknown_is_a_dash(shown: str, expected: str) -> None:
    """Scores in per cent, a real minus, two digits of money, and never 0 for what nobody knows."""
    assert shown == expected


def test_controls_and_reordering_marks_are_written_out() -> None:
    """Nothing that a terminal or a browser would act on stays in a name."""
    assert visible("a\x1b[31m\x00\u202eb\r\x9f") == "a‹ESC›[31m‹NUL›‹U+202E›b‹CR›‹U+009F›"
    assert visible("行\n\t文") == "行\n\t文"
    assert visible("\ud800") == "\ufffd"


def test_names_break_after_their_separators() -> None:
    """The parts of a name are the name."""
    assert breakable("hf/Qwen/Qwen2.5-7B_x") == ["hf/", "Qwen/", "Qwen2.", "5-", "7B_", "x"]
    assert breakable("") == [""]


def test_both_languages_have_the_same_words() -> None:
    """No key is missing in either language, and placeholders agree."""
    english, chinese = (load_texts(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key in english:
        assert set(re.findall(r"\{\w+\}", english[key])) == set(re.findall(r"\{\w+\}", chinese[key])), key


def test_every_key_that_a_script_uses_exists() -> None:
    """A misspelt key in a script would show itself to the reader."""
    keys = load_texts("en")
    for path in (ROOT / "templates" / "js").glob("*.js"):
        for key in re.findall(r"(?:words|\bt)\(\"([a-z_.]+)\"", path.read_text()):
            assert key in keys, f"{path.name}: {key}"


def test_an_unknown_language_is_an_error_with_the_known_ones() -> None:
    """The message lists what there is."""
    with pytest.raises(UsageError, match="there are: en, zh"):
        load_texts("fr")


def test_words_carry_the_key_and_escape_their_values() -> None:
    """A value in a sentence stays text, and the script can say the sentence again."""
    words = Translator("en").span("run.unfinished_in_board", run="<b>", status='"x"')
    assert "<b>" not in words
    assert "&lt;b&gt;" in words
    assert 'data-t="run.unfinished_in_board"' in words


def test_a_metric_has_its_chinese_name_and_the_term_in_the_title() -> None:
    """Unknown metrics are shown as they are."""
    assert Translator("zh").name("metric", "accuracy") == (
        '<span title="accuracy" data-t="metric.accuracy">准确率</span>'
    )
    assert Translator("zh").name("metric", "<i>") == "<span>&lt;i&gt;</span>"


@pytest.mark.parametrize(
    "name",
    ["accuracy", "exact_match", "f1", "macro_f1", "bleu", "chrf", "rougeLsum", "perplexity", "bits_per_byte"],
)
def test_the_usual_metrics_have_names_in_both_languages(name: str) -> None:
    """Others are shown under their own name."""
    assert all(f"metric.{name}" in load_texts(language) for language in LANGUAGES)


@pytest.mark.parametrize("text", HOSTILE)
def test_embedded_json_cannot_end_its_element(text: str) -> None:
    """Whatever a text holds, it comes back from the JSON, and no tag opens or closes in between."""
    embedded = embed({text.encode("utf-8", "replace").decode(): [text]})
    assert not set("<>&\u2028\u2029") & set(embedded)
    assert json.loads(embedded) == {
        text.encode("utf-8", "replace").decode(): [text.replace("\ud800", "\ufffd")]
    }


def page() -> str:
    """A page with hardly anything on it."""
    return render_page(Page("page.html", "en", {}))


def test_the_policy_allows_this_script_and_this_style_and_nothing_else() -> None:
    """The digests in the policy are those of the inline script and style."""
    html = unescape(page())
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', html)
    assert policy
    directives = dict(part.strip().partition(" ")[::2] for part in policy[1].split(";"))
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    script = re.search(r"<script>(.*?)</script>", html, re.S)
    assert style
    assert script
    for directive, content in (("style-src", style[1]), ("script-src", script[1])):
        expected = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives[directive] == f"'sha256-{expected}'"
    assert directives["default-src"] == "'none'"
    assert "unsafe" not in policy[1]
    assert "http" not in policy[1]


def test_scripts_never_make_markup_of_text() -> None:
    """No innerHTML and no relative of it; the policy would stop them, but they must not be there."""
    for path in (ROOT / "templates" / "js").glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.on\w+ =",
            path.read_text(),
        ), path.name


def test_templates_have_no_inline_handlers_styles_or_addresses() -> None:
    """The policy forbids handlers and style attributes, and a page asks nobody for anything."""
    for path in (ROOT / "templates").glob("*.html"):
        assert not re.search(r"\s(on\w+|style)=|\|\s*safe|https?://(?!www\.w3\.org)", path.read_text()), (
            path.name
        )


def test_a_name_that_a_template_lacks_is_an_error() -> None:
    """StrictUndefined: nothing is silently empty."""
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError):
        render_page(Page("report.html", "en", {}))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "correct"),
        ({"scores": {"accuracy": 0.0}}, "wrong"),
        ({"scores": {"accuracy": 0.4}}, "partial"),
        ({"answer": None, "span": None, "scores": {"accuracy": 0.0}}, "no_answer"),
        ({"answer": None, "response": Response(status="refused", text="No.")}, "refused"),
        ({"response": Response(status="error", error=ResponseError("timeout", "60 s"))}, "error"),
        ({"unscored_reason": "no_logprobs"}, "unscored"),
        ({"scores": {"accuracy": None}}, "scored"),
    ],
)
def test_the_verdict_says_what_became_of_a_sample(changes: dict[str, Any], expected: str) -> None:
    """A failed call is not a wrong answer, and no answer is told from a wrong one."""
    assert verdict(result(**changes), "accuracy", ACCURACY) == expected


def test_lower_is_better_is_never_right_or_wrong() -> None:
    """A perplexity of 0 or 1 is no verdict."""
    metric = MetricValue(3.0, None, None, None, 1, "perplexity", False, "unbounded")
    assert verdict(result(scores={"perplexity": 1.0}), "perplexity", metric) == "scored"


def test_a_shard_has_all_models_side_by_side_and_each_prompt_once() -> None:
    """Two models that were asked the same share the prompt; order is that of the data."""
    rows = [result(sample_id=str(i), messages=(Message("user", f"{i}?"),)) for i in (3, 1, 2)]
    cells = [ShardCell(name, "accuracy", {"accuracy": ACCURACY}, rows, 3) for name in ("x", "y")]
    built = build_shard("t/v", "t", "v", cells)
    shard = read_shard(built)
    assert [sample["id"] for sample in shard["samples"]] == ["3", "1", "2"]
    assert [[answer["m"] for answer in sample["answers"]] for sample in shard["samples"]] == [[0, 1]] * 3
    prompts = [[answer["prompt"] for answer in sample["answers"]] for sample in shard["samples"]]
    assert prompts == [[[["user", f"{i}?"]]] * 2 for i in (3, 1, 2)]
    assert len(unpack(built.chunks[0])["prompts"]) == 1


def test_what_is_unknown_has_no_key() -> None:
    """The page shows nothing where nothing is known, and never a 0."""
    answer = shard_of(result(response=Response(text="4", usage=Usage(output=1))))["samples"][0]["answers"][0]
    assert answer["usage"] == {"output": 1}
    assert {"cost", "latency", "error", "reasoning", "cached", "why"}.isdisjoint(answer)


def test_the_span_is_counted_as_browsers_count() -> None:
    """Characters beyond the basic plane are two units in a browser."""
    text = "😀 answer 四"
    answer = shard_of(result(response=Response(text=text), answer="四", span=(9, 10)))["samples"][0][
        "answers"
    ][0]
    start, end = answer["span"]
    assert text.encode("utf-16-le")[2 * start : 2 * end].decode("utf-16-le") == "四"


def test_metadata_may_hold_what_json_cannot() -> None:
    """Huge integers and broken Unicode are shown, not fatal."""
    shard = shard_of(result(metadata={"n": 2**70, "s": "a\ud800"}))
    assert shard["samples"][0]["metadata"] == {"n": str(2**70), "s": "a\ufffd"}


def test_very_long_texts_are_cut_and_say_so() -> None:
    """A line of a megabyte does not come onto the page, and no span points into what is cut."""
    text = "x" * 1_000_000
    answer = shard_of(result(response=Response(text=text), span=(999_000, 999_001)))["samples"][0]["answers"][
        0
    ]
    assert len(answer["text"]) < MAX_TEXT + 50
    assert answer["text"].endswith("[+980,000]")
    assert "span" not in answer


@pytest.mark.parametrize("status", ["ok", "truncated", "refused"])
def test_same_samples_same_bytes(status: ResponseStatus) -> None:
    """A shard depends on its samples alone."""
    rows = [result(response=Response(status=status, text="4"))]
    cells = [ShardCell("m", "accuracy", {"accuracy": ACCURACY}, rows, 1)]
    assert build_shard("a", "t", "v", cells) == build_shard("a", "t", "v", cells)
