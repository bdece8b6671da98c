"""The passes of a decoder: hidden states of a batch or of a stream, and logprobs where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.models.hf._transformers import attention_of
from evalkit.models.hf.attention import NAME, Layers, Span, Stream, register, streaming
from evalkit.models.hf.batching import is_out_of_memory
from evalkit.models.hf.loading import Loaded
from evalkit.models.hf.trie import Bundle, Node

__all__ = ["Body", "lay_out"]

_LOGITS = 1 << 24
"""Numbers of a block of logits (64 MiB in float32): more would be memory, not speed."""


class Body:
    """A decoder without its head, and its head for chosen places."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._model = loaded.model
        self._base = loaded.model.base_model
        self._head = loaded.model.get_output_embeddings()
        self._finish = _finish_of(loaded.config)
        self.splits = self._head is not None and self._probe_head()
        """Whether logits can be had for chosen places; if not, all of a pass are computed."""
        self.shares = self._implement()
        """Whether the model's attention can follow a stream."""

    def hidden(self, tokens: Any) -> Any:
        """The last hidden states of a batch (rows, tokens), causal, without a mask: pad at the right."""
        model = self._base if self.splits else self._model
        found = model(input_ids=tokens, use_cache=False)
        return found.last_hidden_state if self.splits else found.logits

    def stream(
        self, tokens: Sequence[int], positions: Sequence[int], spans: Sequence[Span], *, keep: bool = False
    ) -> tuple[Any, Layers | None]:
        """The hidden states (tokens, width) of a stream, and its keys and values when they are to be kept."""
        import torch

        longest = max(positions) + 1
        stream = Stream(spans, [] if keep else None, longest)
        device = self._loaded.device
        model = self._base if self.splits else self._model
        with streaming(stream):
            found = model(
                input_ids=torch.tensor([tokens], device=device),
                position_ids=torch.tensor([positions], device=device),
                # Four dimensions: transformers makes no mask of its own and hands this to `attend`.
                attention_mask=torch.zeros((1, 1, 1, 1), device=device),
                use_cache=False,
            )
        if stream.layer == 0:
            raise RuntimeError("the model does not use transformers' attention interface")
        return (found.last_hidden_state if self.splits else found.logits)[0], stream.kept

    def score(
        self, hidden: Any, places: Sequence[int], targets: Sequence[int]
    ) -> tuple[list[float], list[bool]]:
        """For each place (a row of `hidden`) the logprob of its target, and whether that is the likeliest."""
        import torch

        unique = sorted(set(places))
        row = {place: number for number, place in enumerate(unique)}
        rows = torch.tensor([row[place] for place in places], device=hidden.device)
        wanted = torch.tensor(targets, device=hidden.device)
        chosen = hidden[torch.tensor(unique, device=hidden.device)]
        logprobs = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
        greedy = torch.empty(len(targets), dtype=torch.bool, device=hidden.device)
        width = self._head.weight.shape[0] if self.splits else hidden.shape[-1]
        step = max(1, _LOGITS // width)
        for start in range(0, len(unique), step):
            logits = self.logits(chosen[start : start + step]).float()
            inside = ((rows >= start) & (rows < start + step)).nonzero()[:, 0]
            at, tokens = rows[inside] - start, wanted[inside]
            # On a CPU log_softmax takes a third of the time of logsumexp, and max two thirds of argmax's.
            logprobs[inside] = torch.log_softmax(logits, -1)[at, tokens]
            greedy[inside] = logits.max(-1).indices[at] == tokens
        return logprobs.tolist(), greedy.tolist()

    def logits(self, hidden: Any) -> Any:
        """The logits of hidden states."""
        return self._finish(self._head(hidden)) if self.splits else hidden

    def _probe_head(self) -> bool:
        """Whether base and head together are the model."""
        import torch

        tokens = _probe_tokens(self._loaded, 9)[None]
        with torch.inference_mode():
            try:
                hidden = self._base(input_ids=tokens, use_cache=False).last_hidden_state
                parts = self._finish(self._head(hidden))
            except (AttributeError, TypeError, RuntimeError):
                return False
            return _near(parts, self._probe())

    def _implement(self) -> bool:
        """Whether the attention was replaced: only `sdpa` is, where the model stays the same by it."""
        found = attention_of(self._loaded.config)
        if found != "sdpa":
            return found == NAME
        before = self._probe()
        try:
            register()
            self._model.set_attn_implementation(NAME)
            if attention_of(self._loaded.config) == NAME and _near(self._probe(), before):
                return True
        except (
            ValueError,
            AttributeError,
            KeyError,
            IndexError,
            TypeError,
            RuntimeError,
            ImportError,
        ) as error:
            if is_out_of_memory(error):
                raise
        self._model.set_attn_implementation(found)
        return False

    def _probe(self) -> Any:
        """The logits of some tokens."""
        import torch

        with torch.inference_mode():
            return self._model(input_ids=_probe_tokens(self._loaded, 9)[None], use_cache=False).logits


def _near(one: Any, other: Any) -> bool:
    import torch

    return one.shape == other.shape and bool(torch.allclose(one, other, rtol=1e-3, atol=1e-3))


def _finish_of(config: Any) -> Any:
    """What some models do to their logits after the head: a scale, a cap."""
    import torch

    inner = getattr(config, "text_config", None) or config
    cap = getattr(inner, "final_logit_softcapping", None)
    scale = getattr(inner, "logit_scale", None)
    divisor = getattr(inner, "logits_scaling", None)

    def finish(logits: Any) -> Any:
        if scale is not None:
            logits = logits * scale
        if divisor is not None:
            logits = logits / divisor
        return torch.tanh(logits / cap) * cap if cap is not None else logits

    return finish


def _probe_tokens(loaded: Loaded, n: int) -> Any:
    """Some tokens of the vocabulary, always the same."""
    import torch

    size = int(getattr(loaded.config.get_text_config(), "vocab_size", len(loaded.tokenizer)))
    return torch.tensor([(7919 * (i + 1)) % size for i in range(n)], device=loaded.device)


def lay_out(
    bundles: Sequence[tuple[Bundle, Layers | None]], dtype: Any, device: Any
) -> tuple[list[int], list[int], list[Span], list[tuple[Node, int]]]:
    """(tokens, positions, spans, where each node begins) of a stream of bundles, each with its past."""
    tokens: list[int] = []
    positions: list[int] = []
    spans: list[Span] = []
    starts: list[tuple[Node, int]] = []
    for bundle, past in bundles:
        begin = len(tokens)
        ends: list[int] = []  # the position after each node, in its own branch
        owners: list[tuple[int, int]] = []
        for node, parent in zip(bundle.nodes, bundle.parents, strict=True):
            at = bundle.past if parent < 0 else ends[parent]
            starts.append((node, len(tokens)))
            owners.append((len(tokens) - begin, len(tokens) - begin + len(node.tokens)))
            tokens.extend(node.tokens)
            positions.extend(range(at, at + len(node.tokens)))
            ends.append(at + len(node.tokens))
        trunk = begin + len(bundle.nodes[0].tokens)
        mask = None
        if past is not None or len(tokens) > trunk:
            mask = _mask(bundle, owners, past is not None, dtype, device)
        spans.append(Span(begin, trunk, len(tokens), mask, past))
    return tokens, positions, spans, starts


def _mask(bundle: Bundle, owners: Sequence[tuple[int, int]], whole: bool, dtype: Any, device: Any) -> Any:
    """Zero where a token of the tree sees another, else the least number; with a past, for the trunk too."""
    import torch

    n, trunk = bundle.n_tokens, owners[0][1]
    seen = torch.zeros((n - trunk, n), dtype=torch.bool)
    seen[:, :trunk] = True
    for number, (start, end) in enumerate(owners):
        if not number:
            continue
        above = owners[bundle.parents[number]]
        if above[1] > trunk:  # what the parent's last token sees, its children see
            seen[start - trunk : end - trunk, : above[1]] = seen[above[1] - 1 - trunk, : above[1]]
        seen[start - trunk : end - trunk, start:end] = torch.ones(
            (end - start, end - start), dtype=torch.bool
        ).tril()
    if whole:
        seen = torch.cat([torch.ones((trunk, n), dtype=torch.bool).tril(), seen])
        seen = torch.cat([torch.ones((n, bundle.past), dtype=torch.bool), seen], 1)
    mask = torch.zeros(seen.shape, dtype=dtype, device=device)
    return mask.masked_fill_(~seen.to(device), torch.finfo(dtype).min)[None, None]
