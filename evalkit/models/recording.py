"""A file of recorded outputs: what it holds, and which of its lines belong to which sample."""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import orjson

from evalkit.core.errors import DataError, ModelError, did_you_mean
from evalkit.core.form import AS_IT_IS, Form, check_content, likely
from evalkit.core.records import Sample, TaskView

__all__ = ["COLUMNS", "Index", "Recording", "Row", "as_tuple", "find_lines", "input_key"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "output": ("output", "response", "prediction", "completion", "answer_text"),
    "id": ("id", "sample_id", "doc_id"),
    "input": ("input", "prompt", "instruction", "question"),
    "model": ("model", "generator"),
}
"""Where each value is looked for, in this order, unless a setting names the column."""
_LINES = (".jsonl", ".ndjson")
MIN_TEXT = 4
"""A text shorter than this does not tell whose input it stands in, in characters."""
PROBES = 200
"""How many lines decide which column their inputs hold."""

Row = Mapping[str, Any]
Key = TypeVar("Key", str, bytes)
Lines = int | tuple[int, ...]
"""The line, or the lines, of one sample; a number alone is what keeps a million of them small."""
Index = dict[Key, Lines]


@dataclass(slots=True)
class Recording:
    """A file of outputs: where each line is, and what finds it. The lines themselves stay in the file."""

    path: Path
    columns: Mapping[str, tuple[str, ...]]
    model: str | None
    """Only the lines of this model are kept; None keeps all."""
    by_id: Index[str] = field(default_factory=dict)
    """Id -> its lines."""
    by_input: Index[bytes] = field(default_factory=dict)
    """`input_key` of an input -> its lines."""
    models: dict[str, int] = field(default_factory=dict)
    """Model -> its number of lines, in the whole file."""
    has_outputs: bool = False
    has_loglikelihoods: bool = False
    ids_are_positions: bool = True
    digest: str = ""
    notes: list[str] = field(default_factory=list)
    """What a reader must know of how the file was read."""
    _rows: list[Row] | None = None
    _offsets: array[int] = field(default_factory=lambda: array("Q"))
    _n: int = 0

    @classmethod
    def open(
        cls,
        path: Path,
        columns: Mapping[str, tuple[str, ...]],
        model: str | None,
        form: Form = AS_IT_IS,
    ) -> Recording:
        """The recording in this file. Raises ModelError that names file and line when it cannot be read."""
        recording = cls(path, columns, model)
        try:
            check_content(path)
            if path.suffix in _LINES and not form:
                recording._index_lines()
            else:
                content = path.read_bytes()
                recording.digest = hashlib.sha256(content).hexdigest()
                recording._rows = []
                if form:
                    content = content.decode(form.codec).removeprefix("\ufeff").encode()
                for row in recording._parse(content):
                    recording._add(row, None)
        except FileNotFoundError:
            raise ModelError(
                f"no file {path}: replay/ takes a path from {Path.cwd()}, or a full one"
            ) from None
        except OSError as error:
            raise ModelError(f"cannot read {path}: {error.strerror}") from None
        except DataError as error:
            raise ModelError(str(error)) from None
        except UnicodeError as error:
            raise ModelError(f"{path}: not {form.encoding}: {error}. {likely(path)}") from None
        recording._check_models()
        if not recording._n:
            raise ModelError(f"{path} holds no outputs")
        return recording

    def __len__(self) -> int:
        return self._n

    def row(self, number: int) -> Row:
        """The line of this number, from 0, among those that are kept."""
        if self._rows is not None:
            return self._rows[number]
        with self.path.open("rb") as file:
            file.seek(self._offsets[number])
            return self._object(file.readline(), f"output {number + 1}")

    def get(self, row: Row, name: str) -> Any:
        """The value of `output`, `id`, `input` or `model` in a row; None when it has none."""
        return next((row[column] for column in self.columns[name] if row.get(column) is not None), None)

    def inputs(self) -> Iterator[tuple[int, str]]:
        """(line, input) of the lines that have one."""
        for number, row in enumerate(self._all_rows()):
            text = self.get(row, "input")
            if isinstance(text, str):
                yield number, text

    def _all_rows(self) -> Iterator[Row]:
        if self._rows is not None:
            yield from self._rows
            return
        with self.path.open("rb") as file:
            for number, offset in enumerate(self._offsets):
                file.seek(offset)
                yield self._object(file.readline(), f"output {number + 1}")

    def _index_lines(self) -> None:
        offset, hashed = 0, hashlib.sha256()
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                hashed.update(line)
                if line.strip(b" \t\r\n\xef\xbb\xbf"):
                    self._add(self._object(line, f"line {number}"), offset)
                offset += len(line)
        self.digest = hashed.hexdigest()

    def _object(self, line: bytes, where: str) -> Row:
        try:
            row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise ModelError(f"{self.path}, {where}: no valid JSON ({error}){self._hint(line)}") from None
        if not isinstance(row, dict):
            raise ModelError(
                f"{self.path}, {where}: {type(row).__name__} instead of an object with an output"
            )
        return row

    def _hint(self, content: bytes) -> str:
        """How to name the encoding, where the text is no UTF-8."""
        try:
            content.decode()
        except UnicodeDecodeError:
            return (
                f". {likely(self.path)}Name it in evalkit.yaml: {{model: replay/{self.path.name}, options: "
                "{encoding: gb18030}}"
            )
        return ""

    def _parse(self, content: bytes) -> Iterator[Row]:
        """The rows of a .json file, or of a plain text of one output a line."""
        if self.path.suffix in _LINES:
            for number, one in enumerate(content.split(b"\n"), start=1):
                if one.strip():
                    yield self._object(one, f"line {number}")
            return
        if self.path.suffix != ".json":
            try:
                lines = content.decode().split("\n")
            except UnicodeDecodeError as error:
                raise ModelError(
                    f"{self.path}: no UTF-8 text ({error.reason} at byte {error.start}){self._hint(content)}"
                ) from None
            if lines[0].startswith("\ufeff"):  # as sacrebleu reads a file of hypotheses
                self.notes.append(
                    f"{self.path.name} begins with a byte order mark, which is text of its first output; "
                    "save the file without it where it is none"
                )
            for line in lines[:-1] if not lines[-1] else lines:
                yield {self.columns["output"][0]: line.removesuffix("\r")}
            return
        try:
            document = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
        except orjson.JSONDecodeError as error:
            raise ModelError(f"{self.path}: no valid JSON ({error}){self._hint(content)}") from None
        if isinstance(document, dict):
            for key, value in document.items():
                name = {self.columns["id"][0]: key}
                yield value | name if isinstance(value, dict) else {self.columns["output"][0]: value} | name
        elif isinstance(document, list):
            for number, row in enumerate(document, start=1):
                if not isinstance(row, dict):
                    raise ModelError(f"{self.path}, item {number}: no object with an output")
                yield row
        else:
            raise ModelError(f"{self.path}: neither a list of outputs nor a mapping of ids to outputs")

    def _add(self, row: Row, offset: int | None) -> None:
        model = self.get(row, "model")
        if model is not None:
            self.models[str(model)] = self.models.get(str(model), 0) + 1
        if self.model is not None and str(model) != self.model:
            return
        number, self._n = self._n, self._n + 1
        if offset is not None:
            self._offsets.append(offset)
        elif self._rows is not None:
            self._rows.append(row)
        name, text = self.get(row, "id"), self.get(row, "input")
        if name is not None:
            _enter(self.by_id, str(name), number)
            self.ids_are_positions = self.ids_are_positions and str(name) in (str(number), str(number + 1))
        if isinstance(text, str):
            _enter(self.by_input, input_key(text), number)
        self.has_outputs = self.has_outputs or self.get(row, "output") is not None
        self.has_loglikelihoods = self.has_loglikelihoods or row.get("loglikelihoods") is not None

    def _check_models(self) -> None:
        names = sorted(self.models)
        if self.model is not None and self.model not in self.models:
            has = f"it has {', '.join(names)}" if names else "its lines name no model"
            raise ModelError(
                f"{self.path} has no outputs of {self.model!r}; {has}." + did_you_mean(self.model, names)
            )
        if self.model is None and len(names) > 1:
            raise ModelError(
                f"{self.path} holds outputs of {len(names)} models; choose one: "
                + ", ".join(f"replay/{self.path}#{name}" for name in names[:8])
            )
        if self._n and not (self.has_outputs or self.has_loglikelihoods):
            columns = ", ".join(self.row(0))
            raise ModelError(
                f"{self.path} has no column {' or '.join(self.columns['output'])}; it has {columns}. "
                "Name the right one in evalkit.yaml: options: {output: COLUMN}"
            )


