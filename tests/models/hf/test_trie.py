"""The prefix tree: each token once, each want at its place, cut into passes that cover everything."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.models.hf import trie
from evalkit.models.hf.trie import Bundle, Node, Shared, build_trie, cut

SEQUENCES = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=12), min_size=1, max_size=8)


def all_wants(sequences: list[list[int]]) -> list[list[tuple[int, int]]]:
    """Every position of every sequence, with the token that stands there as its target."""
    return [list(enumerate(sequence)) for sequence in sequences]


def walk(node: Node, before: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Node]]:
    """Each node with the tokens before it."""
    yield before, node
    for child in node.children:
        yield from walk(child, (*before, *node.tokens))


@given(SEQUENCES)
@settings(max_examples=60, deadline=None)
def test_every_prefix_is_one_place(sequences: list[list[int]]) -> None:
    """The tree has as many tokens as there are different beginnings of sequences."""
    beginnings = {tuple(sequence[: i + 1]) for sequence in sequences for i in range(len(sequence))}
    assert build_trie(sequences, all_wants(sequences)).size == len(beginnings)


@given(SEQUENCES)
@settings(max_examples=60, deadline=None)
def test_wants_stand_where_their_sequence_leads(sequences: list[list[int]]) -> None:
    """What is wanted at a position of a sequence is found behind exactly that beginning."""
    root = build_trie(sequences, all_wants(sequences))
    found = []
    for before, node in walk(root):
        for want in node.wants:
            path = [*before, *node.tokens[: want.offset + 1]]
            assert path == sequences[want.sequence][: len(path)]
            assert want.target == path[-1]
            found.append((want.sequence, len(path) - 1))
    assert sorted(found) == [(n, i) for n, sequence in enumerate(sequences) for i in range(len(sequence))]


def read(
    nodes: list[Node], past: tuple[int, ...], found: list[tuple[int, int]], sequences: list[list[int]]
) -> int:
    """The tokens of all passes below; notes each want after checking what stands before it."""
    total = 0
    for piece in cut(nodes, len(past)):
        assert piece.past == len(past)
        if isinstance(piece, Shared):
            before = {0: past}
            parts: list[tuple[int, Node, int]] = [(0, piece.node, -1)]
            total += len(piece.node.tokens)
            total += read(list(piece.below), (*past, *piece.node.tokens), found, sequences)
        else:
            before = {}
            parts = [
                (n, node, parent)
                for n, (node, parent) in enumerate(zip(piece.nodes, piece.parents, strict=True))
            ]
            total += piece.n_tokens
        ends: dict[int, tuple[int, ...]] = {}
        for number, node, parent in parts:
            before[number] = ends[parent] if parent >= 0 else past
            ends[number] = (*before[number], *node.tokens)
            for want in node.wants:
                path = [*before[number], *node.tokens[: want.offset + 1]]
                assert path == sequences[want.sequence][: len(path)]
                found.append((want.sequence, len(path) - 1))
    return total


@pytest.mark.parametrize(("most", "least"), [(4, 2), (8, 5), (512, 16)])
def test_passes_cover_every_want_once(most: int, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the tree is cut, each want is in exactly one pass, behind its own beginning."""
    monkeypatch.setattr(trie, "MAX_TREE", most)
    monkeypatch.setattr(trie, "MIN_SHARED", least)
    rng = random.Random(most)
    for _ in range(30):
        sequences = [
            [rng.randrange(2) for _ in range(rng.randrange(1, 20))] for _ in range(rng.randrange(1, 12))
        ]
        found: list[tuple[int, int]] = []
        read([build_trie(sequences, all_wants(sequences))], (), found, sequences)
        assert sorted(found) == [(n, i) for n, s in enumerate(sequences) for i in range(len(s))]


def test_a_document_is_one_bundle_and_a_fixed_beginning_is_shared() -> None:
    """Contexts of their own become one bundle each; a beginning that all have is a pass of its own."""
    contexts = [[doc * 7 + i for i in range(100)] for doc in range(9)]
    own = [[*context, 900 + choice, 901, 902] for context in contexts for choice in range(4)]
    assert [type(piece) for piece in cut([build_trie(own, all_wants(own))])] == [Bundle] * 9
    start = [5000 + i for i in range(50)]
    fixed = [[*start, *sequence] for sequence in own]
    pieces = list(cut([build_trie(fixed, all_wants(fixed))]))
    assert [type(piece) for piece in pieces] == [Shared]
    assert isinstance(pieces[0], Shared)
    assert len(list(cut(pieces[0].below, 50))) == 9
