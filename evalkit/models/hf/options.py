"""How a local model is loaded and batched: what `options:` in evalkit.yaml and `--param` may say of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from evalkit.core.errors import ConfigError, did_you_mean

__all__ = ["OPTION_NAMES", "HfOptions", "parse_options", "split_params", "stride"]


@dataclass(frozen=True, slots=True)
class HfOptions:
    """The choices of a user for one local model."""

    dtype: str = "auto"
    """float32, bfloat16, float16, or auto: what the checkpoint says."""
    device: str = "auto"
    """cpu, cuda, cuda:1, mps, or auto: the best there is."""
    revision: str | None = None
    """A commit, tag or branch of a hub model; None for its main branch, whose commit is recorded."""
    batch_tokens: int | None = None
    """Tokens of one forward pass, padding included; None: 4,096 on a CPU, 32,768 elsewhere."""
    max_length: int | None = None
    """The longest input in tokens; None: what the configuration says."""
    rolling: str = "windows"
    """How long texts are cut for perplexity: windows (disjoint, as lm-eval cuts) or strided."""
    stride: int | None = None
    """Tokens by which a strided window moves; None: half of the longest input."""
    pll: str = "original"
    """What a masked model does not see when a token is predicted: original (that token), or within_word_l2r
    (the later tokens of its word, too)."""
    labels: Mapping[str, str] | None = None
    """Of a classification head: its label -> the task's label or option; None: they have the same names."""
    input: str | tuple[str, ...] | None = None
    """Of a classification head: the column, or two, that it reads; None: the prompt."""
    chat_template: str = "auto"
    """auto: generation as a chat where there is a template, likelihoods on plain text; on: both; off."""
    quantization: str | None = None
    """8bit or 4bit (needs bitsandbytes); None: as the checkpoint is."""
    parallel: str = "one"
    """one: the whole model on one device; layers: spread over all devices by accelerate."""
    attention: str | None = None
    """The implementation of attention (sdpa, eager, flash_attention_2); None: what transformers takes."""


OPTION_NAMES = frozenset(item.name for item in fields(HfOptions))
"""What `--param` takes for loading, beside generation parameters."""

_GENERATION = frozenset(
    (
        "temperature", "top_p", "top_k", "min_p", "stop", "seed", "n", "max_tokens", "max_completion_tokens",
        "max_new_tokens", "max_gen_toks", "num_beams", "do_sample", "repetition_penalty", "presence_penalty",
        "frequency_penalty",
    )
)  # fmt: skip
"""Parameters of a request, which are no misspelt options of loading."""

_WORDS: Mapping[str, tuple[str, ...]] = {
    "dtype": ("auto", "float32", "bfloat16", "float16"),
    "rolling": ("windows", "strided"),
    "pll": ("original", "within_word_l2r"),
    "chat_template": ("auto", "on", "off"),
    "quantization": ("8bit", "4bit"),
    "parallel": ("one", "layers"),
    "attention": ("sdpa", "eager", "flash_attention_2"),
}
_SHORT = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "half": "float16"}
_COUNTS = ("batch_tokens", "max_length", "stride")


def split_params(params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options of loading, generation parameters) of what `--param` gave.

    Raises ConfigError for what is nearly an option: a misspelt dtype would else be sent with requests.
    """
    own = {key: value for key, value in params.items() if key in OPTION_NAMES}
    others = {key: value for key, value in params.items() if key not in OPTION_NAMES}
    for key in others:
        if key not in _GENERATION and (hint := did_you_mean(key, sorted(OPTION_NAMES), n=1)):
            raise ConfigError(
                f"--param {key}: local models have no such option, and requests no parameter.{hint}"
            )
    return own, others


def stride(options: HfOptions, longest: int) -> int:
    """Tokens by which a strided window moves."""
    return options.stride or max(1, longest // 2)


def parse_options(raw: Mapping[str, Any], name: str, revision: str | None = None) -> HfOptions:
    """The options as evalkit.yaml and `--param` give them. Raises ConfigError with model, key and cure."""
    known = [item.name for item in fields(HfOptions)]
    values: dict[str, Any] = {"revision": revision}
    for key, value in raw.items():
        place = f"model {name!r}, option {key!r}"
        if key not in known:
            hint = did_you_mean(key, known) or f" The options are: {', '.join(known)}."
            raise ConfigError(f"model {name!r} has an unknown option {key!r}.{hint}")
        if value is None:
            continue
        if key in _COUNTS:
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigError(f"{place} must be a whole number from 1, not {value!r}")
        elif key == "labels":
            if not isinstance(value, Mapping) or not value:
                raise ConfigError(
                    f"{place} maps the head's labels, such as {{LABEL_0: negative}}, not {value!r}"
                )
            value = {str(label): str(name) for label, name in value.items()}
        elif key == "input":
            value = tuple(map(str, value)) if isinstance(value, list | tuple) else str(value)
            if isinstance(value, tuple) and len(value) not in (1, 2):
                raise ConfigError(f"{place} is one column or a pair of columns, not {len(value)}")
        elif key in _WORDS:
            value = {True: "on", False: "off"}.get(value, value) if key == "chat_template" else value
            value = _SHORT.get(str(value), str(value).removeprefix("torch.")) if key == "dtype" else value
            if value not in _WORDS[key]:
                raise ConfigError(f"{place} must be one of {', '.join(_WORDS[key])}, not {value!r}")
        else:
            value = str(value)
        values[key] = value
    options = HfOptions(**values)
    if options.stride is not None and options.rolling != "strided":
        raise ConfigError(f"model {name!r} has a stride, which counts for `rolling: strided` only")
    if options.stride and options.max_length and options.stride > options.max_length:
        raise ConfigError(
            f"model {name!r}: a stride of {options.stride} skips tokens; max_length is {options.max_length}"
        )
    return options
