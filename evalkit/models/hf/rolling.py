"""The likelihood of whole texts, longer than the model's context too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evalkit.core.errors import CallError
from evalkit.core.records import Loglikelihood
from evalkit.models.hf.encoding import encode_texts
from evalkit.models.hf.engine import Scores, TextItem
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.options import stride
from evalkit.models.hf.scoring import Asked, Scorer

__all__ = ["score_texts", "windows"]


def score_texts(
    loaded: Loaded, scorer: Scorer, items: Sequence[TextItem]
) -> Iterator[tuple[int, Scores | CallError]]:
    """(position, likelihood of the text) of each item, as they come.

    The first token is predicted from BOS (EOS where there is none), which is never a target itself; of a
    tokenizer with neither, the first token is not scored and not counted.
    """
    asked: list[Asked] = []
    owners: list[int] = []
    left, totals, counts, n_input = [], [], [], []
    for number, tokens in enumerate(encode_texts(loaded, [item.text for item in items], special=False)):
        parts = windows(tokens, loaded.prefix_token, loaded.max_length, _stride(loaded))
        asked += parts
        owners += [number] * len(parts)
        left.append(len(parts))
        totals.append(0.0)
        counts.append(sum(len(part.targets) for part in parts))
        n_input.append(len(tokens))
        if not parts:
            yield number, Scores((Loglikelihood(0.0, 0, True),), len(tokens))
    greedy = [True] * len(left)
    for which, found in scorer.score(asked):
        number = owners[which]
        totals[number] += found.logprob
        greedy[number] = greedy[number] and found.greedy
        left[number] -= 1
        if not left[number]:
            likelihood = Loglikelihood(min(0.0, totals[number]), counts[number], greedy[number])
            yield number, Scores((likelihood,), n_input[number])


def _stride(loaded: Loaded) -> int | None:
    """Tokens by which a window moves; None for disjoint windows."""
    if loaded.options.rolling != "strided":
        return None
    return stride(loaded.options, loaded.max_length)


def windows(tokens: Sequence[int], prefix: int | None, longest: int, moves: int | None) -> list[Asked]:
    """The windows of a text, each target in exactly one.

    Disjoint windows (`moves` None) are those of lm_eval 0.4.13 (utils.get_rolling_token_windows and
    make_disjoint_window with context_len 1): the first tokens behind the prefix, then the next behind the
    last token before, and the rest behind as much as fits. Strided windows are as long as the model takes,
    move by `moves`, and score what is new in them.
    """
    whole = list(tokens) if prefix is None else [prefix, *tokens]
    n_targets = len(whole) - 1  # whole[i] is the input whose prediction is whole[i + 1]
    step = longest if moves is None else min(moves, longest)
    found = []
    done = 0
    while done < n_targets:
        end = min(n_targets, done + (longest if not done else step))
        start = max(0, end - longest)
        found.append(Asked(whole[start:end], done - start, whole[done + 1 : end + 1]))
        done = end
    return found
