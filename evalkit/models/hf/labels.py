"""The labels of a classification head, and which of them a task's choices are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.core.errors import ConfigError
from evalkit.models.hf.options import HfOptions


def label_key(text: str) -> str:
    """The form in which labels are compared: without white space round them, without case."""
    return text.strip().casefold()


def head_labels(config: Mapping[str, Any], options: HfOptions, name: str) -> dict[str, list[int]]:
    """Label in the form in which it is compared -> outputs of the head that stand for it.

    The labels are those of config.json, or what the option `labels` makes of them; several outputs may stand
    for one label. Raises ConfigError when the option names a label that the head does not have.
    """
    raw = config.get("id2label") or {n: f"LABEL_{n}" for n in range(int(config.get("num_labels") or 2))}
    own = {int(number): str(label) for number, label in raw.items()}
    if options.labels is not None:
        by_name = {label_key(label): number for number, label in own.items()}
        by_name.update({str(number): number for number in own})
        renamed: dict[int, str] = {}
        for label, wanted in options.labels.items():
            if label_key(label) not in by_name:
                raise ConfigError(
                    f"model {name!r}, option 'labels': the head has no label {label!r}; its labels are "
                    f"{', '.join(own.values())}"
                )
            renamed[by_name[label_key(label)]] = wanted
        own = renamed
    found: dict[str, list[int]] = {}
    for number, label in sorted(own.items()):
        found.setdefault(label_key(label), []).append(number)
    return found
