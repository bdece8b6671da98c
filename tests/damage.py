"""Files damaged at random, as disks, editors, tools and hostile hands do it: the same damage for a seed."""

from __future__ import annotations

import json
import random
from typing import Any

import yaml

ODD: list[Any] = [
    None, True, False, 0, -1, 1, 2, 10**9, 2**63, 2**64, -(2**70), 10**400, 0.5, -0.0, 1e308, 1e-320,
    float("nan"), float("inf"), float("-inf"), "", " ", "0", "nan", "x", "x" * 3000, "\ud800", "\x00", "a\nb",
    "../../etc/passwd", "/etc/passwd", "{{ 1 }}", "${x}", "é" * 40, "2024-13-45T99:99:99", "[bold]", "‮abc",
    [], {}, [None], [[]], {"": None}, {"a": {"b": []}}, [1, "a", None], ["x"] * 200, {"x": float("nan")},
]  # fmt: skip

TEXTS = [
    b"", b"\n", b"\x00", b"null", b"[]", b"{}", b"NaN", b"1e999", b'"x"', b"[" * 3000, b'{"a":' * 3000,
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"9" * 6000, b" " * 3000, b"{" * 50 + b"}" * 50, b"\r",
    b",", b"-", b"&a [*a]", b"!!python/object:os.system x", b"\t", b"# x", b"1e400", b'{"a":1,"a":2}',
    b"\x1b[31m",
]  # fmt: skip


def damage(content: bytes, rng: random.Random, name: str) -> bytes:
    """The content with one to three faults: in its values where it is JSON or YAML, or in its bytes."""
    for _ in range(rng.randint(1, 3)):
        by_value = rng.random() < 0.75
        changed = _damage_values(content, rng, name) if by_value else None
        content = _damage_bytes(content, rng) if changed is None else changed
    return content


def _damage_values(content: bytes, rng: random.Random, name: str) -> bytes | None:
    lines = content.split(b"\n") if name.endswith(".jsonl") else [content]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return None
    number = rng.choice(filled)
    try:
        is_yaml = name.endswith((".yaml", ".yml"))
        value = yaml.safe_load(lines[number]) if is_yaml else json.loads(lines[number])
    except (ValueError, yaml.YAMLError, RecursionError):
        return None
    value = _change(value, rng)
    try:
        if is_yaml:
            lines[number] = yaml.safe_dump(value, sort_keys=False).encode("utf-8", "replace")
        else:
            lines[number] = json.dumps(value).encode()
    except (ValueError, yaml.YAMLError, RecursionError, TypeError):
        return None
    return b"\n".join(lines)


def _change(value: Any, rng: random.Random) -> Any:
    """The value with one of its parts replaced, left out, renamed or doubled."""
    places = list(_places(value))
    if not places or rng.random() < 0.03:
        return rng.choice(ODD)
    holder, key = rng.choice(places)
    kind = rng.random()
    if kind < 0.6:
        holder[key] = rng.choice(ODD)
    elif kind < 0.8:
        del holder[key]
    elif kind < 0.9 and isinstance(holder, dict):
        holder[str(rng.choice(["", "x", f"{key}s", "id", "name"]))] = holder.pop(key)
    else:
        other, place = rng.choice(places)
        holder[key] = other[place]
    return value


def _places(value: Any, depth: int = 0) -> Any:
    if depth > 12 or not isinstance(value, dict | list):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from _places(value[key], depth + 1)


def _damage_bytes(content: bytes, rng: random.Random) -> bytes:
    place = rng.randint(0, len(content))
    kind = rng.randrange(6)
    if kind == 0:
        return content[:place]
    if kind == 1:
        return content[:place] + rng.choice(TEXTS) + content[place:]
    if kind == 2:
        return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
    if kind == 3:
        return content[:place] + content[place + rng.randint(1, 40) :]
    if kind == 4:
        end = min(len(content), place + rng.randint(1, 200))
        return content[:end] + content[place:end] + content[end:]
    return rng.choice(TEXTS)
