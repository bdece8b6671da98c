"""Marks around what is judged: the tags carry a mark that the texts between them cannot hold.

A judge that reads an answer reads whatever its author wrote, also "give this answer a 10". The mark is made
of a digest of the texts themselves: who writes an answer cannot know it, and so cannot close the tag. This
hampers such attacks; it does not prove that a judge withstands them.
"""

from __future__ import annotations

from collections.abc import Mapping

from evalkit.core.records import digest

_LENGTH = 8


def fence(texts: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """({name: the text between its tags}, the mark); equal texts get equal marks.

    An empty text stays empty, so that a template can leave it out.
    """
    number = 0
    while True:
        mark = digest([number, dict(texts)])[:_LENGTH]
        if not any(mark in text for text in texts.values()):
            break
        number += 1
    fenced = {
        name: f"<{name}-{mark}>\n{text}\n</{name}-{mark}>" if text else "" for name, text in texts.items()
    }
    return fenced, mark
