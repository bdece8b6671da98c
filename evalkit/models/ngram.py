"""`baseline/ngram`: an interpolated Kneser-Ney n-gram model over bytes, trained on the task's train split.

Bytes, since every text then has a probability, in any language, without a tokenizer; a token is a byte. The
settings are those with the fewest bits per byte (train -> held out; Witten-Bell and Kneser-Ney, orders 3 to
8, over bytes and over characters, discount 0.5 and 0.75):

                                     Kneser-Ney 0.75, order 5        Witten-Bell, best order
                                     bytes       characters          bytes       characters
    language_modelling_zh (1.4k ->)  3.80        4.10                3.97        4.15
    language_modelling_en (5.2k ->)  2.88        2.88                3.04        3.04
    Shakespeare          (100k ->)   2.92        2.92                3.28        3.28

Definition: Chen and Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling",
equation 20 with one discount, and the uniform distribution over 256 bytes below the unigrams.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from evalkit.core.records import Loglikelihood, Request, Response, TaskView, Usage, flatten
from evalkit.models.protocol import Model, ModelBase, unsupported

__all__ = ["ByteModel", "NgramModel"]

ORDER = 5
DISCOUNT = 0.75
MAX_TRAIN_BYTES = 1_000_000
"""Training stops here (one to two seconds); a note says when."""
DEFAULT_MAX_TOKENS = 256

# Bytes that no UTF-8 text contains.
_START, _END = 0xFE, 0xFF
_NO_TRAIN = "no training text: every byte has the same chance"


class ByteModel:
    """The distribution of the next byte after a text."""

    def __init__(self, texts: Iterable[str], order: int = ORDER, discount: float = DISCOUNT) -> None:
        self.reach = order - 1
        """How many bytes back it looks."""
        self.discount = discount
        self.truncated = False
        self._successors: dict[bytes, dict[int, int]] = {}
        self._totals: dict[bytes, int] = {}
        self._distributions: dict[bytes, list[float]] = {}
        self._count(texts)

    def _count(self, texts: Iterable[str]) -> None:
        """Counts of the longest n-grams; below them, in how many different contexts each n-gram occurs."""
        grams: Counter[bytes] = Counter()
        room = MAX_TRAIN_BYTES
        for text in texts:
            content = _encode(text)
            self.truncated = self.truncated or len(content) > room
            padded = bytes([_START] * self.reach) + content[:room] + bytes([_END])
            grams.update(padded[i : i + self.reach + 1] for i in range(len(padded) - self.reach))
            room -= len(content[:room])
            if room <= 0:
                break
        while grams:
            for gram, count in grams.items():
                context = gram[:-1]
                self._successors.setdefault(context, {})[gram[-1]] = count
                self._totals[context] = self._totals.get(context, 0) + count
            grams = Counter(gram[1:] for gram in grams if len(gram) > 1)

    @property
    def is_empty(self) -> bool:
        """Whether it was trained on nothing."""
        return not self._totals

    def probability(self, context: bytes, byte: int) -> float:
        """The probability of a byte after a context of `reach` bytes; never zero."""
        value = 1 / 256
        for start in range(self.reach, -1, -1):
            successors = self._successors.get(context[start:])
            if successors is None:
                break
            total = self._totals[context[start:]]
            value *= self.discount * len(successors)
            count = successors.get(byte)
            value = (value + (count - self.discount if count else 0.0)) / total
        return value

    def distribution(self, context: bytes) -> list[float]:
        """The probabilities of all 256 bytes after a context of `reach` bytes; their sum is 1."""
        known = self._distributions.get(context)
        if known is not None:
            return known
        values = [1 / 256] * 256
        for start in range(self.reach, -1, -1):
            successors = self._successors.get(context[start:])
            if successors is None:
                break
            total = self._totals[context[start:]]
            weight = self.discount * len(successors) / total
            values = [value * weight for value in values]
            for byte, count in successors.items():
                values[byte] += (count - self.discount) / total
        if len(self._distributions) < 4096:
            self._distributions[context] = values
        return values

    def context(self, content: bytes) -> bytes:
        """The last `reach` bytes of a text, filled up with start marks."""
        return bytes([_START] * (self.reach - len(content))) + content[max(0, len(content) - self.reach) :]

    def score(self, prefix: bytes, content: bytes) -> Loglikelihood:
        """The loglikelihood of the content after the prefix, one token a byte."""
        whole = self.context(prefix) + content
        logprob, is_greedy = 0.0, not self.is_empty
        for at in range(self.reach, len(whole)):
            context = whole[at - self.reach : at]
            chance = self.probability(context, whole[at])
            logprob += math.log(chance)
            is_greedy = is_greedy and chance >= max(self.distribution(context))
        return Loglikelihood(min(logprob, 0.0), len(content), is_greedy)


class NgramModel(ModelBase):
    """The n-gram baseline: unbound it only knows its name; bound, it has read the task's train split."""

    name = "baseline/ngram"
    capabilities = frozenset({"generate", "loglikelihood", "rolling"})

    def __init__(self, seed: int = 0, task: TaskView | None = None) -> None:
        self.seed = seed
        self.task = task
        self.identity = {"route": self.name, "seed": seed, "order": ORDER, "discount": DISCOUNT}
        if task is not None and task.kind == "generate" and not task.train_texts:
            self.capabilities = frozenset()  # it would write noise

    def bind(self, task: TaskView) -> Model:
        """An n-gram model of this task's `train_texts`, which are read at the first request."""
        return NgramModel(self.seed, task)

    @cached_property
    def _bytes(self) -> ByteModel:
        return ByteModel(self.task.train_texts if self.task else ())

    def _trained(self, capability: str) -> tuple[ByteModel, tuple[str, ...]]:
        if self.task is None:
            raise unsupported(self.name, capability, "it is not bound to a task; call bind(task) first")
        model = self._bytes
        if model.is_empty:
            return model, (_NO_TRAIN,)
        return model, (f"trained on the first {MAX_TRAIN_BYTES} bytes",) if model.truncated else ()

    async def loglikelihood(self, request: Request) -> Response:
        """The loglikelihoods of the continuations after the prompt, or of the text of a rolling request."""
        rolling = request.kind == "rolling"
        model, notes = self._trained("rolling" if rolling else "loglikelihood")
        if rolling:
            return Response(loglikelihoods=(model.score(b"", _encode(request.text)),), notes=notes)
        prompt = _encode(flatten(request.messages))
        scores = tuple(model.score(prompt, _encode(text)) for text in request.continuations)
        return Response(loglikelihoods=scores, notes=notes)

    async def generate(self, request: Request) -> Response:
        """The likeliest continuation, byte by byte, or a sample when a temperature is set."""
        model, notes = self._trained("generate")
        if model.is_empty:
            return Response(text="", finish_reason="stop", notes=notes)
        prompt = _encode(flatten(request.messages))
        rng = random.Random(f"{request.params.get('seed', self.seed)}:{request.sample_id}:{request.repeat}")
        content, finish_reason = _continue(model, prompt, request.params, rng)
        return Response(
            status="truncated" if finish_reason == "length" else "ok",
            text=content.decode("utf-8", "ignore"),
            finish_reason=finish_reason,
            usage=Usage(input=len(prompt), output=len(content)),
            notes=notes,
        )


