"""The documents of a task: rows of a data file, or text files cut into passages."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.core.errors import DataError, list_names
from evalkit.core.language import clean_text
from evalkit.tasks.data import FORMATS, read_rows

TEXT_SUFFIXES = (".md", ".txt")
"""Files that are read as text and cut at blank lines."""
_LONGEST = 1200
"""Characters of a passage of a text file, where its paragraphs allow: some 300 tokens of English."""
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Document:
    """One passage that can be found."""

    id: str
    """Unique among the documents: the data's own, else the file's name and a number."""
    text: str
    """What is shown to the model."""
    title: str = ""
    """A heading; searched and shown; empty without one."""

    @property
    def shown(self) -> str:
        """Title and text as a prompt shows them."""
        return f"{self.title}\n{self.text}" if self.title else self.text


def read_documents(folder: Path, files: Sequence[str]) -> tuple[Document, ...]:
    """The documents in these files (names or globs inside the folder), in their order. Raises DataError.

    Rows of jsonl, json, csv, tsv or parquet have a column `text`, and may have `id` and `title`. Markdown and
    plain text is cut at blank lines into passages of at most about 1,200 characters; a Markdown heading is
    the title of what follows it.
    """
    found: list[Document] = []
    for name in files:
        for path in _paths(folder, name):
            found += _rows(path) if path.suffix.lower() not in TEXT_SUFFIXES else _passages(path)
    seen: set[str] = set()
    for document in found:
        if document.id in seen:
            raise DataError(f"documents: the id {document.id!r} stands twice; ids must be unique")
        seen.add(document.id)
    if not found:
        raise DataError(f"documents: {', '.join(files)} hold no text")
    return tuple(found)


def _paths(folder: Path, name: str) -> list[Path]:
    """The files of a name; none outside the folder."""
    root = folder.resolve()
    paths = sorted(folder.glob(name)) if _GLOB.search(name) else [folder / name]
    for path in paths:
        if not path.resolve().is_relative_to(root):
            raise DataError(f"documents: {name!r} leads outside the task's folder")
    if not paths:
        raise DataError(f"documents: {folder / name} fits no file")
    for path in paths:
        if not path.is_file():
            raise DataError(f"documents: {path} does not exist")
    return paths


def _rows(path: Path) -> Iterator[Document]:
    for number, row in enumerate(read_rows(path), start=1):
        text = row.get("text")
        if not isinstance(text, str) or not text.strip():
            raise DataError(
                f"{path}, row {number}: a document needs a column `text`; it has {list_names(row)} "
                f"(text files end in {' or '.join(TEXT_SUFFIXES)}, rows in {', '.join(FORMATS)})"
            )
        title = row.get("title")
        yield Document(
            str(row.get("id", f"{path.stem}#{number}")), text, title if isinstance(title, str) else ""
        )


def _passages(path: Path) -> Iterator[Document]:
    try:
        whole = clean_text(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    title, piece, number = "", "", 0
    for block in [*re.split(r"\n\s*\n", whole), "# "]:
        block = block.strip("\n")
        heading = re.match(r"#{1,6}[ \t]+(.*)|#\s*$", block) if path.suffix.lower() == ".md" else None
        last = block == "# "
        if piece and (heading or last or len(piece) + len(block) > _LONGEST):
            number += 1
            yield Document(f"{path.name}#{number}", piece, title)
            piece = ""
        if last:
            return
        if heading:
            title = (heading[1] or "").strip()
            block = block[heading.end() :].strip("\n")
        if block.strip():
            piece = f"{piece}\n\n{block}" if piece else block
