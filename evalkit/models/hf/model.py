"""A model of transformers behind the protocol of all models; one thread computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Request, Response, Usage
from evalkit.core.records import digest as digest_of
from evalkit.models.hf.batching import BatchSize, Worker
from evalkit.models.hf.encoding import render_prompt
from evalkit.models.hf.engine import ChoiceItem, Engine, Generated, GenerationItem, Scores, TextItem
from evalkit.models.hf.engines import make_engine
from evalkit.models.hf.loading import LOADING, Description, Family, Loaded, load
from evalkit.models.hf.options import HfOptions, stride
from evalkit.models.protocol import ModelBase, unsupported

__all__ = ["HfModel"]

MAX_CONNECTIONS = 2048
"""Requests that are taken up together: enough that shared beginnings of prompts meet."""
_CPU_TOKENS = 4096
_DEVICE_TOKENS = 32768

_CAPABILITIES: Mapping[Family, frozenset[str]] = {
    "decoder": frozenset({"generate", "loglikelihood", "rolling"}),
    "encoder_decoder": frozenset({"generate", "loglikelihood"}),
    "encoder": frozenset({"loglikelihood", "rolling"}),
    "classifier": frozenset({"loglikelihood"}),
}


class HfModel(ModelBase):
    """One model of transformers, loaded at the first request."""

    cacheable = True
    max_connections = MAX_CONNECTIONS

    def __init__(self, name: str, description: Description, options: HfOptions, seed: int = 0) -> None:
        """`seed` decides sampled texts, with the sample and the repeat."""
        self.name = name
        self.description = description
        self.options = options
        self.seed = seed
        self._notes: dict[str, None] = {}
        self._engine: Engine | None = None
        self._loaded: Loaded | None = None
        self._size: BatchSize | None = None
        self._worker = Worker(self._compute)

    @property
    def revision(self) -> str:
        """The commit of a hub model, the SHA-256 of a folder's weights."""
        return self.description.revision or f"sha256:{self.description.weights_digest}"

    @property
    def _chats(self) -> bool:
        return self.description.chat_template is not None and self.options.chat_template != "off"

    @cached_property
    def capabilities(self) -> frozenset[str]:  # type: ignore[override]
        """What the architecture can do; chat where the tokenizer has a template that is used."""
        found = _CAPABILITIES[self.description.family]
        return found | {"chat"} if self._chats and "generate" in found else found

    @cached_property
    def identity(self) -> Mapping[str, Any]:  # type: ignore[override]
        """Weights, tokenizer, template, type of numbers, how long texts are cut: what decides an answer."""
        about, options = self.description, self.options
        template = about.chat_template if self._chats else None
        return {
            "route": "hf",
            "weights": about.weights_digest or f"{about.where}@{about.revision}",
            "config": digest_of(dict(about.config)),
            "tokenizer": about.tokenizer_digest,
            "chat_template": None if template is None else [options.chat_template, digest_of(template)],
            "dtype": options.dtype if options.dtype != "auto" else about.dtype,
            "quantization": options.quantization,
            "max_length": options.max_length,
            "rolling": [options.rolling, options.stride],
            **({"pll": options.pll} if about.family == "encoder" else {}),
            **({"labels": options.labels, "input": options.input} if about.family == "classifier" else {}),
            "seed": self.seed,
        }

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Weights, device, dtype, and what happened on the way (batches halved, a slower form)."""
        notes = list(self._notes)
        notes += getattr(self._engine, "notes", ())
        if self._size is not None and self._size.note is not None:
            notes.append(self._size.note)
        return tuple(notes)

    def manner(self, kind: str) -> str:
        """pll for a masked model, head for a classification head, strided windows; else empty."""
        if self.description.family == "encoder":
            return "pll" if self.options.pll == "original" else f"pll-{self.options.pll}"
        if self.description.family == "classifier":
            return "head"
        if kind == "rolling" and self.options.rolling == "strided":
            return f"strided-{stride(self.options, self.options.max_length or self.description.max_length)}"
        return ""

    async def generate(self, request: Request) -> Response:
        """The text that continues the messages. Raises CallError."""
        self._need("generate")
        prompt = render_prompt(self._template("generate"), self.description, request.messages)
        seed = f"{request.params.get('seed', self.seed)}:{request.sample_id}:{request.repeat}"
        found: Generated = await self._worker.ask("generate", GenerationItem(prompt, request.params, seed))
        return Response(
            status="truncated" if found.finish_reason == "length" else "ok",
            text=found.text,
            finish_reason=found.finish_reason,
            usage=Usage(input=found.n_input, output=found.n_output),
            notes=(*prompt.notes, *found.notes),
        )

    async def loglikelihood(self, request: Request) -> Response:
        """The likelihoods of the continuations, or of the text of a rolling request. Raises CallError."""
        found: Scores
        if request.kind == "rolling":
            self._need("rolling")
            found = await self._worker.ask("rolling", TextItem(request.text))
            notes: tuple[str, ...] = ()
        else:
            self._need("loglikelihood")
            template = self._template("loglikelihood")
            prompt = render_prompt(template, self.description, request.messages)
            continuations = request.continuations
            if prompt.templated and request.messages[-1].role != "assistant":
                # The template ends its turn itself: no space parts the answer from the prompt.
                continuations = tuple(text.removeprefix(" ") for text in continuations)
            found = await self._worker.ask("loglikelihood", ChoiceItem(prompt, continuations))
            notes = prompt.notes
        return Response(
            loglikelihoods=found.loglikelihoods,
            usage=Usage(input=found.n_input, output=0),
            notes=(*notes, *found.notes),
        )

    @property
    def chats_always(self) -> bool:
        """Whether likelihoods go through the chat template, too."""
        return self._chats and self.options.chat_template == "on"

    def without_template(self) -> HfModel:
        """The same model asked in plain text; weights and thread are shared."""
        if not self._chats:
            return self
        twin = HfModel(self.name, self.description, replace(self.options, chat_template="off"), self.seed)
        twin._worker = self._worker
        return twin

    async def aclose(self) -> None:
        """Nothing; ends the thread and lets the weights go."""
        self._worker.close()
        for note in getattr(self._engine, "notes", ()):
            self._note(note)
        self._engine = self._loaded = None

    def _template(self, kind: str) -> str | None:
        """The chat template for requests of this kind; None for plain text."""
        wanted = self.options.chat_template
        if wanted == "on" and self.description.chat_template is None:
            raise CallError(
                f"{self.name}: chat_template is on, and the tokenizer has none",
                kind="unsupported",
                action="stop_model",
            )
        used = self._chats and (kind == "generate" or wanted == "on")
        return self.description.chat_template if used else None

    def _need(self, capability: str) -> None:
        if capability not in self.capabilities:
            raise unsupported(self.name, capability, f"it is a model of the kind {self.description.family}")

    def _compute(self, kind: str, items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """The results of the items, as they come; the weights are loaded first. Runs in the worker."""
        engine = self._engine or self._start()
        yield from getattr(engine, kind)(items)

    def _start(self) -> Engine:
        with LOADING:
            return self._load()

    def _load(self) -> Engine:
        try:
            loaded = load(self.description, self.options)
        except ModelError as error:
            raise CallError(str(error), kind="not_found", action="stop_model") from error
        on_cpu = str(loaded.device) == "cpu"
        self._size = BatchSize(self.options.batch_tokens or (_CPU_TOKENS if on_cpu else _DEVICE_TOKENS))
        self._loaded = loaded
        self._engine = make_engine(loaded, self._size)
        self._note_facts(loaded)
        return self._engine

    def _note_facts(self, loaded: Loaded) -> None:
        weights = self.description.weights_digest
        which = f"weights {weights[:12]}" if weights else f"revision {loaded.revision}"
        size = sum(weight.numel() for weight in loaded.model.parameters())
        self._note(
            f"{type(loaded.model).__name__}, {size / 1e6:,.1f} million parameters, {which}, {loaded.dtype} "
            f"on {loaded.device}, at most {loaded.max_length} tokens; tokenizer "
            f"{type(loaded.tokenizer).__name__} of {len(loaded.tokenizer)} tokens"
        )

    def _note(self, text: str) -> None:
        self._notes[text] = None
