"""Shards: the samples of one task and variant with all models' answers, compressed for the page.

A shard is an index and chunks, each JSON, deflated, in base64, unpacked with the browser's
DecompressionStream. The index has what a list of samples and its filters need: ids, the beginning of each
question, a verdict for each answer. It is unpacked when the shard is opened; a chunk, with the texts of some
tens of samples, when one of them is looked at. So a page with many samples opens as fast as one with none,
and a click on one of them costs no more than its chunk.

Chunks are written by column, which packs a tenth better than by answer.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from evalkit.core.records import MetricValue, SampleResult
from evalkit.pages.answers import encode_answer, encode_prompt, encode_sample
from evalkit.pages.formats import dump

MAX_RESULTS = 5_000
"""Results of a cell that a page carries; the run folder has them all, and the page says so."""
MAX_SNIPPET = 160
"""Characters of a question that the index has for the list; the chunk has the rest."""
_CHUNK = 300_000
"""Characters of texts in a chunk, from which on a new one begins: some milliseconds to unpack and read."""
_CHUNK_SAMPLES = 500

Verdict = Literal["correct", "partial", "wrong", "no_answer", "refused", "error", "unscored", "scored"]


@dataclass(frozen=True)
class Shard:
    """The compressed samples of one task and variant."""

    id: str
    """`task/variant`, as permalinks name it."""
    task: str
    variant: str
    models: tuple[str, ...]
    n_samples: int
    """Samples in the shard."""
    n_left_out: int
    """Results that the run has beyond what the shard carries."""
    content: str
    """The index: base64 of deflated JSON."""
    chunks: tuple[str, ...] = ()
    """The texts, some tens of samples each: base64 of deflated JSON."""


@dataclass(frozen=True)
class ShardCell:
    """One model's part of a shard."""

    model: str
    headline: str
    metrics: Mapping[str, MetricValue]
    """The metrics of the cell."""
    results: Iterable[SampleResult]
    n_results: int
    """How many results the cell has."""


@dataclass
class _Row:
    """A sample while its shard is built."""

    id: str
    sample: dict[str, Any]
    answers: list[dict[str, Any]]
    prompts: list[list[list[str]]]
    """The different prompts of its answers, as [role, text]."""
    models: list[int]
    """The model of each answer."""
    verdicts: list[tuple[Verdict, str]]
    """What became of each answer, and the status of its response."""
    values: list[float | None]
    """The headline score of each answer."""

    @property
    def question(self) -> str:
        """The last thing a user said to the first model; its answer where it was asked nothing."""
        if not self.prompts:
            return str(self.answers[0].get("text", "")) if self.answers else ""
        first = self.prompts[0]
        return next((text for role, text in reversed(first) if role == "user"), first[-1][1])

    @property
    def weight(self) -> int:
        """Characters of its texts, roughly."""
        texts = [text for prompt in self.prompts for _, text in prompt]
        own = (answer.get(key, "") for answer in self.answers for key in ("text", "reasoning"))
        return sum(map(len, texts)) + sum(map(len, own)) + 200 * len(self.answers)


def verdict(result: SampleResult, headline: str, metric: MetricValue | None) -> Verdict:
    """What became of a sample, in one word, judged by the headline metric."""
    if result.response.status == "error":
        return "error"
    if result.unscored_reason is not None:
        return "unscored"
    if result.answer is None and result.response.text is not None:
        return "refused" if result.response.status == "refused" else "no_answer"
    value = result.scores.get(headline)
    judgement = result.response.judgements.get(headline)
    if value is None and judgement is not None and judgement.unscored_reason is not None:
        return "unscored"
    if value is None or metric is None or metric.scale == "unbounded" or not metric.higher_is_better:
        return "scored"
    best = 1.0 if metric.scale == "fraction" else 100.0
    if value >= best - 1e-9:
        return "correct"
    return "wrong" if value <= 1e-9 else "partial"


def build_shard(id: str, task: str, variant: str, cells: Sequence[ShardCell]) -> Shard:
    """The cells' samples side by side, in the order of the data."""
    rows = _rows(cells)
    snippets = _snippets([row.question for row in rows])
    scales = {name: value.scale for cell in cells for name, value in cell.metrics.items()}
    chunks = list(_chunks(rows, snippets))
    index = {
        "task": task,
        "variant": variant,
        "models": [cell.model for cell in cells],
        "scales": scales,
        "ids": [row.id for row in rows],
        "snippets": snippets,
        "disagree": [place for place, row in enumerate(rows) if _disagree(row)],
        "sizes": [size for size, _ in chunks],
        **_verdicts(rows, len(cells)),
        **_values(rows, cells),
    }
    return Shard(
        id=id,
        task=task,
        variant=variant,
        models=tuple(cell.model for cell in cells),
        n_samples=len(rows),
        n_left_out=sum(max(0, cell.n_results - MAX_RESULTS) for cell in cells),
        content=pack(dump(index)),
        chunks=tuple(content for _, content in chunks),
    )


def pack(content: bytes) -> str:
    """The content deflated, in base64, as the page's script unpacks it."""
    return base64.b64encode(zlib.compress(content, 9)).decode()


def _rows(cells: Sequence[ShardCell]) -> list[_Row]:
    rows: dict[str, _Row] = {}
    for index, cell in enumerate(cells):
        metric = cell.metrics.get(cell.headline)
        for result in islice(cell.results, MAX_RESULTS):
            row = rows.get(result.sample_id)
            if row is None:
                row = rows[result.sample_id] = _Row(
                    result.sample_id, encode_sample(result), [], [], [], [], []
                )
            answer = encode_answer(result)
            if result.messages:
                prompt = encode_prompt(result.messages)
                if prompt not in row.prompts:
                    row.prompts.append(prompt)
                answer["p"] = row.prompts.index(prompt)
            row.answers.append(answer)
            row.models.append(index)
            row.verdicts.append((verdict(result, cell.headline, metric), result.response.status))
            scored = result.response.status != "error" and result.unscored_reason is None
            row.values.append(result.scores.get(cell.headline) if scored else None)
    return list(rows.values())


