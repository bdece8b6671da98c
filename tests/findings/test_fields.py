"""Fields of very many models, which hold no matrix of pairs."""

import numpy as np
import pytest

from evalkit.comparing.findings import Contender, find, make_field
from evalkit.comparing.findings import fields as module
from evalkit.core.records import MetricValue


def contenders(n, stderr=0.01):
    """Numbers without samples, evenly spread."""
    rates = np.linspace(0.2, 0.9, n)
    return [
        Contender(
            f"m{i}", MetricValue(float(rate), stderr, None, None, 2000, "s", True, "fraction"), None, None
        )
        for i, rate in enumerate(rates)
    ]


def test_places_of_very_many_models_hold_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in blocks with Bonferroni's correction, places are those of Holm's or a little wider."""
    made = contenders(150)
    exact = find({"": make_field(made)}).places[""]
    monkeypatch.setattr(module, "MAX_PAIRED", 100)
    field = make_field(made)
    counted = find({"": field}).places[""]
    assert field.is_large
    assert counted != [(1, 150)] * 150
    assert all(a[0] <= b[0] and b[1] <= a[1] for a, b in zip(counted, exact, strict=True))
    assert max(b[0] - a[0] for a, b in zip(counted, exact, strict=True)) <= 3


def test_an_unknown_error_leaves_all_places_open() -> None:
    """Unknown is not zero, and neither is an error of 0 without a sample size."""
    made = contenders(3)
    made[0] = Contender("x", MetricValue(0.99, None, None, None, 5, "s", True, "fraction"), None, None)
    assert find({"": make_field(made)}).places[""][0] == (1, 3)
