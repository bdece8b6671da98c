"""Text files that are not UTF-8, columns that no comma parts: read when named; else the cure is told."""

from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from factories import make_task, write_task

from evalkit.core.errors import DataError, EvalkitError, ModelError
from evalkit.models.recording import COLUMNS, Recording
from evalkit.running.selection import replace_data
from evalkit.tasks.data import DataFile, Form, read_rows
from evalkit.tasks.images import image_urls

CHINESE = [
    {"id": "1", "question": "法国的首都是哪一座城市？", "answer": "巴黎"},
    {"id": "2", "question": "春天以后，是哪一个季节？", "answer": "夏天，天气很热"},
]
FRENCH = [{"id": "1", "question": "Où est l'élève né à Orléans ?", "answer": "à côté du café"}]
ROWS = {
    "gbk": CHINESE,
    "gb18030": CHINESE,
    "big5": [{"id": "1", "question": "法國的首都是哪裡？", "answer": "巴黎"}],
    "utf-16": CHINESE,
    "utf-16-le": CHINESE,
    "utf-8": CHINESE,
    "cp1252": FRENCH,
    "shift_jis": [{"id": "1", "question": "フランスの首都は？", "answer": "パリ"}],
}


def text_of(rows: list[dict[str, str]], kind: str, delimiter: str = ",") -> str:
    """The rows as the text of a file."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if kind == "json":
        return json.dumps(rows, ensure_ascii=False)
    return "".join(delimiter.join(line) + "\r\n" for line in ([*rows[0]], *(row.values() for row in rows)))


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv", "csv.gz"])
@pytest.mark.parametrize("encoding", ROWS)
def test_a_named_encoding_is_read(tmp_path: Path, encoding: str, kind: str) -> None:
    """Every text format, packed or not, with or without a byte order mark of its own."""
    rows = ROWS[encoding]
    content = text_of(rows, kind.split(".")[0], "\t" if kind == "tsv" else ",").encode(encoding)
    file = tmp_path / f"x.{kind}"
    file.write_bytes(gzip.compress(content) if kind.endswith("gz") else content)
    assert list(read_rows(file, Form(encoding))) == rows


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv"])
@pytest.mark.parametrize(
    ("encoding", "guessed"),
    [("gbk", "gb18030"), ("utf-16", "utf-16"), ("cp1252", "cp125"), ("utf-16-le", "utf-16-le")],
)
def test_an_unnamed_encoding_is_an_error_with_the_cure(
    tmp_path: Path, encoding: str, guessed: str, kind: str
) -> None:
    """It says file and line, what the encoding may be, and how to name it; nothing is read by the guess."""
    file = tmp_path / f"x.{kind}"
    file.write_bytes(text_of(ROWS[encoding], kind).encode(encoding))
    with pytest.raises(DataError, match=rf"x\.{kind}.*`encoding: .*--encoding ") as caught:
        list(read_rows(file))
    assert guessed in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_guess_looks_at_what_is_not_ascii(tmp_path: Path) -> None:
    """A few Chinese cells among much English are still told, and the line is the first that fails."""
    lines = [f"{n},What is the sum of {n} and {n}?,{2 * n}" for n in range(500)]
    content = "\n".join(
        ["id,question,answer", *lines]
    ).encode() + "\n501,法国的首都是哪一座城市？,巴黎\n".encode("gbk")
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"x\.csv, line 502: not UTF-8.*may be gb18030"):
        list(read_rows(tmp_path / "x.csv"))


def test_the_wrong_encoding_is_an_error(tmp_path: Path) -> None:
    """A name that does not fit the bytes names the line, too."""
    (tmp_path / "x.csv").write_bytes(text_of(CHINESE, "csv").encode("gbk"))
    with pytest.raises(DataError, match=r"x\.csv, line 2: not shift_jis.*gb18030"):
        list(read_rows(tmp_path / "x.csv", Form("shift_jis")))


@pytest.mark.parametrize(
    "encoding", ["gbx", "rot13", "base64", "punycode", "idna", "unicode_escape", "", "a\0b"]
)
def test_what_is_no_encoding_is_an_error(tmp_path: Path, encoding: str) -> None:
    """Names that Python does not know, and codecs that are none of text files."""
    file = write_task(tmp_path, data={"file": "samples.jsonl", "encoding": encoding})
    with pytest.raises(EvalkitError, match="no encoding"):
        make_task(tmp_path, data={"file": "samples.jsonl", "encoding": encoding})
    assert file.is_file()


@pytest.mark.parametrize("delimiter", [";", "|", "\t", "，"])
def test_a_named_delimiter_is_read(tmp_path: Path, delimiter: str) -> None:
    """As Excel writes csv in half of Europe."""
    (tmp_path / "x.csv").write_text(text_of(FRENCH, "csv", delimiter))
    assert list(read_rows(tmp_path / "x.csv", Form(delimiter=delimiter))) == FRENCH


@pytest.mark.parametrize(("delimiter", "shown"), [(";", '";"'), ("|", '"|"'), ("\t", '"\\t"')])
def test_another_delimiter_is_an_error_with_the_cure(tmp_path: Path, delimiter: str, shown: str) -> None:
    """A head that is one column with a semicolon in it is no column; Excel's `sep=` line is none either."""
    (tmp_path / "x.csv").write_text(text_of(FRENCH, "csv", delimiter))
    with pytest.raises(DataError, match="line 1: the head is one column, ") as caught:
        list(read_rows(tmp_path / "x.csv"))
    assert f"`delimiter: {shown}`" in str(caught.value)
    (tmp_path / "x.csv").write_text(f"sep={delimiter}\n" + text_of(FRENCH, "csv", delimiter))
    assert list(read_rows(tmp_path / "x.csv", Form(delimiter=delimiter))) == FRENCH


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"file": "x.parquet", "encoding": "gbk"}, "parquet knows the encoding"),
        ({"file": "x.jsonl", "delimiter": ";"}, "`delimiter` is for csv and tsv, not for jsonl"),
        ({"file": "x.csv", "delimiter": ";;"}, "`delimiter` is one character"),
        ({"file": "x.csv", "delimiter": '"'}, "`delimiter` is one character"),
        ({"hub": "owner/x", "encoding": "gbk"}, "are of a `file:`; there is none"),
    ],
)
def test_no_option_means_nothing(tmp_path: Path, data: dict[str, Any], message: str) -> None:
    """What does not fit the file is refused."""
    if "file" in data:
        (tmp_path / "x").mkdir()
        (tmp_path / "x" / data["file"]).write_text("x")
    with pytest.raises(EvalkitError, match=message):
        list(make_task(tmp_path / "x", data=data).samples())


