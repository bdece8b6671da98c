"""`replay/<file>`: recorded outputs, scored like a model's answers, without any call.

    replay/outputs.jsonl            one object a line
    replay/predictions.json         a list of objects, or {id: output} as SQuAD's predictions are
    replay/hypotheses.txt           any other file: one output a line, in the order of the samples; a byte
                                    order mark at its head is text, as sacrebleu reads it
    replay/outputs.jsonl#gpt-4      the lines of one model, where a file holds several

A line finds its sample by its id; else by its input, which is the prompt as sent or contains a field of the
sample; else by its position, when it has neither (or its ids are positions) and there are as many lines as
samples. Several lines for a sample, or a list of outputs, are its repeats. In evalkit.yaml:

    models:
      abel: {model: replay/abel.jsonl, options: {output: response, id: idx, input: prompt, missing: wrong}}

A file that is not UTF-8 says so with `encoding: gb18030`.

`missing: error` (the default) leaves samples without an output unscored; `missing: wrong` gives them an empty
answer, as the official scorer of SQuAD counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalkit.core.errors import ModelError, did_you_mean
from evalkit.core.form import Form, encoding_problem
from evalkit.core.records import (
    Loglikelihood,
    Request,
    Response,
    ResponseError,
    ResponseStatus,
    TaskView,
    Usage,
    flatten,
)
from evalkit.models.protocol import Model, ModelBase, unsupported
from evalkit.models.recording import COLUMNS, Index, Recording, Row, as_tuple, find_lines, input_key

__all__ = ["ReplayModel"]

OPTIONS = (*COLUMNS, "missing", "encoding")
"""What evalkit.yaml may set: the columns, what becomes of samples without an output, and the encoding."""

_CUT = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_STATUSES: Mapping[str, ResponseStatus] = {"ok": "ok", "refused": "refused", "truncated": "truncated"}


class ReplayModel(ModelBase):
    """A model that answers with what was recorded."""

    def __init__(
        self,
        name: str,
        recording: Recording,
        missing: str = "error",
        lines: Index[str] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """`lines` are those of each sample, once it is bound to a task; before, only ids and inputs count."""
        self.name = name
        self.recording = recording
        self.missing = missing
        self.notes = notes
        self._lines = recording.by_id if lines is None else lines
        self.identity = {"route": name, "digest": recording.digest, "missing": missing}
        capabilities = {"generate", "chat"} if recording.has_outputs else set()
        if recording.has_loglikelihoods:
            capabilities |= {"loglikelihood", "rolling"}
        self.capabilities = frozenset(capabilities)

    @classmethod
    def from_settings(cls, name: str, route: str, options: Mapping[str, Any]) -> ReplayModel:
        """The replay of the file that `route` names, with the options of evalkit.yaml.

        Without a name of its own (an alias) it is called replay/<stem>, with #model where one was chosen.
        """
        for key, value in options.items():
            if key not in OPTIONS:
                hint = did_you_mean(str(key), OPTIONS)
                raise ModelError(f"{route}: no option {key!r}; there are {', '.join(OPTIONS)}.{hint}")
            if not isinstance(value, str):
                raise ModelError(f"{route}: option {key} must be a text, not {value!r}")
        missing = options.get("missing", "error")
        if missing not in ("error", "wrong"):
            raise ModelError(f"{route}: option missing must be error or wrong, not {missing!r}")
        columns = {key: (options[key],) if key in options else COLUMNS[key] for key in COLUMNS}
        target = route.removeprefix("replay/")
        path, model = Path(target).expanduser(), None
        if "#" in target and not path.exists():
            file, _, model = target.rpartition("#")
            path = Path(file).expanduser()
        if name == route:
            stem = path.stem if path.suffix in (".jsonl", ".ndjson", ".json", ".txt") else path.name
            name = f"replay/{stem}#{model}" if model else f"replay/{stem}"
        form = Form(options.get("encoding"))
        if problem := encoding_problem(form.encoding):
            raise ModelError(f"{route}: option encoding: {problem}")
        return cls(name, Recording.open(path, columns, model, form), missing)

    def bind(self, task: TaskView) -> Model:
        """The replay with each sample's lines found, and notes on how. Raises ModelError when none can be."""
        lines, notes = find_lines(self.recording, task)
        return ReplayModel(self.name, self.recording, self.missing, lines, notes)

    async def generate(self, request: Request) -> Response:
        """The recorded output of the sample that asks."""
        if "generate" not in self.capabilities:
            raise unsupported(self.name, "generate", f"{self.recording.path} holds loglikelihoods only")
        row, output = self._find(request, "output")
        if output is None:
            return self._missing(request)
        where = self._where(request)
        return _respond(row, where, _as_text(output, where))

    async def loglikelihood(self, request: Request) -> Response:
        """The recorded `loglikelihoods` of the sample that asks: numbers, or [number, is_greedy] pairs."""
        if "loglikelihood" not in self.capabilities:
            raise unsupported(self.name, request.kind, f"{self.recording.path} holds no loglikelihoods")
        row, scores = self._find(request, "loglikelihoods")
        wanted = 1 if request.kind == "rolling" else len(request.continuations)
        if scores is None:
            return self._missing(request)
        where = self._where(request)
        if not isinstance(scores, list) or len(scores) != wanted:
            raise ModelError(f"{where}: loglikelihoods must be a list of {wanted}, one for each text asked")
        return _respond(row, where, None, tuple(_score(score, where) for score in scores))

    def _find(self, request: Request, name: str) -> tuple[Row, Any]:
        """The row of this sample and repeat, and its value; an empty row and None when there is none."""
        lines = self._lines.get(request.sample_id)
        if lines is None:
            lines = self.recording.by_input.get(input_key(flatten(request.messages)), ())
        values: list[tuple[Row, Any]] = []
        for number in as_tuple(lines):
            row = self.recording.row(number)
            value = self.recording.get(row, "output") if name == "output" else row.get(name)
            repeats = value if name == "output" and isinstance(value, list) else [value]
            values += [(row, each) for each in repeats]
        return values[request.repeat] if request.repeat < len(values) else ({}, None)

    def _missing(self, request: Request) -> Response:
        if self.missing == "wrong" and request.kind == "generate":
            return Response(text="", notes=("no recorded output: an empty answer, as `missing: wrong` says",))
        repeat = f", repeat {request.repeat}" if request.repeat else ""
        message = f"{self.recording.path} has no output for sample {request.sample_id!r}{repeat}"
        return Response("error", error=ResponseError("missing", message))

    def _where(self, request: Request) -> str:
        return f"{self.recording.path}, sample {request.sample_id!r}"


