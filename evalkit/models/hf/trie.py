"""The prefix tree of all sequences that are asked together, and how it is cut into passes.

Every token of the tree is computed once. A bundle is a stretch of tokens (its trunk) with the small tree that
hangs on it; bundles are laid out one behind the other in a stream. Where a subtree is too large for a bundle,
its first tokens are computed as a shared beginning whose keys and values are kept for all that follows.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

__all__ = ["Bundle", "Node", "Shared", "Want", "build_trie", "cut"]

MAX_TREE = 512
"""Tokens that may hang on a trunk: their attention is computed as a rectangle, most of which is masked."""
MIN_SHARED = 16
"""Tokens from which a beginning is worth a pass of its own; shorter ones are computed again."""


@dataclass(frozen=True, slots=True)
class Want:
    """A logprob that is asked for."""

    sequence: int
    """Whose token is scored."""
    offset: int
    """The place in its node whose prediction is looked at."""
    target: int
    """The token that is scored."""


@dataclass(slots=True)
class Node:
    """A stretch of tokens that all sequences below share."""

    tokens: Sequence[int]
    children: list[Node] = field(default_factory=list)
    wants: list[Want] = field(default_factory=list)
    size: int = 0
    """Tokens of the node and all below."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What stands in a stream together: the nodes of a subtree, parents before children."""

    nodes: tuple[Node, ...]
    parents: tuple[int, ...]
    """The position in `nodes` of each node's parent; -1 for the first."""
    past: int
    """How many tokens of shared beginnings stand before it."""

    @property
    def n_tokens(self) -> int:
        """Tokens of the bundle itself."""
        return self.nodes[0].size


@dataclass(frozen=True, slots=True)
class Shared:
    """A beginning that is computed for itself; its keys and values serve what `below` yields."""

    node: Node
    past: int
    """How many tokens stand before it."""
    below: tuple[Node, ...]


def build_trie(sequences: Sequence[Sequence[int]], wants: Sequence[Sequence[tuple[int, int]]]) -> Node:
    """The tree of the sequences. `wants[i]` lists (position in sequence i, token that is scored there).

    The root holds no tokens. Sequences keep their order as far as the tree allows: children stand in the
    order of the first sequence below them.
    """
    keys = [array("I", sequence).tobytes() for sequence in sequences]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    root = Node(())
    # The path from the root to the sequence before: (depth at which the node ends, node).
    path: list[tuple[int, Node]] = [(0, root)]
    first = {id(root): 0}
    before = b""
    for number in order:
        key = keys[number]
        common = _common(before, key)
        while path[-1][0] > common:
            _, node = path.pop()
            start = path[-1][0]
            if start < common:  # the node is cut in two
                top = Node(node.tokens[: common - start], [node], [])
                cut_at = common - start
                top.wants = [want for want in node.wants if want.offset < cut_at]
                node.wants = [
                    Want(want.sequence, want.offset - cut_at, want.target)
                    for want in node.wants
                    if want.offset >= cut_at
                ]
                node.tokens = node.tokens[cut_at:]
                parent = path[-1][1]
                parent.children[-1] = top
                first[id(top)] = first[id(node)]
                path.append((common, top))
                break
        sequence = sequences[number]
        if len(sequence) > common:
            leaf = Node(sequence[common:])
            first[id(leaf)] = number
            path[-1][1].children.append(leaf)
            path.append((len(sequence), leaf))
        for _, node in path:
            first[id(node)] = min(first[id(node)], number)
        _place(path, number, wants[number])
        before = key
    _finish(root, first)
    return root


def _common(one: bytes, other: bytes) -> int:
    """How many tokens (of four bytes) two keys begin with together."""
    low, high = 0, min(len(one), len(other)) // 4
    if one[: high * 4] == other[: high * 4]:
        return high
    while low < high:
        middle = (low + high + 1) // 2
        if one[: middle * 4] == other[: middle * 4]:
            low = middle
        else:
            high = middle - 1
    return low


def _place(path: Sequence[tuple[int, Node]], number: int, wants: Sequence[tuple[int, int]]) -> None:
    """Nothing; hangs each want on the node of the path that holds its position."""
    at = 0
    for position, target in wants:
        while path[at][0] <= position:
            at += 1
        start = path[at - 1][0] if at else 0
        path[at][1].wants.append(Want(number, position - start, target))


def _finish(root: Node, first: dict[int, int]) -> None:
    """Nothing; counts the tokens of each subtree and orders the children."""
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            node.size = len(node.tokens) + sum(child.size for child in node.children)
            node.children.sort(key=lambda child: first[id(child)])
        else:
            stack.append((node, True))
            stack.extend((child, False) for child in node.children)


def cut(nodes: Sequence[Node], past: int = 0) -> Iterator[Bundle | Shared]:
    """The passes for these subtrees, which follow `past` tokens that are computed already."""
    stack = list(reversed(nodes))
    while stack:
        node = stack.pop()
        if node.tokens and node.size - len(node.tokens) <= MAX_TREE:
            yield _bundle(node, past)
        elif len(node.tokens) >= MIN_SHARED:
            yield Shared(node, past, tuple(node.children))
        else:
            stack.extend(reversed(_push_down(node)))


def _push_down(node: Node) -> list[Node]:
    """The children, each with the node's tokens in front; what is wanted in the node goes to the first."""
    found = []
    for number, child in enumerate(node.children):
        moved = [Want(want.sequence, want.offset + len(node.tokens), want.target) for want in child.wants]
        found.append(
            Node(
                [*node.tokens, *child.tokens],
                child.children,
                [*(node.wants if not number else ()), *moved],
                child.size + len(node.tokens),
            )
        )
    return found


def _bundle(root: Node, past: int) -> Bundle:
    nodes: list[Node] = []
    parents: list[int] = []
    stack = [(root, -1)]
    while stack:
        node, parent = stack.pop()
        stack.extend((child, len(nodes)) for child in reversed(node.children))
        nodes.append(node)
        parents.append(parent)
    return Bundle(tuple(nodes), tuple(parents), past)