def test_task_yaml_names_the_form_of_samples_and_of_worked_examples(tmp_path: Path) -> None:
    """Each file has its own; local data in their place bring theirs."""
    write_task(tmp_path)
    (tmp_path / "x.csv").write_bytes(text_of(CHINESE, "csv", ";").encode("gbk"))
    (tmp_path / "shots.csv").write_bytes(text_of(CHINESE, "csv", "|").encode("utf-16"))
    task = make_task(
        tmp_path,
        data={"file": "x.csv", "encoding": "gbk", "delimiter": ";"},
        few_shot={"file": "shots.csv", "encoding": "utf-16", "delimiter": "|"},
    )
    answers = [row["answer"] for row in CHINESE]
    assert [sample.target[0] for sample in task.samples()] == answers
    assert [shot.target[0] for shot in task.few_shot_pool()] == answers
    (tmp_path / "y.csv").write_text(text_of(CHINESE, "csv"))
    (plain,) = replace_data([task], {"sums": tmp_path / "y.csv"})
    (tabbed,) = replace_data([task], {"sums": DataFile(tmp_path / "x.csv", Form("gb18030", ";"))})
    for other in (plain, tabbed):
        assert [sample.target[0] for sample in other.samples()] == answers


def test_the_command_line_names_the_form_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--data NAME=PATH --encoding --delimiter`; without data they mean nothing and are refused."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "tasks" / "sums")
    (tmp_path / "x.csv").write_bytes(text_of(CHINESE, "csv", ";").encode("gbk"))
    form = ["--encoding", "gbk", "--delimiter", ";"]
    shown = evalkit_command("tasks", "preview", "sums", "--data", "sums=x.csv", *form)
    assert "首都" in shown.stdout
    alone = evalkit_command("tasks", "preview", "sums", *form)
    assert (alone.returncode, "there are none" in alone.stderr) == (2, True)
    wrong = evalkit_command("tasks", "preview", "sums", "--data", "sums=x.csv", "--encoding", "gbx")
    assert (wrong.returncode, "no encoding 'gbx'" in wrong.stderr) == (2, True)


def evalkit_command(*words: str) -> subprocess.CompletedProcess[str]:
    """What the command says."""
    return subprocess.run(
        [sys.executable, "-m", "evalkit", *words],
        capture_output=True,
        text=True,
        check=False,
        encoding="utf-8",
    )


def test_recorded_outputs_may_be_in_another_encoding(tmp_path: Path) -> None:
    """`options: {encoding: gbk}` of a replay; without it the error names the cure."""
    file = tmp_path / "r.jsonl"
    file.write_bytes('{"id": "1", "output": "法国的首都是巴黎这座城市"}\n'.encode("gbk"))
    assert Recording.open(file, COLUMNS, None, Form("gbk")).row(0)["output"].startswith("法国")
    with pytest.raises(ModelError, match=r"may be gb18030.*options: \{encoding: gb18030\}"):
        Recording.open(file, COLUMNS, None)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"


@pytest.mark.parametrize("name", ["x.jsonl", "x.csv", "x.parquet", "x.json.gz"])
def test_a_pointer_is_not_the_data(tmp_path: Path, name: str) -> None:
    """What a clone without Git LFS holds in place of a file is told as that."""
    (tmp_path / name).write_bytes(POINTER)
    with pytest.raises(DataError, match=r"is a pointer of Git LFS, not the file itself; .* git lfs pull"):
        list(read_rows(tmp_path / name))


PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 8
IMAGES = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0" + b"\0" * 8,
    "gif": b"GIF89a" + b"\0" * 8,
    "webp": b"RIFF\0\0\0\0WEBPVP8 ",
}


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x", "x.dat"])
def test_an_image_is_told_by_its_bytes(tmp_path: Path, name: str, kind: str) -> None:
    """A JPEG that is called .png is sent as a JPEG: providers refuse what contradicts its type."""
    (tmp_path / name).write_bytes(IMAGES[kind])
    encoded = base64.b64encode(IMAGES[kind]).decode()
    assert image_urls(name, tmp_path, "here") == [f"data:image/{kind};base64,{encoded}"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty: it has 0 bytes"),
        (POINTER, "is a pointer of Git LFS.*git lfs pull"),
        (b"<!DOCTYPE html><html>Not found", "is a web page"),
        (b"BM" + b"\0" * 20, "is BMP, which models do not take; use png, jpeg, gif or webp"),
        (b"<svg xmlns='x'/>", "is SVG"),
        (b"secret=1\n", "is no image by its first bytes"),
    ],
)
def test_what_is_no_image_is_not_sent(tmp_path: Path, content: bytes, message: str) -> None:
    """Whatever its name says; the error names the cure."""
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(EvalkitError, match=message):
        image_urls("x.png", tmp_path, "here")
