"""What evalkit.yaml says about a model, read strictly."""

from __future__ import annotations

import datetime

import pytest

from evalkit.core.errors import ConfigError
from evalkit.core.records import ModelFacts
from evalkit.models.facts import parse_facts
from evalkit.models.settings import parse_settings


@pytest.mark.parametrize(
    ("text", "billions"),
    [("7B", 7.0), ("8x7B", 56.0), ("350m", 0.35), ("1.5T", 1500.0), (7_000_000_000, 7.0)],
)
def test_sizes_are_billions_of_parameters(text: object, billions: float) -> None:
    """As people write them; experts are counted all."""
    assert parse_facts({"size": text}, "here").size == pytest.approx(billions)


def test_all_facts_are_read_and_none_is_needed() -> None:
    """YAML's own date is a date; what is not said is unknown."""
    raw = {
        "organisation": "Meta",
        "weights": "open",
        "license": "Llama 3",
        "released": datetime.date(2024, 4, 18),
    }
    assert parse_facts(raw, "here") == ModelFacts("Meta", "open", "Llama 3", None, "2024-04-18")
    assert parse_facts({}, "here") == ModelFacts()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"sise": "7B"}, "size"),
        ({"size": 7}, "7B or 8x7B"),
        ({"size": "0B"}, "350M"),
        ({"weights": "closed"}, "open or proprietary"),
        ({"released": "April"}, "2024-04-18"),
        ({"organisation": ["Meta"]}, "must be a text"),
        ("Meta", "must be a mapping"),
    ],
)
def test_wrong_facts_are_errors_that_say_the_cure(raw: object, said: str) -> None:
    """Place, key, and what to write instead."""
    with pytest.raises(ConfigError, match=said) as caught:
        parse_settings("llama3", {"model": "ollama_chat/llama3", "about": raw}, "evalkit.yaml")
    assert "llama3" in str(caught.value)