def _respond(row: Row, where: str, text: str | None, scores: tuple[Loglikelihood, ...] = ()) -> Response:
    """The response that a row tells of, with what it says beside the output."""
    reason = row.get("finish_reason")
    status: ResponseStatus = "truncated" if reason in _CUT else "refused" if reason in _REFUSED else "ok"
    reasoning, model = row.get("reasoning"), row.get("model")
    return Response(
        status=_STATUSES.get(str(row.get("status")), status),
        text=text,
        reasoning=reasoning if isinstance(reasoning, str) else None,
        loglikelihoods=scores,
        finish_reason=reason if isinstance(reason, str) else None,
        usage=_usage(row.get("usage"), where),
        cost_usd=_number(row, "cost_usd", where),
        latency_s=_number(row, "latency_s", where),
        model_reported=model if isinstance(model, str) else None,
    )


def _usage(usage: object, where: str) -> Usage:
    """Recorded tokens, under our names or OpenAI's."""
    if not isinstance(usage, Mapping):
        return Usage()
    counts = {
        "input": usage.get("input", usage.get("prompt_tokens")),
        "output": usage.get("output", usage.get("completion_tokens")),
        "reasoning": usage.get("reasoning"),
        "cached": usage.get("cached"),
    }
    for name, count in counts.items():
        if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
            raise ModelError(f"{where}: usage.{name} must be a number of tokens, not {count!r}")
    return Usage(**counts)


def _number(row: Row, name: str, where: str) -> float | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ModelError(f"{where}: {name} must be a number of at least 0, not {value!r}")
    return float(value)


def _as_text(output: object, where: str) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, bool) or not isinstance(output, int | float):
        raise ModelError(f"{where}: the output must be a text, not {type(output).__name__}")
    return str(output)


def _score(score: object, where: str) -> Loglikelihood:
    """A recorded loglikelihood: a number, or [number, is_greedy] as lm-evaluation-harness logs it."""
    number, greedy = score if isinstance(score, list) and len(score) == 2 else (score, None)
    if isinstance(number, str):  # lm-evaluation-harness logs numbers as text
        try:
            number = float(number)
        except ValueError:
            number = None
    if isinstance(number, bool) or not isinstance(number, int | float) or number != number:
        raise ModelError(f"{where}: a loglikelihood must be a number or [number, is_greedy], not {score!r}")
    return Loglikelihood(float(number), is_greedy=greedy if isinstance(greedy, bool) else None)
