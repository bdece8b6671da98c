"""The lanes of one model, the fastest first: a call is made in the fastest that works, and no lane takes
another down.

A lane whose glue meets something unexpected is given up for the run: the call is made again in the next
slower one at once, and the run says so. The stock lane has no glue of ours.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from evalkit.core.errors import CallError
from evalkit.core.redaction import redact
from evalkit.models import _litellm, catalog
from evalkit.models.calls import own_fault, translated
from evalkit.models.fast_lane import CHECKS, FastLane
from evalkit.models.lanes import (
    BrokenLaneError,
    Connection,
    SafeLane,
    UnreadableError,
    first_line,
    is_probed,
    stock,
)
from evalkit.models.memory import Memory
from evalkit.models.parameters import Plan
from evalkit.models.resolution import Resolved
from evalkit.models.seam import Lane, NoFitError, Verdicts
from evalkit.models.wire import Exchange, Wire, current_exchange

__all__ = ["CHECKS", "Ladder"]

_MISREAD = 3
"""Replies that plain LiteLLM reads and the safe lane does not, after which the lane is given up."""


class Ladder:
    """The ways to call one model."""

    def __init__(
        self, resolved: Resolved, lane: Lane | None, *, folder: Path | None, checks: int = CHECKS
    ) -> None:
        """`lane` is the fastest that may be used, tried whatever was found before; None is the fastest that
        is not known to be broken. `folder` is where findings are remembered; None remembers nothing."""
        self.connection = Connection(resolved, Wire("evalkit"))
        self._lane = lane
        self._folder = folder
        self._checks = checks
        self._verdicts: Verdicts | None = None
        self._safe: SafeLane | None = None
        self._fast: FastLane | None = None
        self._alike: set[str] = set()
        self._uses_stock = False
        self._misread = 0
        self._worked: set[str] = set()
        self._notes: dict[str, None] = {}

    @property
    def lane(self) -> Lane:
        """The lane in which the next call is made."""
        if self._verdicts is None:
            self._open()
        return "fast" if self._fast is not None else "safe" if self._safe is not None else "stock"

    @property
    def notes(self) -> tuple[str, ...]:
        """How the calls were made, for the record of the run; nothing for the plain safe lane."""
        fast = self._fast.notes if self._fast is not None else ()
        safe = tuple(self._safe.notes) if self._safe is not None else ()
        return (*self._notes, *fast, *safe)

    def recall(self) -> Mapping[bytes, Plan]:
        """What is sent for the sets of parameters of an earlier run.

        Raises CallError (authentication, stop_model) when the key that the settings name is not set.
        """
        return self._open().plans if self._verdicts is None else {}

    def _open(self) -> Memory:
        """What is remembered of this model; the lanes are there afterwards."""
        connection, resolved = self.connection, self.connection.resolved
        key = connection.read_key()
        self._verdicts = verdicts = Verdicts.open(self._folder)
        memory = Memory.open(resolved, None, key, self._checks)
        if self._lane == "stock" or not is_probed(resolved):
            return memory
        if self._lane is not None or f"safe {resolved.provider}" not in verdicts.broken:
            self._safe = SafeLane(connection, verdicts)
            if self._lane == "fast" or (
                self._lane is None and f"fast {resolved.provider}" not in verdicts.broken
            ):
                memory = Memory.open(resolved, self._folder, key, self._checks)
                self._fast = FastLane(connection, self._safe, self.wake, checks=self._checks, memory=memory)
        if self._lane is None:
            self._notes |= {
                f"warning: {why}; it is left out until --lane {lane} finds that it works": None
                for lane in ("safe", "fast")
                if (why := verdicts.broken.get(f"{lane} {resolved.provider}"))
            }
        return memory

    async def wake(self) -> None:
        """Nothing; LiteLLM is imported and told of the model."""
        if self.connection.litellm is None:
            await self.connection.open()

    async def ask(
        self, function: str, given: Mapping[str, Any], exchange: Exchange
    ) -> tuple[Any, float | None]:
        """(LiteLLM's reply, seconds on the wire), else CallError or RefusedError.

        The exchange's deadline is for each attempt on the network, not for what is loaded and found out
        before the first.
        """
        if self._verdicts is None:
            self._open()
        connection = self.connection
        token = current_exchange.set(exchange)
        began = time.perf_counter()
        try:
            with translated(connection.resolved.name, exchange, redact, connection.cures):
                reply = await self._read(function, given, exchange)
        finally:
            current_exchange.reset(token)
        return reply, exchange.seconds if exchange.seconds is not None else time.perf_counter() - began

    async def _read(self, function: str, given: Mapping[str, Any], exchange: Exchange) -> Any:
        """The reply; a good one that LiteLLM cannot read is asked for once more, of plain LiteLLM."""
        try:
            return await self._descend(function, given, exchange)
        except UnreadableError as error:
            first = error
        answered, body = exchange.answered, exchange.reply_body
        try:
            reply = await self._stock(function, given, exchange, None)
        except UnreadableError as second:
            raise self._unreadable(second, answered, body or b"") from None
        self._misread += 1
        if self._misread >= _MISREAD and self._safe is not None:
            self._give_up("safe", BrokenLaneError(first.cause, "safe"))
        return reply

    def _unreadable(self, error: UnreadableError, answered: bool, body: bytes) -> CallError:
        """The failure of a call that LiteLLM cannot make, or whose reply it cannot read, asked twice."""
        connection = self.connection
        what = first_line(own_fault(error.cause) or error.cause)
        text = f"{connection.resolved.name}: LiteLLM {catalog.litellm_version()} itself failed ({what})"
        if not answered:
            return CallError(f"{text}, and again when asked once more", kind="litellm", action="fail_sample")
        shown = redact(body.decode("utf-8", "replace"))[:120]
        return CallError(
            f"{text} on the server's answer, and again on a second one. The answer begins: {shown!r}",
            kind="invalid_response",
            action="fail_sample",
        )

    async def _descend(self, function: str, given: Mapping[str, Any], exchange: Exchange) -> Any:
        """The reply by the fastest lane that works."""
        broken: BrokenLaneError | None = None
        if self._fast is not None:
            try:
                reply = await self._fast.ask(function, given, exchange)
                self._worked |= {"fast", "safe"}
                return reply
            except BrokenLaneError as error:
                broken = error
                if error.lane == "fast":
                    self._give_up("fast", error)
                    broken = None
        await self.wake()
        if self._safe is not None and broken is None:
            try:
                reply = await self._safe.ask(function, given, exchange)
                self._worked.add("safe")
                return reply
            except BrokenLaneError as error:
                broken = error
        return await self._stock(function, given, exchange, broken)

    async def _stock(
        self,
        function: str,
        given: Mapping[str, Any],
        exchange: Exchange,
        broken: BrokenLaneError | None,
    ) -> Any:
        """The reply to the plain call, made since the safe lane is `broken`, if it is given."""
        local = broken.local if broken is not None else None
        if local is not None and _shape(local) in self._alike:
            exchange.observed = True
            raise local.with_traceback(None)
        exchange.clear()
        exchange.observed = False
        if not self._uses_stock:
            self._uses_stock = True
            _litellm.StockClients.enter()
        try:
            async with asyncio.timeout(exchange.deadline_s):
                reply = await stock(self.connection, function, given)
        except TimeoutError:
            raise
        except Exception as error:
            if local is not None and _shape(error) == _shape(local):
                self._alike.add(_shape(error))  # LiteLLM will not have this request, whoever sends it
                exchange.observed = True
                raise
            if broken is not None:
                self._give_up("safe", broken)
            if own_fault(error) is not None and getattr(error, "status_code", None) in (None, 500):
                raise UnreadableError(error) from error
            raise
        if broken is not None:
            self._give_up("safe", broken)
        return reply

    def _give_up(self, lane: Literal["safe", "fast"], broken: BrokenLaneError) -> None:
        """Nothing; the lane is not used again in this run, nor at first in those of the next days."""
        if (self._fast if lane == "fast" else self._safe) is None:
            return
        connection = self.connection
        why = first_line(broken.cause)
        slower = "the safe lane" if lane == "fast" else "plain LiteLLM"
        provider = connection.resolved.provider
        text = f"the {lane} lane does not fit LiteLLM {catalog.litellm_version()} ({why})"
        if isinstance(broken.cause, NoFitError):
            self._notes[
                f"plain LiteLLM {catalog.litellm_version()} made the calls: it takes no client of ours"
            ] = None
        else:
            self._notes[f"warning: {text}; {slower} took over"] = None
        if self._fast is not None:
            self._notes |= dict.fromkeys(self._fast.notes)
        if self._safe is not None:
            self._notes |= self._safe.notes
        self._fast = None
        self._worked -= {"fast", lane}
        if lane == "safe":
            self._safe = None
        if self._verdicts is not None and not isinstance(broken.cause, NoFitError):
            self._verdicts.broken[f"{lane} {provider}"] = text
            self._verdicts.keep()

    async def aclose(self, plans: Mapping[bytes, Plan]) -> None:
        """Nothing; closes the connections, LiteLLM's own too where it made some, and remembers what has been
        compiled."""
        connection = self.connection
        await connection.wire.aclose()
        if self._uses_stock:
            self._uses_stock = False
            await _litellm.StockClients.leave()
        if self._fast is not None:
            self._fast.remember(plans, connection.read_key())
        if self._verdicts is not None:
            provider = connection.resolved.provider
            mended = [lane for lane in self._worked if f"{lane} {provider}" in self._verdicts.broken]
            for lane in mended:
                del self._verdicts.broken[f"{lane} {provider}"]
            if mended:
                self._verdicts.keep()


def _shape(error: Exception) -> str:
    """What an exception says, without the numbers and addresses in which two of a kind differ."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", first_line(error))
