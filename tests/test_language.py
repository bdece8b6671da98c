"""Tokens, normal forms, sentences and scripts."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.core import language
from evalkit.core.language import (
    base_language,
    bleu_tokenizer,
    cjk_share,
    clean_text,
    detect_language,
    normalize_answer,
    spaced_language,
    split_sentences,
    tokenize,
    unspaced_share,
)

LANGUAGES = ["zh", "ja", "th", "ko", "en", "de", "ar", "ru"]


@pytest.mark.parametrize(
    ("text", "lang", "tokens"),
    [
        ("2023年，GDP增长5.2%。", "zh", ["2023", "年", "gdp", "增", "长", "5.2%"]),
        ("Llama3与GPT-4o", "zh", ["llama3", "与", "gpt", "4o"]),
        ("１９４９年１０月１日", "zh", ["1949", "年", "10", "月", "1", "日"]),
        ("3.5％", "zh", ["3.5%"]),
        ("一百，200，300", "zh", ["一", "百", "200", "300"]),
        ("100，200元", "zh", ["100", "200", "元"]),
        ("1,200.5元", "zh", ["1200.5", "元"]),
        ("《红楼梦》", "zh", ["红", "楼", "梦"]),
        ("𠮷野家", "zh", ["𠮷", "野", "家"]),
        ("〇五年", "zh", ["〇", "五", "年"]),
        ("東京タワー", "ja", ["東", "京", "タ", "ワ", "ー"]),
        ("ｶﾞﾗｽ", "ja", ["ガ", "ラ", "ス"]),
        ("ภาษาไทย", "th", ["ภ", "า", "ษ", "า", "ไ", "ท", "ย"]),
        ("ที่", "th", ["ที่"]),
        ("서울은 수도다!", "ko", ["서", "울", "은", "수", "도", "다"]),
        ("Don't stop, 1,200 times!", "en", ["don't", "stop", "1200", "times"]),
        ("Größe: 3,5 €", "de", ["größe", "3", "5", "€"]),
        ("Привет, мир", "ru", ["привет", "мир"]),
        ("हिन्दी भाषा", "hi", ["हिन्दी", "भाषा"]),
        ("  \n\u200b。", "zh", []),
    ],
)
def test_tokens(text: str, lang: str, tokens: list[str]) -> None:
    """Each language is cut into the units by which its texts overlap."""
    assert tokenize(text, lang) == tokens


@given(st.text(), st.sampled_from(LANGUAGES))
def test_tokens_lose_no_letter(text: str, lang: str) -> None:
    """Whatever the text, its letters and digits survive, in order."""
    text = clean_text(text)

    def letters(text: str) -> list[str]:
        return [ch for ch in unicodedata.normalize("NFKC", text).lower() if ch.isalpha() or ch.isdecimal()]

    assert letters(" ".join(tokenize(text, lang))) == letters(text)


@given(st.text(alphabet="一二三abc12.,，。 %", max_size=30))
def test_tokens_hold_no_space_or_bare_punctuation(text: str) -> None:
    """No token is empty, has white space, or is punctuation alone."""
    for token in tokenize(text, "zh"):
        assert token
        assert not any(ch.isspace() for ch in token)
        assert any(ch.isalnum() for ch in token)


@pytest.mark.parametrize(
    ("text", "lang", "normal"),
    [
        ("The  Cat's hat.", "en", "cats hat"),
        ("An apple a day", "en", "apple day"),
        ("北京。", "zh", "北京"),
        ("《 红楼梦 》", "zh", "红楼梦"),
        ("３．５％", "zh", "3.5%"),
        ("35%", "zh", "35%"),
        ("GPT-4", "zh", "gpt4"),
        ("1、2", "zh", "1 2"),
        ("12", "zh", "12"),
        ("Das Haus,  am See", "de", "haus am see"),
        ("«El  niño»", "es", "niño"),
        ("서울 특별시.", "ko", "서울 특별시"),
        ("東京、日本", "ja", "東京日本"),
    ],
)
def test_normal_forms(text: str, lang: str, normal: str) -> None:
    """Answers are compared without what does not matter in their language, and with what does."""
    assert normalize_answer(text, lang) == normal


@given(st.text(), st.sampled_from(LANGUAGES))
def test_normal_forms_are_stable_under_spaces(text: str, lang: str) -> None:
    """White space around an answer never matters."""
    assert normalize_answer(f"  {text}\n", lang) == normalize_answer(text, lang)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_english_is_squad(text: str) -> None:
    """The English normal form is that of the official SQuAD script, function by function."""
    import re
    import string

    lowered = "".join(ch for ch in text.lower() if ch not in set(string.punctuation))
    assert normalize_answer(text, "en") == " ".join(re.sub(r"\b(a|an|the)\b", " ", lowered).split())


@pytest.mark.parametrize(
    ("text", "lang", "sentences"),
    [
        ("今天很好。“真的！”他说。对吗？", "zh", ["今天很好。", "“真的！”", "他说。", "对吗？"]),
        ("价格是3.5元！Yes. OK", "zh", ["价格是3.5元！", "Yes.", "OK"]),
        ("先来；后到……完。", "zh", ["先来；后到……完。"]),
        ("Mr. Smith paid 3.5 dollars. He left!", "en", ["Mr. Smith paid 3.5 dollars.", "He left!"]),
        ("Use fruit, e.g. pears. No. Yes.", "en", ["Use fruit, e.g. pears.", "No.", "Yes."]),
        ("See No. 3 and p. 5. Done", "en", ["See No. 3 and p. 5.", "Done"]),
        ("He lives in the U.S. and works.", "en", ["He lives in the U.S. and works."]),
        ("He lives in the U.S. She left.", "en", ["He lives in the U.S.", "She left."]),
        ('"Stop!" he said. Then he left.', "en", ['"Stop!" he said.', "Then he left."]),
        ("Well... maybe. So?", "en", ["Well... maybe.", "So?"]),
        ("J. R. Tolkien wrote. I did too.", "en", ["J. R. Tolkien wrote.", "I did too."]),
        ("1. First one. 2. Second one.", "en", ["1. First one.", "2. Second one."]),
        ("the sky is blue. the sea is calm.", "en", ["the sky is blue.", "the sea is calm."]),
        ("One line\nand another", "en", ["One line", "and another"]),
        ("यह है। वह है।", "hi", ["यह है।", "वह है।"]),
        ("吾輩は猫である。名前はまだ無い。", "ja", ["吾輩は猫である。", "名前はまだ無い。"]),
        ("  \n ", "en", []),
    ],
)
def test_sentences(text: str, lang: str, sentences: list[str]) -> None:
    """Sentences end where a reader sees them end."""
    assert split_sentences(text, lang) == sentences


def test_clauses() -> None:
    """With clauses, semicolons and ellipses end a piece too."""
    assert split_sentences("先来；后到……完。", "zh", clauses=True) == ["先来；", "后到……", "完。"]


@given(st.text(alphabet="ab。！？.!? \n“”‘’;；…1", max_size=40), st.sampled_from(["zh", "en"]))
def test_sentences_lose_only_white_space(text: str, lang: str) -> None:
    """The sentences joined are the text, white space aside."""
    assert "".join("".join(split_sentences(text, lang)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("texts", "lang"),
    [
        (["今天天气很好"], "zh"),
        (["使用 Python 和 pandas 处理数据"], "zh"),
        (["これは本です", "東京都"], "ja"),
        (["한국어 문장"], "ko"),
        (["ภาษาไทย"], "th"),
        (["Hello", "world"], "en"),
        (["Привет"], "ru"),
        (["مرحبا"], "ar"),
        ([], "en"),
        (["123 !?"], "en"),
    ],
)
def test_detection(texts: list[str], lang: str) -> None:
    """The script tells the language; Latin letters or none at all mean English."""
    assert detect_language(texts) == lang


def test_shares() -> None:
    """Shares count letters and digits only, and nothing is 0."""
    assert cjk_share("中文ab") == 0.5
    assert cjk_share("，。") == 0.0
    assert cjk_share("ไทย") == 0.0
    assert unspaced_share("ไทย") == 1.0


def test_languages_by_any_name() -> None:
    """A language is known by its code, its variants and its name."""
    names = ["zh", "zh-CN", "zh_Hans", "zho", "cmn", "Chinese", "yue"]
    assert {base_language(name) for name in names} == {"zh"}
    assert not spaced_language("ja-JP")
    assert spaced_language("ko")
    assert spaced_language("fr")


def test_bleu_tokenizers() -> None:
    """BLEU's tokenizer follows the language, and a second-best one is said to be."""
    assert bleu_tokenizer("zh-CN") == ("zh", None)
    assert bleu_tokenizer("en") == ("13a", None)
    assert bleu_tokenizer("th") == ("char", None)
    for lang, best in (("ja", "ja-mecab"), ("ko", "ko-mecab")):
        name, note = bleu_tokenizer(lang)
        assert (name == best) == (note is None)
        assert name in (best, "char")


def test_surrogates() -> None:
    """Lone surrogates are replaced, pairs joined, everything else kept."""
    assert clean_text("a\ud83d\ude00b\ud800") == "a😀b\ufffd"
    assert clean_text("中é") == "中é"
    assert tokenize("a\udc00b", "zh")
    assert normalize_answer("\udc00 x", "en")


def test_import_is_cheap() -> None:
    """Importing the module loads the standard library only and compiles no large pattern."""
    heavy = "{'numpy', 'sacrebleu'}"
    code = f"import sys; import evalkit.core.language; print(bool({heavy} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
    assert isinstance(language._UNIT, str)
