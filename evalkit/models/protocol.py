"""What every model offers, and the defaults for what it need not say.

The runner alone retries, limits, caches and counts. A model turns one request into one response, or raises
`CallError`, which carries what the runner should do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args, runtime_checkable

from evalkit.core.errors import CallError
from evalkit.core.records import Request, Response, Sample, TaskView

Capability = Literal["generate", "loglikelihood", "rolling", "chat", "top_logprobs", "tools"]
"""What a model can do.

generate: continue a prompt; loglikelihood: score continuations of a prompt; rolling: score a whole text;
chat: tell system, user and assistant apart; top_logprobs: show the likeliest tokens beside the generated;
tools: call functions that the request describes.
"""

CAPABILITIES: tuple[str, ...] = get_args(Capability)
"""All capabilities, in the order in which they are shown."""


@runtime_checkable
class Model(Protocol):
    """One model under test. Its methods may run concurrently, up to `max_connections`."""

    @property
    def name(self) -> str:
        """The name in results: an alias, else `provider/name`."""

    @property
    def capabilities(self) -> frozenset[str]:
        """A subset of `CAPABILITIES`. Empty once bound: the model has nothing to say on that task."""

    @property
    def cacheable(self) -> bool:
        """Whether responses are worth keeping: False where nothing is paid and nothing is slow."""

    @property
    def identity(self) -> Mapping[str, Any]:
        """Everything beside the request that decides an answer (route, api_base, revision, ...), as JSON."""

    @property
    def max_connections(self) -> int | None:
        """The most requests at a time; None leaves it to the runner."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the results must know of this model; empty for most."""

    def bind(self, task: TaskView) -> Model:
        """The model for the requests of one task: built-ins learn the task, others return themselves."""

    async def generate(self, request: Request) -> Response:
        """The text that continues the messages of a `generate` request."""

    async def loglikelihood(self, request: Request) -> Response:
        """The loglikelihoods that a `loglikelihood` or a `rolling` request asks for."""

    async def aclose(self) -> None:
        """Nothing; releases connections and files."""


@runtime_checkable
class Laned(Protocol):
    """A model whose calls can be made in several ways."""

    def use_lane(self, lane: str) -> None:
        """Make the calls by this lane: stock, safe, fast, or auto for the fastest that works."""


@runtime_checkable
class Placed(Protocol):
    """A model that is computed outside this process."""

    @property
    def placement(self) -> tuple[str, ...]:
        """Where it was computed, by how many, what was lost: facts of this execution, not of its results."""


@runtime_checkable
class Templated(Protocol):
    """A model in this process whose prompts may go through a chat template."""

    @property
    def chats_always(self) -> bool:
        """Whether likelihoods go through the template, too; if not, only generation does."""

    def without_template(self) -> Model:
        """The same model asked in plain text."""


@runtime_checkable
class Worded(Protocol):
    """A built-in model that writes right answers in the form in which a prompt asks for them."""

    def word(self, answer: Callable[[Sample], str]) -> Model:
        """The model for one prompt; `answer` gives the right answer to a sample in the prompt's form."""


class ModelBase:
    """A model with the defaults: it can do nothing, is not cached, and is the same for every task."""

    name: str = ""
    capabilities: frozenset[str] = frozenset()
    cacheable: bool = False
    max_connections: int | None = None
    notes: tuple[str, ...] = ()
    obstacle: str = ""
    """Why a bound model cannot be asked on its task, though others of its kind can; empty for most."""
    identity: Mapping[str, Any] = MappingProxyType({})

    def bind(self, task: TaskView) -> Model:
        """This model itself: most models know nothing of tasks."""
        return self

    def manner(self, kind: str) -> str:
        """How a model's numbers for requests of this kind (loglikelihood, rolling) come about where they do
        not compare with those of other models, for signatures; empty for most."""
        return ""

    async def generate(self, request: Request) -> Response:
        """Never a response: a model that generates overrides this."""
        raise unsupported(self.name, "generate")

    async def loglikelihood(self, request: Request) -> Response:
        """Never a response: a model that gives likelihoods overrides this."""
        raise unsupported(self.name, "rolling" if request.kind == "rolling" else "loglikelihood")

    async def aclose(self) -> None:
        """Nothing: there is nothing to release."""


_LACKS = {
    "generate": "generate text",
    "loglikelihood": "give the loglikelihood of a continuation",
    "rolling": "give the loglikelihood of a text",
}


def unsupported(name: str, capability: str, why: str = "") -> CallError:
    """The error of a model that is asked for what it cannot do: no other sample will fare better."""
    lack = _LACKS.get(capability, capability)
    reason = f": {why}" if why else ""
    return CallError(f"{name} cannot {lack}{reason}", kind="unsupported", action="stop_model")
