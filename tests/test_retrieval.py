"""Documents and their index: what is read, how it is cut, what is found and in which order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evalkit.core.errors import DataError
from evalkit.tasks.retrieval import Document, Index, read_documents

ENGLISH = [
    Document("a", "The red lamp costs twelve euros."),
    Document("b", "The green chair costs thirty euros.", "Chairs"),
    Document("c", "Nothing of the kind."),
]


def found(index: Index, query: str, k: int = 3) -> list[str]:
    """The ids that a search gives."""
    return [passage.document.id for passage in index.search(query, k)]


def test_best_passage_comes_first_and_titles_count() -> None:
    """More and rarer common words rank higher; what shares no word is not found."""
    index = Index(ENGLISH, "en")
    assert found(index, "What does the green chair cost?")[0] == "b"
    assert found(index, "chairs") == ["b"]
    assert found(index, "euros", 1) == ["a"]
    assert found(index, "zebra") == found(index, "") == []


def test_chinese_is_found_by_characters_and_pairs() -> None:
    """No dictionary is needed, and pairs tell apart what shares its characters."""
    index = Index([Document("x", "海上的船"), Document("y", "上海的车"), Document("z", "红灯")], "zh")
    assert found(index, "上海")[0] == "y"
    assert found(index, "海上")[0] == "x"
    assert found(index, "红灯多少钱") == ["z"]


def test_order_and_digest_depend_on_the_documents_alone() -> None:
    """Equal scores keep the order of the documents; one edited character is another index."""
    same = Index([Document("2", "one word"), Document("1", "one word")], "en")
    assert found(same, "word") == ["2", "1"]
    assert found(same, "word") == ["2", "1"]
    edited = Index([*ENGLISH[:2], Document("c", "Nothing of the kind!")], "en")
    assert Index(ENGLISH, "en").digest == Index(list(ENGLISH), "en").digest != edited.digest


def test_text_files_are_cut_at_blank_lines_under_their_headings(tmp_path: Path) -> None:
    """Short paragraphs stay together, long ones do not, and a heading is the title of what follows."""
    (tmp_path / "guide.md").write_text(
        f"# One\n\nfirst\n\nsecond\n\n## Two\n\n{'x ' * 700}\n\n{'y ' * 700}\n"
    )
    (tmp_path / "plain.txt").write_text("just this")
    documents = read_documents(tmp_path, ["*.md", "plain.txt"])
    assert [(d.id, d.title, d.text[:14]) for d in documents] == [
        ("guide.md#1", "One", "first\n\nsecond"),
        ("guide.md#2", "Two", "x x x x x x x "),
        ("guide.md#3", "Two", "y y y y y y y "),
        ("plain.txt#1", "", "just this"),
    ]


@pytest.mark.parametrize(
    ("files", "rows", "words"),
    [
        (["missing.jsonl"], [], "does not exist"),
        (["*.csv"], [], "fits no file"),
        (["../x.md"], [], "outside"),
        (["d.jsonl"], [{"body": "x"}], "column `text`"),
        (["d.jsonl"], [{"id": 1, "text": "x"}, {"id": 1, "text": "y"}], "twice"),
    ],
)
def test_wrong_documents_are_told(
    tmp_path: Path, files: list[str], rows: list[dict[str, object]], words: str
) -> None:
    """A missing file, a path outside the folder, a row without text, and doubled ids are errors in words."""
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=words):
        read_documents(tmp_path, files)
