"""Writes what was seen of each LiteLLM, lane and provider to the file that EVALKIT_CONTRACT_TABLE names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

TABLE: list[dict[str, str]] = []
FILE = os.environ.get("EVALKIT_CONTRACT_TABLE")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Nothing; a test that names a lane and a route becomes a row."""
    report = yield
    given = getattr(getattr(item, "callspec", None), "params", {})
    if report.when == "call" and {"lane", "route"} <= given.keys():
        TABLE.append(
            {
                "litellm": version("litellm"),
                "openai": version("openai"),
                "lane": given["lane"],
                "route": given["route"],
                "test": item.name.partition("[")[0],
                "outcome": report.outcome,
            }
        )
    return report


def pytest_sessionfinish() -> None:
    """Nothing; the rows are in the file."""
    if FILE and TABLE:
        Path(FILE).write_text(json.dumps(TABLE), encoding="utf-8")
