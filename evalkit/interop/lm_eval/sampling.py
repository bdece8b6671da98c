"""Which worked examples stand before a document: one random stream per task, in document order.

The draws equal those of lm-evaluation-harness 0.4.13 for one process (world size 1): `random.sample` over
the pool; one more is drawn, and the document itself left out, when the few-shot split and the test split
have the same name. Both unset counts as the same name.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.core.errors import PromptError, did_you_mean
from evalkit.interop.lm_eval.config import TaskConfig

Doc = Mapping[str, Any]


class Sampler:
    """Draws positions in the pool; a call for every document, in order."""

    def __init__(self, pool: Sequence[Doc], seed: int, where: str) -> None:
        self.pool = pool
        self._rng = random.Random(seed)
        self._where = where

    def draw(self, n_shots: int, exclude: Doc | None) -> Sequence[int]:
        """The positions of the worked examples. Raises PromptError when the pool is too small."""
        raise NotImplementedError

    def too_few(self, wanted: int, there: int) -> PromptError:
        """The error of a pool that is too small."""
        return PromptError(
            f"{self._where}: {wanted} worked examples are wanted, the few-shot data has {there}; "
            "lower --num-fewshot"
        )


class RandomSampler(Sampler):
    """`sampler: default`."""

    def draw(self, n_shots: int, exclude: Doc | None) -> Sequence[int]:
        """A random sample without repetition; see the module's docstring for the exclusion."""
        pool = self.pool
        n_drawn = n_shots + 1 if exclude else n_shots
        if n_drawn > len(pool):
            raise self.too_few(n_drawn, len(pool))
        drawn = self._rng.sample(range(len(pool)), n_drawn)
        if not exclude:
            return drawn
        kept = [position for position in drawn if pool[position] != exclude][:n_shots]
        if len(kept) == n_shots:
            return kept
        others = [position for position, doc in enumerate(pool) if doc != exclude]
        if n_shots > len(others):
            raise self.too_few(n_shots, len(others))
        return self._rng.sample(others, n_shots)


class FirstSampler(Sampler):
    """`sampler: first_n`."""

    def draw(self, n_shots: int, exclude: Doc | None) -> Sequence[int]:
        """The first of the pool, the document itself left out where it is to be excluded."""
        if exclude is None:
            positions: Sequence[int] = range(len(self.pool))
        else:
            positions = [position for position, doc in enumerate(self.pool) if doc != exclude]
        if n_shots > len(positions):
            raise self.too_few(n_shots, len(positions))
        return positions[:n_shots]


class CustomSampler(Sampler):
    """A sampler class of the task's own Python, with `set_rnd` and `sample(n, eval_doc=...)`."""

    def __init__(self, pool: Sequence[Doc], seed: int, where: str, made_by: Any) -> None:
        super().__init__(list(pool), seed, where)
        self._positions = {id(doc): position for position, doc in enumerate(pool)}
        try:
            self._sampler = made_by(list(pool), rnd=None)
            self._sampler.set_rnd(seed)
        except Exception as error:
            raise PromptError(f"{where}: sampler: {type(error).__name__}: {error}") from error

    def draw(self, n_shots: int, exclude: Doc | None) -> Sequence[int]:
        """What the task's sampler chooses."""
        try:
            chosen = list(self._sampler.sample(n_shots, eval_doc=exclude))
        except Exception as error:
            raise PromptError(f"{self._where}: sampler: {type(error).__name__}: {error}") from error
        return [self._position(doc) for doc in chosen]

    def _position(self, doc: Doc) -> int:
        if id(doc) not in self._positions:
            self.pool = [*self.pool, doc]
            self._positions[id(doc)] = len(self.pool) - 1
        return self._positions[id(doc)]


_SAMPLERS: Mapping[str, type[Sampler]] = {"default": RandomSampler, "first_n": FirstSampler}


def check_sampler(rule: Any, where: str) -> None:
    """Nothing when the sampler is known. Raises PromptError."""
    if not callable(rule) and rule not in _SAMPLERS:
        raise PromptError(
            f"{where}: fewshot_config.sampler: no sampler {rule!r}; there are: {', '.join(_SAMPLERS)}."
            + did_you_mean(str(rule), _SAMPLERS)
        )


def make_sampler(config: TaskConfig, pool: Sequence[Doc], seed: int, where: str) -> Sampler:
    """The sampler of a task at the start of its stream. Raises PromptError."""
    rule = config.fewshot_config.sampler
    check_sampler(rule, where)
    if callable(rule):
        return CustomSampler(pool, seed, where, rule)
    return _SAMPLERS[rule](pool, seed, where)


def excludes(config: TaskConfig) -> bool:
    """Whether the evaluated document is kept out of its own worked examples, by the field's rule."""
    return config.fewshot_config.split == config.test_split
