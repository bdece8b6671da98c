"""How a text file is to be read: its encoding and delimiter, named by the user and never guessed; its lines,
bounded."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evalkit.core.encodings import guess
from evalkit.core.errors import DataError

LONGEST_LINE = 64 * 1024**2
"""Bytes, or characters, in one line or cell: more than any sample has, and what is kept at once."""
LARGEST_WHOLE = 512 * 1024**2
"""Bytes of a file that can only be read as a whole, once it is unpacked."""
_MOST_BLANK = 1_000_000
"""Lines in a row that hold nothing: a .gz of a few MB unpacks to thousands of millions."""
_POINTERS = {b"version https://git-lfs": "Git LFS", b"/annex/objects/": "git-annex"}
_CURES = {"Git LFS": "git lfs pull", "git-annex": "git annex get"}
_NO_TEXT = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"})
"""Codecs that are no encodings of files, or let one text stand for another."""


@dataclass(frozen=True)
class Form:
    """What a user says of a data file that its bytes do not say."""

    encoding: str | None = None
    """A name that Python knows, such as gb18030, utf-16 or cp1252; None is UTF-8."""
    delimiter: str | None = None
    """The character between columns of csv and tsv; None is what the suffix says."""

    def __bool__(self) -> bool:
        """Whether anything is said."""
        return self.encoding is not None or self.delimiter is not None

    def check(self, kind: str, where: object) -> None:
        """Nothing where both can be used on a file of this format. Raises DataError."""
        problem = encoding_problem(self.encoding) or delimiter_problem(self.delimiter)
        if problem is None and self.encoding is not None and kind == "parquet":
            problem = "parquet knows the encoding of its texts; leave `encoding` out"
        if problem is None and self.delimiter is not None and kind not in ("csv", "tsv"):
            problem = f"`delimiter` is for csv and tsv, not for {kind}"
        if problem is not None:
            raise DataError(f"{where}: {problem}")

    @property
    def codec(self) -> str:
        """The name of the codec; a byte order mark of UTF-8 is no content."""
        name = self.encoding or "utf-8"
        return "utf-8-sig" if _normal(name) in ("utf-8", "utf8") else name


AS_IT_IS = Form()
"""UTF-8, and the delimiter of the suffix."""


@dataclass(frozen=True)
class DataFile:
    """A data file, or a folder of them, with what is said of it."""

    path: Path
    form: Form = AS_IT_IS

    @classmethod
    def of(cls, given: Path | DataFile) -> DataFile:
        """What is given, a path alone as it is."""
        return given if isinstance(given, DataFile) else cls(given)


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def encoding_problem(name: str | None) -> str | None:
    """What is wrong with the name of an encoding; None where nothing is."""
    if name is None:
        return None
    try:
        if _normal(name) in _NO_TEXT:
            raise LookupError
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        return f"no encoding {name[:40]!r}; names are such as utf-8, gb18030, gbk, big5, utf-16, cp1252"
    return None


def delimiter_problem(text: str | None) -> str | None:
    """What is wrong with a delimiter; None where nothing is."""
    if text is None or (len(text) == 1 and text not in '"\r\n\0\ufeff '):
        return None
    return f"`delimiter` is one character, such as ';', '|' or a tab (\\t), not {text[:20]!r}"


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked where it ends in .gz."""
    if path.suffix.lower() == ".gz":
        import gzip

        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def check_content(path: Path) -> None:
    """Nothing where the file may be data. Raises DataError for a file that stands for data elsewhere."""
    with path.open("rb") as file:
        problem = pointer_problem(file.read(64))
    if problem is not None:
        raise DataError(f"{path} {problem}")


def pointer_problem(head: bytes) -> str | None:
    """What is wrong with a file that begins so, where it only stands for another; None where it does not."""
    for start, tool in _POINTERS.items():
        if head.startswith(start):
            return f"is a pointer of {tool}, not the file itself; fetch that with: {_CURES[tool]}"
    return None


