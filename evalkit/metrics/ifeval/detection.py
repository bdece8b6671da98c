"""Which language a text is written in, as langdetect 1.0.9 says with seed 0.

The authors ask langdetect too, without a seed: its guess on a short text then changes from run to run. Its
profiles are loaded in the order of their names, so that the answer is the same on every machine.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

_CODES = """
    af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa
    pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh zh-cn zh-tw
"""
LANGUAGES = frozenset(_CODES.split())
"""What a text can be asked to be: langdetect's codes, and `zh` for either script of Chinese."""
SEED = 0


@cache
def _factory() -> Any:
    from langdetect import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.load_json_profile(
        [path.read_text("utf-8") for path in sorted(Path(PROFILES_DIRECTORY).iterdir()) if path.is_file()]
    )
    factory.set_seed(SEED)
    return factory


def detect(text: str) -> str | None:
    """langdetect's code of the most probable language; None where the text holds nothing to tell it by."""
    from langdetect import LangDetectException

    detector = _factory().create()
    detector.append(text)
    try:
        return str(detector.detect())
    except LangDetectException:
        return None


def is_language(text: str, language: str) -> bool:
    """Whether the text is in the language; one that holds nothing to tell it by counts as such."""
    found = detect(text)
    return found is None or found == language or (language == "zh" and found.startswith("zh-"))