def input_key(text: str) -> bytes:
    """What stands for an input in the index."""
    return hashlib.blake2b(text.strip().encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _enter(index: Index[Key], key: Key, number: int) -> None:
    index[key] = (*as_tuple(index[key]), number) if key in index else number


def as_tuple(lines: Lines) -> tuple[int, ...]:
    """The lines as a tuple."""
    return (lines,) if isinstance(lines, int) else lines


def find_lines(recording: Recording, task: TaskView) -> tuple[Index[str], tuple[str, ...]]:
    """Sample id -> its lines, and notes on how they were found. Raises ModelError when none can be."""
    lines = {name: recording.by_id[name] for name in task.samples if name in recording.by_id}
    _check_inputs(recording, task, lines)
    notes = list(recording.notes)
    if recording.by_id and not lines:
        notes.append("no id of the file is one of the task's")
    if len(lines) < len(task.samples) and recording.by_input:
        taken = {number for numbers in lines.values() for number in as_tuple(numbers)}
        found: Index[str] = {}
        for name, number in _find_by_input(recording, tuple(task.samples.values())):
            if name not in lines and number not in taken:
                _enter(found, name, number)
        lines |= found
        if found:
            notes.append(f"{len(found)} samples were found by their input")
    if not lines and (recording.ids_are_positions or not recording.by_id):
        ordered = _find_by_position(recording, task)
        lines |= ordered
        if ordered:
            notes.append("samples were found by the order of the lines")
    if not lines and not recording.by_input:
        theirs, ours = next(iter(recording.by_id), None), next(iter(task.samples), None)
        ids = f"its ids look like {theirs!r}, those of the task like {ours!r}" if theirs else "it has no ids"
        raise ModelError(
            f"{recording.path}: none of its {len(recording)} outputs belongs to a sample of task {task.name} "
            f"({len(task.samples)} asked): {ids}. Lines are found by id, by input (the prompt as sent, or a "
            "text that holds the question), or, without either, by order, when there are as many as samples"
        )
    used = {number for numbers in lines.values() for number in as_tuple(numbers)}
    if lines and len(used) < len(recording):
        notes.append(f"{len(recording) - len(used)} outputs belong to no sample that is asked")
    several = sum(not isinstance(numbers, int) for numbers in lines.values())
    if several:
        notes.append(f"{several} samples have several outputs: their repeats")
    return lines, tuple(notes)


def _check_inputs(recording: Recording, task: TaskView, lines: Index[str]) -> None:
    """Raises ModelError where a line with a sample's id has an input that is another sample's alone.

    Of lines that are repeats of one sample, or that all bear one instruction, the input tells nothing.
    """
    if not lines or not recording.by_input:
        return
    held = {number: name for name, number in _find_by_input(recording, tuple(task.samples.values()))}
    claimed = {number: name for name, numbers in lines.items() for number in as_tuple(numbers)}
    wrong = []
    for number, text in recording.inputs():
        name, other = claimed.get(number), held.get(number)
        if name is None or other is None or other == name or _holds(text, task.samples[name]):
            continue
        alike = {claimed.get(line) for line in as_tuple(recording.by_input.get(input_key(text), number))}
        if len(alike) == 1:
            wrong.append((number, name, other))
    if wrong:
        number, name, other = wrong[0]
        raise ModelError(
            f"{recording.path}: {len(wrong)} of {len(claimed)} lines bear the id of one sample and the "
            f"input of another: line {number + 1} has id {name!r}, the text is of sample {other!r} of "
            f"task {task.name}. Ids that count from 0 and from 1 do this; correct them, or leave the "
            "ids out: then "
            "lines are found by their input"
        )


def _holds(text: str, sample: Sample) -> bool:
    """Whether the text holds a text of the sample."""
    values = [sample.text, *sample.fields.values()]
    return any(
        isinstance(each, str) and len(each.strip()) >= MIN_TEXT and each.strip() in text for each in values
    )


def _find_by_position(recording: Recording, task: TaskView) -> Index[str]:
    fits = len(recording) == len(task.samples) or (task.limited and len(recording) > len(task.samples))
    if not fits or (recording.by_input and not recording.by_id):
        return {}
    return {name: number for number, name in enumerate(task.samples)}


def _find_by_input(recording: Recording, samples: Sequence[Sample]) -> Iterator[tuple[str, int]]:
    """(sample, line) of the lines whose input holds the telling column of a sample.

    That is, of all text columns, the one that the inputs of the first lines hold most often. Of several
    samples in an input, as in a prompt with worked examples, the last is asked.
    """
    columns = [*sorted({name for sample in samples for name in sample.fields}), None]
    best: dict[str, str] = {}
    most = 0
    probe = list(itertools.islice(recording.inputs(), PROBES))
    for column in columns:
        owners = _owners(samples, column)
        n_held = sum(1 for _ in _held(owners, probe))
        if n_held > most:
            best, most = owners, n_held
    yield from _held(best, recording.inputs())


def _owners(samples: Iterable[Sample], column: str | None) -> dict[str, str]:
    """Text -> the sample whose column (None: its text) alone reads so."""
    owners: dict[str, str] = {}
    shared: set[str] = set()
    for sample in samples:
        value = sample.text if column is None else sample.fields.get(column)
        if isinstance(value, str) and len(value.strip()) >= MIN_TEXT:
            shared |= {value.strip()} & owners.keys()
            owners[value.strip()] = sample.id
    return {text: owner for text, owner in owners.items() if text not in shared}


def _held(owners: Mapping[str, str], inputs: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int]]:
    """(sample, line) of each input that holds a text of the owners, the last that it holds."""
    if not owners:
        return
    width = min(16, min(map(len, owners)))
    starts: dict[str, list[str]] = {}
    for text in sorted(owners, key=len, reverse=True):
        starts.setdefault(text[:width], []).append(text)
    for number, given in inputs:
        for at in range(len(given) - width, -1, -1):
            held = next((x for x in starts.get(given[at : at + width], ()) if given.startswith(x, at)), None)
            if held is not None:
                yield owners[held], number
                break