def _snippets(questions: list[str]) -> list[str]:
    """The beginning of what is a question's own, without the instructions around it that all share."""
    opening = ending = 0
    if len(questions) > 2 and not questions[0].startswith("[redacted:"):
        opening = _shared_lines(questions, "\n:：")
        turned = [question[opening:][::-1] for question in questions]
        ending = _shared_lines(turned, "\n")
    own = [question[opening : len(question) - ending].strip() or question for question in questions]
    return [text[:MAX_SNIPPET] for text in own]


def _shared_lines(texts: Sequence[str], breaks: str) -> int:
    """How many characters the texts have in common at their beginning, up to the last break."""
    first, last = min(texts), max(texts)
    n = next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
    return 1 + max(first.rfind(character, 0, n) for character in breaks)


def _disagree(row: _Row) -> bool:
    """Whether models came to different ends: right and not right; or other answers where none is right."""
    found: set[str] = set()
    seen: set[int] = set()
    for model, (what, _), answer in zip(row.models, row.verdicts, row.answers, strict=True):
        if model in seen:
            continue
        seen.add(model)
        if what == "scored":
            found.add(f"={answer.get('answer', '')}")
        elif what not in ("error", "unscored"):
            found.add(str(what == "correct"))
    return len(found) > 1


def _verdicts(rows: Sequence[_Row], n_models: int) -> dict[str, Any]:
    """Each answer's verdict and status as a letter: a text for each sample, its models' letters in order.

    Where a model has none or several answers, commas part the models.
    """
    codes: dict[tuple[str, str], str] = {}
    texts = []
    plain = list(range(n_models))
    for row in rows:
        letters = [codes.setdefault(code, chr(ord("a") + len(codes))) for code in row.verdicts]
        if row.models != plain:
            by_model = [""] * n_models
            for model, letter in zip(row.models, letters, strict=True):
                by_model[model] += letter
            letters = [",".join(by_model) if n_models > 1 else f"{by_model[0]},"]
        texts.append("".join(letters))
    return {"codes": [list(code) for code in codes], "verdicts": texts}


def _values(rows: Sequence[_Row], cells: Sequence[ShardCell]) -> dict[str, Any]:
    """The mean headline score of each model on each sample, unless verdicts tell it; null is unknown."""
    metrics = [cell.metrics[cell.headline] for cell in cells if cell.headline in cell.metrics]
    lower = any(not metric.higher_is_better for metric in metrics)
    told = all(what not in ("partial", "scored") for row in rows for what, _ in row.verdicts)
    if told:
        return {"lower": lower}
    values: list[list[float | None]] = [[None] * len(rows) for _ in cells]
    for place, row in enumerate(rows):
        found: dict[int, list[float | None]] = {}
        for model, value in zip(row.models, row.values, strict=True):
            found.setdefault(model, []).append(value)
        for model, scores in found.items():
            known = [value for value in scores if value is not None]
            if len(known) == len(scores):
                values[model][place] = float(f"{sum(known) / len(known):.5g}")
    return {"lower": lower, "values": values}


def _chunks(rows: Sequence[_Row], snippets: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number of samples of each chunk, and its content."""
    start, weight = 0, 0
    for place, row in enumerate(rows):
        weight += min(row.weight, _CHUNK)
        last = place + 1 == len(rows)
        if weight >= _CHUNK or place + 1 - start >= _CHUNK_SAMPLES or last:
            yield place + 1 - start, _chunk(rows[start : place + 1], snippets[start : place + 1])
            start, weight = place + 1, 0


def _chunk(rows: Sequence[_Row], snippets: Sequence[str]) -> str:
    """Samples and answers by column. A prompt that many share stands once; the snippet is left out of it."""
    prompts: dict[bytes, int] = {}
    listed: list[Any] = []
    answers: list[dict[str, Any]] = []
    for row, snippet in zip(rows, snippets, strict=True):
        places = []
        for prompt in row.prompts:
            cut = _without(prompt, snippet)
            key = dump(cut)
            if key not in prompts:
                prompts[key] = len(listed)
                listed.append(cut)
            places.append(prompts[key])
        answers += [
            {**answer, "p": places[answer["p"]]} if "p" in answer else answer for answer in row.answers
        ]
    scores = [answer.pop("scores", {}) for answer in answers]
    usage = [answer.pop("usage", {}) for answer in answers]
    content = {
        "counts": [len(row.answers) for row in rows],
        "prompts": listed,
        "samples": _columns([row.sample for row in rows]),
        "answers": _columns(answers),
        "usage": _columns(usage),
        # A score that is known to be unknown is "", for null says that there is none.
        "scores": _columns([{name: "" if v is None else v for name, v in s.items()} for s in scores]),
    }
    return pack(dump(content))


def _without(prompt: list[list[str]], snippet: str) -> list[list[str]]:
    """The prompt with the last occurrence of the snippet taken out: [role, before, after]."""
    for place in reversed(range(len(prompt))):
        role, text = prompt[place]
        at = text.rfind(snippet) if snippet else -1
        if at >= 0:
            return [*prompt[:place], [role, text[:at], text[at + len(snippet) :]], *prompt[place + 1 :]]
    return prompt


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows by column; null where a row has no such key."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
