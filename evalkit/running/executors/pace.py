"""Calls spread over time: the rates that a user configured, and the rate that a server is seen to allow.

Concurrency alone cannot follow a limit of requests per minute: a fast server refuses most calls of even a
single connection. While a server refuses, what it accepts is its limit; that rate is then kept, and tried a
little higher as long as nothing is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_BURST_S = 0.2
"""Seconds of a configured rate that may be used at once."""
_LEARN_S = 1.0
"""Seconds of refusals before a rate is believed, and between two changes of it."""
_LEARN_CALLS = 5
"""Accepted calls before a rate is believed."""
_REFUSED_SHARE = 0.3
"""Where fewer calls than this are refused, the trouble is no rate limit."""
_HOPE = 1.2
"""A first estimate is raised by this: calls that were asleep at the time are missing in it."""
_LEAST_BACK, _MOST_BACK = 0.98, 0.8
_STEP, _LARGEST_STEP, _STEP_DOUBLES_S = 0.03, 0.25, 2.0


class Bucket:
    """A rate of something per second, as the times at which the next calls may start."""

    def __init__(self, per_s: float, burst: float = 0.0) -> None:
        self.per_s = per_s
        self._burst_s = burst / per_s
        self._next = 0.0

    def take(self, amount: float, now: float) -> float:
        """Seconds to wait until `amount` is allowed; it is taken at once."""
        begin = max(self._next, now - self._burst_s)
        self._next = begin + amount / self.per_s
        return max(0.0, begin - now)

    def give_back(self, amount: float) -> None:
        """Correct what was taken: less was used (or more, when negative)."""
        self._next -= amount / self.per_s


class Pace:
    """When the next call of an account may start."""

    def __init__(
        self, rpm: float | None = None, tpm: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._requests = Bucket(rpm / 60, max(1.0, rpm / 60 * _BURST_S)) if rpm else None
        self._tokens = Bucket(tpm / 60, tpm / 60 * _BURST_S) if tpm else None
        self._learnt: Bucket | None = None
        self._since: float | None = None
        self._accepted = self._refused = 0
        self._changed = self._refused_at = self._grown_at = 0.0
        self._base = 0.0
        self.learnt_rpm: list[float] = []
        """The rates that were learnt, requests per minute, in order."""

    @property
    def learning(self) -> bool:
        """Whether a rate is being kept that the server taught us."""
        return self._learnt is not None

    @property
    def counts_tokens(self) -> bool:
        """Whether the tokens of a call matter."""
        return self._tokens is not None

    def take(self, tokens: float) -> float:
        """Seconds to wait before the next call, which is counted now."""
        if self._requests is None and self._tokens is None and self._learnt is None:
            return 0.0
        now = self._clock()
        wait = self._requests.take(1, now) if self._requests else 0.0
        if self._tokens is not None:
            wait = max(wait, self._tokens.take(tokens, now))
        if self._learnt is not None:
            self._grow(now)
            if self._learnt is not None:
                wait = max(wait, self._learnt.take(1, now))
        return wait

    def used(self, reserved: float, tokens: int | None) -> None:
        """Correct a call's tokens by what it really took; None leaves the estimate."""
        if self._tokens is not None and tokens is not None:
            self._tokens.give_back(reserved - tokens)

    def accepted(self) -> None:
        """Take note of a call that the server took."""
        if self._since is not None:
            self._accepted += 1  # since the first refusal, then since the last change of the rate

    def refused(self) -> None:
        """Take note of a 429 that came with a time to wait."""
        now = self._clock()
        self._refused_at = now
        if self._learnt is not None:
            span, rate = now - self._changed, self._learnt.per_s
            if span >= _LEARN_S:
                seen = self._accepted / span
                self._set(min(max(seen, rate * _MOST_BACK), rate * _LEAST_BACK), now)
            return
        if self._since is None or now - self._since > 30 * _LEARN_S:
            self._since, self._accepted, self._refused = now, 0, 0
        self._refused += 1
        span = now - self._since
        share = self._refused / (self._refused + self._accepted)
        if span >= _LEARN_S and self._accepted >= _LEARN_CALLS and share >= _REFUSED_SHARE:
            self._set(_HOPE * self._accepted / span, now)

    def _set(self, per_s: float, now: float) -> None:
        if self._learnt is None:
            self._learnt = Bucket(per_s)
        self._learnt.per_s = self._base = max(per_s, 1e-3)
        self._accepted = 0
        self._changed = self._grown_at = now
        self.learnt_rpm.append(round(per_s * 60, 1))
        del self.learnt_rpm[1:-200]

    def _grow(self, now: float) -> None:
        """Try a little more for every second without a refusal, ever faster; let go of a limit that went."""
        if self._learnt is None or now - self._grown_at < 1.0:
            return
        clean = now - max(self._refused_at, self._changed)
        step = min(_LARGEST_STEP, _STEP * 2 ** (clean / _STEP_DOUBLES_S))
        self._learnt.per_s *= (1 + step) ** min(now - self._grown_at, 5.0)
        self._grown_at = now
        if self._learnt.per_s > 10 * self._base:
            self._learnt = self._since = None
