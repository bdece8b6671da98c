"""Logprobs of chosen tokens in many sequences; what sequences begin with together is computed once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.models.hf.attention import Layers, UnsharedError
from evalkit.models.hf.batching import BatchSize, is_out_of_memory
from evalkit.models.hf.body import Body, lay_out
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.trie import Bundle, Node, build_trie, cut

__all__ = ["Asked", "Scorer", "Sum"]

_TOLERANCE = {"float32": 2e-4}
_TOLERANCE_HALF = 0.3
"""How far a shared computation may be from one alone, in nats a token: rounding, no other attention."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A sequence and what is scored in it."""

    tokens: Sequence[int]
    """The input."""
    first: int
    """The position whose prediction is the first target's; the others follow one by one."""
    targets: Sequence[int]
    """The tokens that are scored."""


@dataclass(slots=True)
class Sum:
    """The logprob of all targets of a sequence."""

    logprob: float = 0.0
    """In nats."""
    greedy: bool = True
    """Whether each target was the likeliest token."""
    left: int = 0
    """Targets that are not scored yet."""


class Scorer:
    """A decoder that scores sequences."""

    def __init__(self, loaded: Loaded, size: BatchSize) -> None:
        import torch

        self._loaded = loaded
        self._size = size
        self._body = Body(loaded)
        with torch.inference_mode():
            self.shares = self._body.shares and self._agrees()
        """Whether shared beginnings are computed once; verified with this model when it is loaded."""

    def score(self, asked: Sequence[Asked]) -> Iterator[tuple[int, Sum]]:
        """(position, its sum) of each sequence, as soon as it is known. Raises CallError without memory."""
        import torch

        sums = [Sum(left=len(entry.targets)) for entry in asked]
        window = self._window()
        alone = [n for n, entry in enumerate(asked) if not self.shares or len(entry.tokens) > window]
        apart = set(alone)
        shared = [n for n in range(len(asked)) if n not in apart]
        with torch.inference_mode():
            for numbers, passes in ((shared, self._shared), (alone, self._alone)):
                for scored in passes(asked, numbers) if numbers else ():
                    for number, logprob, greedy in scored:
                        found = sums[number]
                        found.logprob += logprob
                        found.greedy = found.greedy and greedy
                        found.left -= 1
                        if not found.left:
                            yield number, found

    def _window(self) -> int:
        """The longest branch that a stream takes: sliding windows are left to the model's own masks."""
        config = self._loaded.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        return int(window) if window else 1 << 60

    def _alone(
        self, asked: Sequence[Asked], numbers: Sequence[int]
    ) -> Iterator[list[tuple[int, float, bool]]]:
        """The scores with each sequence in a row of its own; equal sequences share one."""
        rows: dict[tuple[int, ...], list[int]] = {}
        for number in numbers:
            rows.setdefault(tuple(asked[number].tokens), []).append(number)
        ordered = sorted(rows.items(), key=lambda row: -len(row[0]))

        def compute(batch: Sequence[tuple[tuple[int, ...], list[int]]]) -> list[tuple[int, float, bool]]:
            import torch

            longest = max(len(tokens) for tokens, _ in batch)
            padded = torch.zeros((len(batch), longest), dtype=torch.long)
            for row, (tokens, _) in enumerate(batch):
                padded[row, : len(tokens)] = torch.tensor(tokens)
            hidden = self._body.hidden(padded.to(self._loaded.device)).flatten(0, 1)
            places: list[int] = []
            targets: list[int] = []
            owners: list[int] = []
            for row, (_, members) in enumerate(batch):
                for number in members:
                    entry = asked[number]
                    places += range(
                        row * longest + entry.first, row * longest + entry.first + len(entry.targets)
                    )
                    targets += entry.targets
                    owners += [number] * len(entry.targets)
            return list(zip(owners, *self._body.score(hidden, places, targets), strict=True))

        for _, scored in self._size.compute(ordered, lambda row: len(row[0]), compute):
            yield scored

    def _shared(
        self, asked: Sequence[Asked], numbers: Sequence[int]
    ) -> Iterator[list[tuple[int, float, bool]]]:
        """The scores from the tree of all sequences."""
        wants = []
        for number in numbers:
            entry = asked[number]
            wants.append([(entry.first + at, target) for at, target in enumerate(entry.targets)])
        root = build_trie([asked[number].tokens for number in numbers], wants)
        for scored in self._descend([root], 0, None):
            yield [(numbers[sequence], logprob, greedy) for sequence, logprob, greedy in scored]

    def _descend(
        self, nodes: Sequence[Node], past: int, layers: Layers | None
    ) -> Iterator[list[tuple[int, float, bool]]]:
        """The scores of these subtrees, which follow `past` tokens whose keys and values are at hand."""
        pieces = list(cut(nodes, past))
        bundles = [piece for piece in pieces if isinstance(piece, Bundle)]
        for _, (scored, _kept) in self._size.compute(
            bundles, lambda bundle: bundle.n_tokens, lambda batch: self._pass(batch, layers), padded=False
        ):
            yield scored
        for piece in pieces:
            if isinstance(piece, Bundle):
                continue
            alone = Bundle(
                (Node(piece.node.tokens, [], piece.node.wants, len(piece.node.tokens)),), (-1,), past
            )
            scored, kept = self._pass([alone], layers, keep=True)
            yield scored
            yield from self._descend(piece.below, past + len(piece.node.tokens), kept)

    def _pass(
        self, bundles: Sequence[Bundle], layers: Layers | None, *, keep: bool = False
    ) -> tuple[list[tuple[int, float, bool]], Layers | None]:
        """The scores of one stream, and its keys and values when they are to be kept."""
        loaded = self._loaded
        tokens, positions, spans, starts = lay_out(
            [(bundle, layers) for bundle in bundles], loaded.model.dtype, loaded.device
        )
        hidden, kept = self._body.stream(tokens, positions, spans, keep=keep)
        wants = [(start + want.offset, want) for node, start in starts for want in node.wants]
        if not wants:
            return [], kept
        found = self._body.score(hidden, [place for place, _ in wants], [want.target for _, want in wants])
        return [
            (want.sequence, logprob, greedy) for (_, want), logprob, greedy in zip(wants, *found, strict=True)
        ], kept

    def _agrees(self) -> bool:
        """Whether a small tree gives what its sequences give alone; a model whose attention does not follow
        the stream shows here and is asked row by row."""
        size = int(getattr(self._loaded.config.get_text_config(), "vocab_size", len(self._loaded.tokenizer)))
        draw = iter(range(1, 1000))

        def some(n: int) -> list[int]:
            return [(7919 * next(draw)) % size for _ in range(n)]

        start, asked = some(6), []
        for context in (start + some(7), start + some(4)):
            for length in (1, 3, 4):
                tail = some(length)
                asked.append(Asked(context + tail[:-1], len(context) - 1, tail))
        numbers = range(len(asked))
        alone = _sums(self._alone(asked, numbers))
        try:
            together = _sums(self._shared(asked, numbers))
            root = build_trie(
                [entry.tokens for entry in asked],
                [[(entry.first + at, target) for at, target in enumerate(entry.targets)] for entry in asked],
            )
            top = root.children[0]
            first, kept = self._pass(
                [Bundle((Node(top.tokens, [], top.wants, len(top.tokens)),), (-1,), 0)], None, keep=True
            )
            behind = _sums([first, *self._descend(top.children, len(top.tokens), kept)])
        except (
            UnsharedError,
            RuntimeError,
            TypeError,
            ValueError,
            IndexError,
            KeyError,
            AttributeError,
        ) as error:
            if is_out_of_memory(error):
                raise
            return False
        near = _TOLERANCE.get(self._loaded.dtype, _TOLERANCE_HALF)
        return all(
            abs(form[number] - alone[number]) <= near * len(asked[number].targets)
            for number in numbers
            for form in (together, behind)
        )


def _sums(passes: Any) -> dict[int, float]:
    found: dict[int, float] = {}
    for scored in passes:
        for number, logprob, _ in scored:
            found[number] = found.get(number, 0.0) + logprob
    return found
