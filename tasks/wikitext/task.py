"""WikiText as articles of running text: its marks of tokenisation are undone."""

import re

from evalkit.tasks.data import read_rows

_HEADING = re.compile(r" ?= [^=].* [^=]?= ?")


def load_samples(path):
    """The articles of a local file: lines of tokens as published, or any file with the column page."""
    if path.suffix in (".txt", ".tokens", ".raw"):
        article = []
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if _HEADING.fullmatch(line.rstrip("\n")) and article and any(map(str.strip, article)):
                yield {"page": "".join(article)}
                article = []
            article.append(line)
        yield {"page": "".join(article)}
    else:
        yield from read_rows(path)


def map_row(row):
    """The article as `text`, without the blanks that its tokenisation put in; None for an empty one."""
    text = row["page"]
    for mark, meant in ((" @-@ ", "-"), (" @,@ ", ","), (" @.@ ", ".")):
        text = text.replace(mark, meant)
    text = re.sub(r" ([,.:;!?)\]}]|'s\b|n't\b|'(?:re|ve|ll|d|m)\b)", r"\1", text)
    text = re.sub(r"([(\[{]) ", r"\1", text)
    text = re.sub(r"(\$) ", r"\1", text)
    text = re.sub(r'" ([^"\n]*?) "', r'"\1"', text)
    text = re.sub(r"^ ?(=+ .* =+) ?$", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^ | +$", "", text, flags=re.MULTILINE).strip("\n")
    return {"text": text} if text.strip() else None
