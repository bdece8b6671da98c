"""What is kept of a command: its words, and of each file it wrote a digest for every part of it.

A diff then tells what changed: a score, an answer, a prompt, a request, the script of a page or its numbers.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from commands import Step

SHOWN = 60
"""Lines of output that are kept word for word; of a longer one the first, and a digest of all."""
WIDTH = 200
"""Characters of a line that are kept."""
_DIGITS = re.compile(r"(?<![\w.])-?\d+\.\d{7,}(?:e[+-]?\d+)?")
_VERSIONS = (
    (re.compile(r"(?<=version:)\d+\.\d+(?:\.\d+)*"), "<v>"),
    (re.compile(r"(?<=evalkit )\d+\.\d+\.\d+\S*"), "<v>"),
    (re.compile(r'(?<="version":")\d+\.\d+\.\d+(?=")'), "<v>"),
    (re.compile(r'(?<="version": ")\d+\.\d+\.\d+(?=")'), "<v>"),
)
_TIMES = (
    (re.compile(r"\b\d+(?:\.\d+)? (?:ms|s)\b(?=[ ,.;)]|$)", re.MULTILINE), "<time>"),
    (re.compile(r"20(?!26-01-01)\d\d-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|\+00:00)?"), "<when>"),
    (re.compile(r'(?<="latency_s":)[\d.e-]+'), "0"),
    # The last word of an exported entry of the cache, which is a digest of when it was made too.
    (re.compile(r'(?<=\},"digest":")[0-9a-f]{64}(?="\}$)', re.MULTILINE), "<digest>"),
)


def normalise(text: str, home: Path) -> str:
    """The text without paths, times and versions, floats to nine digits."""
    for name, word in ((f"{home}/work", "<here>"), (str(home), "<home>"), (_package(), "<evalkit>")):
        text = text.replace(name, word)
    for pattern, word in (*_VERSIONS, *_TIMES):
        text = pattern.sub(word, text)
    return _DIGITS.sub(lambda found: f"{float(found[0]):.9g}", text)


def _package() -> str:
    import evalkit

    return str(Path(evalkit.__file__).parent.parent)


def describe(
    step: Step, code: int, out: str, err: str, workspace: Path, changed: Sequence[str], gone: Sequence[str]
) -> str:
    """Everything that is kept of a step."""
    lines = [f"$ {'python' if step.python else 'evalkit'} {step.line.strip()}", f"exit {code}"]
    home = workspace.parent
    for name, text in (("stdout", out), ("stderr", err)):
        if text and not step.volatile:
            lines += ["", *_shown(name, normalise(text, home))]
    files = [line for path in changed for line in _file(workspace, path)]
    if files or gone:
        lines += ["", "--- files", *files, *(f"{path}: gone" for path in gone)]
    return "\n".join(lines) + "\n"


def _shown(name: str, text: str) -> Iterator[str]:
    lines = text.splitlines()
    yield f"--- {name}: {len(lines)} lines, {digest(text)}"
    for line in lines[:SHOWN]:
        yield line if len(line) <= WIDTH else f"{line[:WIDTH]}... {digest(line)}"
    if len(lines) > SHOWN:
        yield "..."


def digest(content: Any) -> str:
    """Twelve digits of the SHA-256 of a text, or of what JSON makes of it."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _file(workspace: Path, path: str) -> Iterator[str]:
    raw = (workspace / path).read_bytes()
    home = workspace.parent
    try:
        text = normalise(raw.decode("utf-8"), home)
    except UnicodeDecodeError:
        yield f"{path}: {len(raw)} bytes that are no text"
        return
    if path.endswith("run.json"):
        yield from _run(path, json.loads(text))
    elif "/samples/" in path and path.endswith(".jsonl"):
        yield from _samples(path, [json.loads(line) for line in text.splitlines()])
    elif path.endswith(".html"):
        yield from _page(path, raw.decode("utf-8"), home)
    else:
        yield f"{path}: {len(text.splitlines())} lines, {digest(text)}"


def _run(path: str, run: dict[str, Any]) -> Iterator[str]:
    plain = {key: value for key, value in run.items() if not isinstance(value, dict | list)}
    yield f"{path}: {', '.join(f'{key} {value}' for key, value in plain.items() if key != 'command')}"
    for key in ("tasks", "models", "groups", "judges", "versions", "errors", "rescored", "request"):
        if run.get(key):
            yield f"  {key}: {digest(run[key])}"
    for cell in run["cells"]:
        counts = ", ".join(f"{n} {name}" for name, n in cell["counts"].items() if n)
        asked = digest([cell.get(key) for key in ("prompt_digest", "data_digest", "asked_digest", "params")])
        rest = {key: value for key, value in cell.items() if key not in ("metrics", "counts")}
        yield f"  {cell['slug']}: {counts}; asked {asked}, all but the metrics {digest(rest)}"
        for name, value in cell["metrics"].items():
            ends = value["interval"] and " .. ".join(f"{end:.6g}" for end in value["interval"])
            number = "none" if value["value"] is None else f"{value['value']:.6g}"
            yield f"    {name} {number} ({ends}), {value['signature']}: {digest(value)}"


def _samples(path: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    keys = sorted({key for row in rows for key in row})
    parts = [f"{key} {digest([row.get(key) for row in rows])}" for key in keys]
    yield f"{path}: {len(rows)} lines"
    for start in range(0, len(parts), 5):
        yield f"    {', '.join(parts[start : start + 5])}"


_BLOCK = re.compile(r"<(script|style)([^>]*)>(.*?)</\1>", re.DOTALL)

PROGRAMS: dict[str, str] = {}
"""What pages share (scripts, styles, the words in two languages): digest -> the page where it was first."""


def _page(path: str, text: str, home: Path) -> Iterator[str]:
    """The digests of the markup and of the data inside; scripts and styles are told once for all pages."""
    markup = normalise(_BLOCK.sub(r"<\1\2>", text), home)
    data: dict[str, list[str]] = {}
    for kind, attributes, body in _BLOCK.findall(text):
        name = re.search(r'(?:id|class)="([^"]*)"', attributes)
        content = normalise(_unpacked(body), home)
        if name and name[1] != "texts":
            data.setdefault(name[1], []).append(content)
        else:
            PROGRAMS.setdefault(digest(content), f"{path}: {kind} {name[1] if name else ''}".rstrip())
    parts = [f"markup {digest(markup)}", *(f"{name} {digest(texts)}" for name, texts in data.items())]
    yield f"{path}: {len(markup.splitlines())} lines, {', '.join(parts)}"


def _unpacked(body: str) -> str:
    """The text of a block; packed data unpacked, since packing differs between versions of zlib."""
    try:
        data = base64.b64decode(body.strip(), validate=True)
    except ValueError:
        return body
    for unpack in (gzip.decompress, zlib.decompress, lambda raw: zlib.decompress(raw, -15)):
        try:
            return unpack(data).decode("utf-8")
        except (OSError, zlib.error, UnicodeDecodeError, EOFError):
            continue
    return body
