"""What an executor works on: lanes of requests, each with its place in the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from evalkit.core.records import Request, Response, Sample
from evalkit.models.protocol import Model
from evalkit.models.settings import Price

Ask = Callable[[Request], Awaitable[Response]]
"""Asks the model of a work one request, with its cache, its limits and its retries."""
Consult = Callable[[str, Request], Awaitable[Response]]
"""Asks the judge of this name one request, with its own cache, limits and retries."""


@dataclass(frozen=True, slots=True)
class Asker:
    """What a solver asks with: called with a request it asks the model of the work."""

    ask: Ask
    consult: Consult
    """Asks a judge."""

    def __call__(self, request: Request) -> Awaitable[Response]:
        """The response of the model of the work."""
        return self.ask(request)


Solve = Callable[[Asker], Awaitable[Response]]
"""Asks as often as a sample needs and makes one response of the answers."""
Assess = Callable[[Response, Consult], Awaitable[Response]]
"""Makes of an answer the same answer with what judges said of it."""
Complete = Callable[[Asker], Awaitable["Work | Response"]]
"""Makes a work whole whose request needs other models first; a response that failed where it cannot."""


@dataclass(frozen=True, slots=True)
class Work:
    """One sample's request with its place in the run."""

    cell: int
    position: int
    sample: Sample
    request: Request
    """What is asked; for a sample that takes several calls, what stands for them in the records."""
    model: Model
    solve: Solve | None = None
    """How a sample that takes several calls is worked; None for one call."""
    assess: Assess | None = None
    """How the answer is judged by other models; None when none does."""
    complete: Complete | None = None
    """What the work still lacks before it can be asked, such as passages that another model finds; None for
    most, whose request is whole."""


@dataclass
class Lane:
    """The requests of one model and its limits."""

    name: str
    work: Iterator[Work]
    connections: int = 16
    """Most calls in flight."""
    price: Price | None = None
    adaptive: bool = False
    """Whether the server's answers decide how many calls are in flight, up to `connections`."""
    wide: bool = False
    """Whether the user named `connections`, so that so many are open from the beginning."""
    account: str = ""
    """Whose limits count: provider, key variable and model, shared by its lanes. Empty: the name."""
    slow_delivery: bool = False
    """Whether taking a response may take long, so that even one from the cache gets a task of its own."""
    turn: str | None = None
    """Lanes of one turn are worked one by one (a server that holds one model at a time); None: no turn."""
    rpm: float | None = None
    """Requests a minute; None without a limit."""
    tpm: float | None = None
    """Tokens a minute; None without a limit."""
    model: Model | None = None
    """The model of a lane of judges, whose work comes from other lanes; None for the others."""
    stopped: str | None = None
    """Why the model is not asked any more; None while it is."""
    notes: tuple[str, ...] = ()
    """What became of its limits, once it is finished."""


@dataclass
class Progress:
    """What a watcher of a run sees."""

    done: int = 0
    cached: int = 0
    errors: int = 0
    retries: int = 0
    in_flight: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    """Failed responses by the kind of their error."""


Deliver = Callable[[Work, Response], Awaitable[None] | None]
"""Takes a response; what takes long is awaited, while other calls go on."""