def read_whole(path: Path) -> bytes:
    """All bytes of a file that has no lines, unpacked. Raises DataError where they are too many."""
    with open_bytes(path) as file:
        content = file.read(LARGEST_WHOLE + 1)
    if len(content) > LARGEST_WHOLE:
        raise DataError(
            f"{path}: more than {LARGEST_WHOLE // 1024**2} MiB, which would be read at once; "
            "write it as jsonl, which is read line by line"
        )
    return content


def byte_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number from 1, line) of the lines that are not blank. Raises DataError where one has no end."""
    blank = 0
    with open_bytes(path) as file:
        read = functools.partial(file.readline, LONGEST_LINE + 1)
        for number, line in enumerate(iter(read, b""), start=1):
            if len(line) > LONGEST_LINE:
                raise _too_long(path, number)
            if line.isspace():
                blank = _count_blank(blank, path, number)
                continue
            blank = 0
            yield number, line


def text_lines(path: Path, form: Form, newline: str) -> Iterator[str]:
    """The lines of a text file, blank ones too. Raises DataError where one has no end or no such encoding.

    `newline` is that of io.TextIOWrapper.
    """
    blank = number = 0
    with open_bytes(path) as raw:
        text = io.TextIOWrapper(raw, encoding=form.codec, newline=newline)
        read = functools.partial(text.readline, LONGEST_LINE + 1)
        try:
            for number, line in enumerate(iter(read, ""), start=1):
                if len(line) > LONGEST_LINE:
                    raise _too_long(path, number)
                blank = _count_blank(blank, path, number) if line.isspace() else 0
                yield line.removeprefix("\ufeff") if number == 1 else line
        except UnicodeError as error:
            raise undecodable(path, form, number + 1, error) from error


def _count_blank(blank: int, path: Path, number: int) -> int:
    if blank >= _MOST_BLANK:
        raise DataError(f"{path}, line {number}: {_MOST_BLANK:,} lines with nothing in them; this is no data")
    return blank + 1


def _too_long(path: Path, number: int) -> DataError:
    return DataError(
        f"{path}, line {number}: longer than {LONGEST_LINE // 1024**2} MiB, which no sample needs; "
        "is a line break missing?"
    )


def undecodable(path: Path, form: Form, number: int, error: UnicodeError) -> DataError:
    """The error of a file that is not in the encoding it should be in, with the cure and a guess."""
    if _normal(form.codec)[:6] not in ("utf-16", "utf-32"):
        number = _undecodable_line(path, form) or number
    named = form.encoding or "UTF-8 (utf-8)"
    reason = getattr(error, "reason", str(error))
    return DataError(f"{path}, line {number}: not {named}: {reason}. {cure(path)}")


def likely(path: Path) -> str:
    """Which encoding the file may be in, as a sentence with a final space; empty where nothing is known."""
    names = _guesses(path)
    if not names:
        return ""
    return (
        f"By its bytes it may be {' or '.join(names)} (a guess of charset-normalizer: look whether the text "
        "is right). "
    )


def _guesses(path: Path) -> tuple[str, ...]:
    with open_bytes(path) as file:
        return guess(file.read(2 * 1024**2))


def cure(path: Path) -> str:
    """How to name the encoding of a file, and which it may be."""
    name = next(iter(_guesses(path)), "gb18030")
    return f"{likely(path)}Name it: `encoding: {name}` beside `file:` in task.yaml, or --encoding {name}"


def _undecodable_line(path: Path, form: Form) -> int | None:
    """The first line that cannot be decoded: text is decoded in blocks, so that the reader cannot tell."""
    with open_bytes(path) as file:
        for number, line in enumerate(iter(functools.partial(file.readline, LONGEST_LINE), b""), start=1):
            try:
                line.decode(form.codec)
            except UnicodeError:
                return number
    return None
