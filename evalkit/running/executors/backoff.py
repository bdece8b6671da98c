"""How long to wait before a failed call is made again, and when to give it up."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from evalkit.core.errors import CallError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failed calls are asked again."""

    max_retries: int = 8
    """Most further attempts; a server that only asks for patience (429) is asked until `total_s`."""
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    total_s: float = 900.0
    """No further attempt starts later than this after the first."""

    def wait(self, attempt: int, asked: float | None, rng: random.Random) -> float:
        """Seconds to wait before the next attempt: what the server asked for, else full jitter.

        Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        """
        if asked is not None:
            return asked + rng.uniform(0, self.first_wait_s)
        return rng.uniform(0, min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(attempt, 30)))

    def gives_up(
        self,
        failure: CallError,
        attempt: int,
        elapsed_s: float,
        wait_s: float,
        before: CallError | None = None,
    ) -> bool:
        """Whether the call is not made again after this failure; `before` is the one of the last attempt."""
        if failure.action != "retry" or elapsed_s + wait_s > self.total_s:
            return True
        if failure.kind == "litellm":  # the server answered, and was paid: once more at most
            return attempt >= 1
        if failure.paid and before is not None and before.paid and _shape(failure) == _shape(before):
            return True  # malformed the same way twice: a third would cost as much and be no better
        return attempt >= self.max_retries and failure.kind != "rate_limit"

    def told(self, failure: CallError, elapsed_s: float) -> CallError:
        """The failure; where the server asks for more patience than there is, its message says so."""
        asked = failure.retry_after
        if failure.action != "retry" or asked is None or elapsed_s + asked <= self.total_s:
            return failure
        said = (
            f"{str(failure).rstrip('.')}; the server asks to wait {asked:,.0f} s; evalkit waits at most "
            f"{self.total_s:,.0f} s for one call"
        )
        told = CallError(said, kind=failure.kind, action=failure.action, retry_after=asked)
        told.paid, told.paid_usd = failure.paid, failure.paid_usd
        return told


def _shape(failure: CallError) -> str:
    """What a failure says, without the numbers in which two of a kind differ."""
    return f"{failure.kind} {re.sub(r'[0-9]+', '#', str(failure))}"
