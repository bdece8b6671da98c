"""Which encoding the bytes of a text may be in: a hint in an error, never what a file is read with."""

from __future__ import annotations

_MOST_BYTES = 20_000
"""Bytes that are looked at; time grows with them."""
_MOST_NAMES = 3
_WIDE = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}


def guess(content: bytes) -> tuple[str, ...]:
    """The likeliest encodings, best first; empty where nothing can be said.

    Only lines with bytes beyond ASCII tell anything: a file that is mostly ASCII is misread by the rest.
    """
    for mark, name in _WIDE.items():
        if content.startswith(mark):
            return (name,)
    if b"\0" in content[:1000]:
        return ("utf-16-le",) if content[1:2] == b"\0" else ("utf-16-be",)
    telling = b"\n".join(line for line in content.splitlines() if not line.isascii())[:_MOST_BYTES]
    if not telling:
        return ()
    from charset_normalizer import from_bytes

    names = [match.encoding for match in from_bytes(telling)]
    names = [name for name in names if name not in ("utf_8", "ascii")][:_MOST_NAMES]
    return tuple(sorted(names, key=lambda name: name != "gb18030"))  # it is often taken for Korean, cp949