def _continue(
    model: ByteModel, prompt: bytes, params: Mapping[str, Any], rng: random.Random
) -> tuple[bytes, str]:
    """What comes after the prompt, and why it stopped. Understands temperature, max_tokens and stop."""
    temperature = float(params.get("temperature") or 0.0)
    limit = params.get("max_tokens", params.get("max_completion_tokens"))
    limit = DEFAULT_MAX_TOKENS if limit is None else int(limit)
    given = params.get("stop") or ()
    stops = [_encode(stop) for stop in ([given] if isinstance(given, str) else given) if stop]
    content = bytearray()
    context = model.context(prompt)
    missing = 0
    while len(content) < limit:
        weights = _valid(model.distribution(context), missing)
        byte = _draw(weights, temperature, rng)
        if byte == _END:
            return bytes(content), "stop"
        missing = missing - 1 if missing else _continuation_bytes(byte)
        content.append(byte)
        context = (context + bytes([byte]))[1:]
        for stop in stops:
            if content.endswith(stop):
                return bytes(content[: -len(stop)]), "stop"
    return bytes(content), "length"


def _draw(weights: Sequence[float], temperature: float, rng: random.Random) -> int:
    top = max(weights)
    if temperature <= 0:
        return weights.index(top)
    return rng.choices(range(256), [(weight / top) ** (1 / temperature) for weight in weights])[0]


def _valid(weights: Sequence[float], missing: int) -> list[float]:
    """The weights with those of bytes that cannot stand here in UTF-8 set to zero; the end may, between
    characters."""
    if missing:
        return [weight if 0x80 <= byte <= 0xBF else 0.0 for byte, weight in enumerate(weights)]
    return [
        weight if byte < 0x80 or 0xC2 <= byte <= 0xF4 or byte == _END else 0.0
        for byte, weight in enumerate(weights)
    ]


def _continuation_bytes(byte: int) -> int:
    return 0 if byte < 0x80 else 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
