"""YAML as anybody wrote it, read within bounds: a few lines can stand for more than any machine holds.

Aliases are shared objects, so that loading costs nothing and walking what was loaded costs all. Therefore the
nodes are weighed before anything is made of them, each alias as often as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml

MOST_BYTES = 4_000_000
"""Of a file: more belongs into a data file, and takes seconds to be parsed."""
MOST_NODES = 100_000
"""Keys, values and list items of a file, aliases counted as often as they stand."""
MOST_CHARACTERS = 20_000_000
"""Of all values, counted alike."""
DEEPEST = 60
"""Lists and mappings within each other; what walks them need not fear for its stack."""
_LONGEST_NUMBER = 400
"""Digits of a number: the greatest float has 309."""

BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YamlBoundsError(ValueError):
    """A text that is YAML, and more than a configuration may be; `line` is where, from 1."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a text stands for."""

    content: Any
    """None of an empty text."""
    node: yaml.Node | None
    """The nodes that it was made of."""
    weight: int = 0
    """How many these are, aliases counted as often as they stand."""


def load_yaml(
    text: str | bytes, make_loader: Callable[[Any], Any] = BaseLoader, *, twice: bool = False
) -> Loaded:
    """What a text stands for. With `twice` a key may stand in a mapping twice, and its last value counts.

    Raises yaml.YAMLError, and ValueError (YamlBoundsError where it is too much) for what cannot be read.
    """
    if len(text) > MOST_BYTES:
        raise YamlBoundsError(f"more than {MOST_BYTES // 1_000_000} MB; put samples into a data file")
    try:
        loader = make_loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Loaded(None, None)
            weight = _Weighing(twice).weigh(node, 0)
            if weight[0] > MOST_NODES:
                raise YamlBoundsError(
                    f"more than {MOST_NODES} keys and values, aliases counted as often as they stand; put "
                    "samples into a data file"
                )
            if weight[1] > MOST_CHARACTERS:
                raise YamlBoundsError(f"more than {MOST_CHARACTERS // 1_000_000} MB of text by its aliases")
            return Loaded(loader.construct_document(node), node, weight[0])
        finally:
            loader.dispose()
    except RecursionError:
        raise YamlBoundsError(f"nested more than {DEEPEST} deep") from None
    except (TypeError, OverflowError, AttributeError, KeyError, IndexError) as error:
        # Dates that do not exist, unhashable keys: whatever a constructor trips over.
        raise ValueError(f"a value cannot be read ({type(error).__name__}: {error})") from error


class _Weighing:
    """Nodes and characters below each node, aliases as often as they stand."""

    def __init__(self, twice: bool) -> None:
        self._known: dict[int, tuple[int, int, int]] = {}
        self._open: set[int] = set()
        self._twice = twice

    def weigh(self, node: yaml.Node, depth: int) -> tuple[int, int, int]:
        """Nodes, characters and levels below this node, itself included. Raises YamlBoundsError."""
        line = node.start_mark.line + 1
        key = id(node)
        if key in self._open:
            raise YamlBoundsError("an alias refers to itself", line)
        found = self._known.get(key)
        if found is None:
            if depth > DEEPEST:
                raise YamlBoundsError(f"nested more than {DEEPEST} deep", line)
            self._open.add(key)
            found = self._known[key] = self._whole(node, depth, line)
            self._open.discard(key)
        if depth + found[2] > DEEPEST + 1:
            raise YamlBoundsError(f"nested more than {DEEPEST} deep", line)
        return found

    def _whole(self, node: yaml.Node, depth: int, line: int) -> tuple[int, int, int]:
        if isinstance(node, yaml.ScalarNode):
            number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
            if number and len(node.value) > _LONGEST_NUMBER:
                raise YamlBoundsError(f"a number of more than {_LONGEST_NUMBER} digits", line)
            return 1, len(node.value), 1
        below = node.value
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            below = [part for pair in node.value for part in pair]
        parts = [self.weigh(part, depth + 1) for part in below]
        nodes, characters = (sum(part[place] for part in parts) for place in (0, 1))
        return 1 + nodes, characters, 1 + max((part[2] for part in parts), default=0)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value if not self._twice else ():
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if (key.tag, key.value) in seen:
                    raise YamlBoundsError(f"key {key.value!r:.80} stands twice", key.start_mark.line + 1)
                seen.add((key.tag, key.value))
