"""What the page's script sees of shards: the same steps as templates/js/shards.js, in Python."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.pages.shards import Shard


def unpack(content: str) -> dict[str, Any]:
    """A block of a page, decoded."""
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(content)))
    return found


def read_shard(shard: Shard) -> dict[str, Any]:
    """The index of a shard, and its samples with their texts under `samples`."""
    return _filled(unpack(shard.content), [unpack(chunk) for chunk in shard.chunks])


def read_shards(html: str) -> list[dict[str, Any]]:
    """The shards of a page."""
    indexes = re.findall(r'class="shard"[^>]*>([^<]*)</script>', html)
    chunks: dict[int, list[dict[str, Any]]] = {}
    for place, content in re.findall(r'class="chunk" data-chunk="(\d+)\.\d+">([^<]*)</script>', html):
        chunks.setdefault(int(place), []).append(unpack(content))
    return [_filled(unpack(index), chunks.get(place, [])) for place, index in enumerate(indexes)]


def letters(index: Mapping[str, Any], text: str) -> list[str]:
    """The letters of a sample's verdicts, a text for each model."""
    return text.split(",")[: len(index["models"])] if "," in text else list(text)


def _filled(index: dict[str, Any], chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    assert index["sizes"] == [len(chunk["counts"]) for chunk in chunks]
    samples: list[dict[str, Any]] = []
    for chunk in chunks:
        at = 0
        for offset, n in enumerate(chunk["counts"]):
            place = len(samples)
            codes = [
                (model, *index["codes"][ord(letter) - ord("a")])
                for model, own in enumerate(letters(index, index["verdicts"][place]))
                for letter in own
            ]
            sample = {"id": index["ids"][place], "snippet": index["snippets"][place]}
            sample |= _row(chunk["samples"], offset)
            sample["answers"] = []
            for model, verdict, status in codes:
                answer = {"m": model, "v": verdict, **_row(chunk["answers"], at)}
                answer |= {} if status == "ok" else {"status": status}
                for name in ("usage", "scores"):
                    if row := _row(chunk[name], at):
                        answer[name] = {key: None if value == "" else value for key, value in row.items()}
                if "p" in answer:
                    answer["prompt"] = [
                        [part[0], sample["snippet"].join(part[1:])]
                        for part in chunk["prompts"][answer.pop("p")]
                    ]
                sample["answers"].append(answer)
                at += 1
            assert len(codes) == n
            samples.append(sample)
    return {**index, "samples": samples}


def _row(columns: Mapping[str, Sequence[Any]], at: int) -> dict[str, Any]:
    return {name: column[at] for name, column in columns.items() if column[at] is not None}
