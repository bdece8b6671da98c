"""Images of a sample as addresses that a server takes; a file of the task's folder becomes a data address."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from evalkit.core.errors import PromptError
from evalkit.core.form import pointer_problem

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
"""How files of a type begin, by their specifications; a name may say anything. WebP is a RIFF container."""
_OTHERS = ((b"BM", "BMP"), (b"II*\0", "TIFF"), (b"MM\0*", "TIFF"), (b"%PDF", "PDF"), (b"<svg", "SVG"))
"""What people send as images and no provider takes."""
_MOST_BYTES = 20_000_000
"""What the large providers take for one image, and more."""


def image_urls(value: Any, folder: Path | None, where: str) -> list[str]:
    """The addresses of one image or a list of them; none where the value is empty. Raises PromptError.

    `folder` is the task's, and None where a value is not to be trusted to name a file. A file outside of it
    is never read, whatever the data say.
    """
    if value is None or value == "":
        return []
    if isinstance(value, list | tuple):
        return [url for item in value for url in image_urls(item, folder, where)]
    if not isinstance(value, str):
        raise PromptError(f"{where}: an image is an address or a file name, not {type(value).__name__}")
    scheme = value[:16].lower()
    if scheme.startswith(("https://", "http://", "data:image/")):
        return [value]
    if folder is None or "://" in value or scheme.startswith(("data:", "file:")):
        raise PromptError(
            f"{where}: {value[:80]!r} is no http(s) or data:image address; a column may name a file"
        )
    return [_data_url(value, folder, where)]


def _data_url(name: str, folder: Path, where: str) -> str:
    try:
        home = folder.resolve()
        file = (home / name).resolve()
        if not file.is_relative_to(home):
            raise PromptError(f"{where}: image {name[:80]!r} is outside the task's folder {folder}")
        if file.stat().st_size > _MOST_BYTES:
            raise PromptError(f"{where}: image {file} is larger than {_MOST_BYTES:,} bytes")
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise PromptError(f"{where}: image {name[:80]!r} cannot be read: {error}") from error
    kind = image_type(content)
    if kind is None:
        raise PromptError(f"{where}: image {name[:80]!r} {_what_else(content)}")
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def image_type(content: bytes) -> str | None:
    """png, jpeg, gif or webp, by the first bytes; None for everything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return next((kind for mark, kind in _MARKS if content.startswith(mark)), None)


def _what_else(content: bytes) -> str:
    """What a file is that is no image which can be sent, and the cure."""
    if not content:
        return "is empty: it has 0 bytes; was it copied or downloaded to its end?"
    pointer = pointer_problem(content[:64])
    if pointer is not None:
        return pointer
    head = content[:512].lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html")):
        return "is a web page, not an image; was it downloaded from the right address?"
    other = next((kind for mark, kind in _OTHERS if content.startswith(mark)), None)
    if other is None and head.startswith(b"<?xml") and b"<svg" in head:
        other = "SVG"
    told = f"is {other}, which models do not take" if other else "is no image by its first bytes"
    return f"{told}; use png, jpeg, gif or webp"
