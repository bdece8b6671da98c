"""Asks every external link of the documentation whether it still leads somewhere; needs the network.

    make links

Not part of the tests: whether somebody else's page is there must not fail a build. Ends with 1 where a link
is gone (404, 410, no such host); what answers in another way, such as 403 to a program, is only named.
"""

from __future__ import annotations

import re
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
_LINK = re.compile(r"\]\((https?://[^)\s]+)\)")


def main() -> int:
    """Print what does not answer with 200; 1 where a link is gone."""
    places = collect([ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))])
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(places, pool.map(ask, places), strict=True))
    return report(answers, places)


def collect(files: Iterable[Path]) -> dict[str, list[str]]:
    """Each external link of these pages without its anchor -> the pages that hold it."""
    places: dict[str, list[str]] = {}
    for file in files:
        for link in _LINK.findall(file.read_text(encoding="utf-8")):
            if "OWNER" not in link:
                places.setdefault(link.partition("#")[0], []).append(file.name)
    return places


def ask(link: str) -> str:
    """The status that a link is answered with, or why there is none."""
    request = urllib.request.Request(link, headers={"User-Agent": "Mozilla/5.0 (evalkit link check)"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return str(reply.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except (OSError, ValueError) as error:
        return f"no answer: {error}"


def report(answers: Mapping[str, str], places: Mapping[str, list[str]]) -> int:
    """Print each link that was not answered with 200; 1 where one is gone, else 0."""
    odd = {link: answer for link, answer in answers.items() if answer != "200"}
    for link, answer in odd.items():
        print(f"{answer}  {link}  ({', '.join(sorted(set(places[link])))})")
    print(f"{len(answers)} links, {len(answers) - len(odd)} in order")
    return int(any(answer in ("404", "410") or answer.startswith("no answer") for answer in odd.values()))


if __name__ == "__main__":
    sys.exit(main())
