"""Sentences, words and capitals are counted as NLTK 3.9.1 counts them; languages are langdetect's."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.core.errors import MetricError
from evalkit.metrics.ifeval.detection import detect, is_language
from evalkit.metrics.ifeval.punkt import OWN, PLAIN, count_sentences, read_knowledge
from evalkit.metrics.ifeval.text import count_capital_words, count_words


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("", 0),
        ("No end", 1),
        ("One. Two. Three.", 3),
        ("First line\nsecond line. End", 2),
        ("Mr. Smith went to Washington. He stayed.", 2),
        ("It is 3.5 km away. Go on.", 2),
        ("Wait... what is it?", 1),
        ("Wait... What is it?", 2),
        ('"Stop!" he said. Nobody did.', 3),
        ("1. Apples.\n2. Pears.", 4),
        ("J. Doe came.", 1),
        ("It is in plan B. The end.", 2),
        ("(It works.) It does.", 2),
        ("At 5 p.m. we left.", 1),
    ],
)
def test_sentences(text: str, n: int) -> None:
    """Abbreviations, initials, decimals and ellipses end no sentence; the number of a list item does."""
    assert count_sentences(text) == n


def test_words() -> None:
    """An apostrophe and a hyphen part words."""
    assert count_words("It's a well-known fact_1.") == 6


@pytest.mark.parametrize(
    ("text", "n"),
    [("I'M HERE", 3), ("CAN'T", 2), ("CANNOT", 2), ("U.S. and USA", 2), ("A/B-TEST", 1), ("mIXED *BOLD*", 1)],
)
def test_capital_words(text: str, n: int) -> None:
    """Contractions are two tokens, hyphens and slashes part none."""
    assert count_capital_words(text) == n


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The cat sat on the mat and looked at me.", "en"),
        ("El gato se sentó en la alfombra y me miró.", "es"),
        ("O gato sentou-se no tapete e não olhou para mim.", "pt"),
        ("Le chat est assis sur le tapis et il me regarde.", "fr"),
        ("Il gatto è seduto sul tappeto e non mi guarda.", "it"),
        ("De kat zit op de mat en kijkt naar mij.", "nl"),
        ("Kot siedzi na macie i patrzy się na mnie.", "pl"),
        ("Kissa istuu matolla ja katsoo minua, mutta se on hiljaa.", "fi"),
        ("Paka ameketi kwenye mkeka na ananitazama kwa makini.", "sw"),
        ("Con mèo ngồi trên tấm thảm và nhìn tôi.", "vi"),
        ("Кошка сидит на ковре и смотрит на меня.", "bg"),
        ("Большая кошка сидит на ковре и смотрит на всех.", "ru"),
        ("Котката седи на килима и ме гледа, защото е гладна.", "bg"),
        ("החתול יושב על השטיח", "he"),
        ("বিড়ালটি মাদুরে বসে আছে", "bn"),
        ("PIXEL PRODIGY", "pl"),
        ("FAREINSIGHT ANALYTICS", "en"),
        ("我是学生。", "zh-cn"),
        ("42", None),
    ],
)
def test_language(text: str, language: str | None) -> None:
    """langdetect 1.0.9 with seed 0, wrong on short texts as the authors' checker is."""
    assert detect(text) == language


def test_language_of_nothing_is_any() -> None:
    """A text that holds nothing to tell a language by counts as written in the one asked for."""
    assert is_language("*** 12", "fi")
    assert not is_language("The cat sat on the mat.", "fi")


def test_language_is_a_function_of_the_text() -> None:
    """A verdict does not change from call to call: unseeded, langdetect takes "Hello world" for nl or en."""
    assert len({detect("Hello world") for _ in range(20)}) == 1


@pytest.mark.parametrize(
    ("text", "official", "plain"),
    [
        ("Bring tea, e.g. Assam. Thanks.", 3, 2),
        ("Pens, paper, etc. are there.", 2, 1),
        ("See vol. 5 of it.", 2, 1),
        ("Mr. Fox met Dr. Owl.", 1, 1),
    ],
)
def test_readings_differ_in_abbreviations(text: str, official: int, plain: int) -> None:
    """NLTK's model ends a sentence at "e.g." and "etc."; a reader does not."""
    assert count_sentences(text, OWN) == official
    assert count_sentences(text, PLAIN) == plain


FILES = {
    "abbrev_types.txt": "approx",
    "sent_starters.txt": "he",
    # review: capitalised inside sentences (4); the: both, small inside (32) and capitalised first (2).
    "ortho_context.tab": "review\t38\nthe\t34",
    "collocations.tab": "##number##\treview",
}


def write_model(folder: Path, **files: str) -> Path:
    """A folder as NLTK's punkt_tab/english."""
    for name, text in (FILES | files).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("3. Review it.", 1),  # a collocation
        ("3. Others do.", 2),
        ("It cost approx. Ten.", 1),  # an abbreviation, an unknown word
        ("It cost approx. The end.", 2),  # a word that is written small but first
        ("It cost approx. Review it.", 1),  # one that stands capitalised inside sentences
        ("It cost approx. He paid.", 2),  # a frequent starter
        ("By X. Review.", 2),  # an initial before a word that also occurs small
        ("By X. Ng.", 1),  # an initial before a name
        ("Mr. Fox ran.", 2),  # no abbreviation of this model
    ],
)
def test_model_of_a_folder_decides(tmp_path: Path, text: str, n: int) -> None:
    """NLTK 3.9.1's PunktTokenizer gives these counts with the same four files."""
    assert count_sentences(text, read_knowledge(write_model(tmp_path))) == n


@pytest.mark.parametrize("files", [{"ortho_context.tab": "no number"}, {"collocations.tab": "one"}, None])
def test_folder_without_a_model_is_an_error(tmp_path: Path, files: dict[str, str] | None) -> None:
    """A folder that is none of NLTK's says what it must be."""
    folder = tmp_path / "absent" if files is None else write_model(tmp_path, **files)
    with pytest.raises(MetricError, match="punkt_tab/english"):
        read_knowledge(folder)
