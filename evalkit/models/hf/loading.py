"""From a folder or hub id to a model that can be asked: what it is, what decides its answers, its weights."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import orjson

from evalkit.core.distribution import install_command
from evalkit.core.errors import ModelError
from evalkit.core.records import digest
from evalkit.models.hf.options import HfOptions

__all__ = ["LOADING", "Description", "Family", "Loaded", "describe", "load", "require_libraries"]

Family = Literal["decoder", "encoder_decoder", "encoder", "classifier"]

_DEFAULT_MAX_LENGTH = 2048
_LENGTHS = ("n_positions", "max_position_embeddings", "n_ctx")
_WEIGHTS = "*.safetensors"
_UNSAFE_WEIGHTS = ("pytorch_model*.bin", "*.pt", "*.pth")
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
    "merges.txt", "vocab.txt", "spiece.model", "added_tokens.json", "chat_template.jinja",
    "sentencepiece.bpe.model",
)  # fmt: skip


@dataclass(frozen=True)
class Description:
    """What is known of a model before its weights are loaded."""

    name: str
    """The model's name in results."""
    where: str
    """The folder, or the hub id."""
    folder: Path
    """Where configuration and tokenizer lie on this machine."""
    local: bool
    """Whether the user named a folder; otherwise it is of the hub."""
    revision: str | None
    """The commit of a hub model; None for a folder, which `weights_digest` identifies."""
    config: Mapping[str, Any]
    """config.json."""
    family: Family
    chat_template: str | None
    """The tokenizer's template; None when it has none."""
    trust: bool
    """Whether code and pickles that come with the model may run."""

    @cached_property
    def weights_digest(self) -> str | None:
        """The SHA-256 over the weights of a folder; None for a hub model, which its commit identifies."""
        if not self.local:
            return None
        patterns = (_WEIGHTS, *_UNSAFE_WEIGHTS) if self.trust else (_WEIGHTS,)
        files = sorted({file for pattern in patterns for file in self.folder.glob(pattern)})
        whole = hashlib.sha256()
        for file in files:
            with file.open("rb") as content:
                whole.update(f"{file.name}:{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
        return whole.hexdigest()

    @cached_property
    def tokenizer_digest(self) -> str:
        """The SHA-256 over the files of the tokenizer."""
        found = {}
        for name in _TOKENIZER_FILES:
            file = self.folder / name
            if file.is_file():
                found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        return digest(found)

    @property
    def max_length(self) -> int:
        """The longest input by the configuration, else the tokenizer, else 2,048: as `Loaded` has it."""
        inner = self.config.get("text_config") or self.config
        for name in _LENGTHS:
            if inner.get(name) is not None:
                return int(inner[name])
        value = (read_json(self.folder / "tokenizer_config.json") or {}).get("model_max_length")
        return int(value) if value is not None and value < 10**9 else _DEFAULT_MAX_LENGTH

    @property
    def dtype(self) -> str:
        """The checkpoint's own type of numbers; float32 when it does not say."""
        inner = self.config.get("text_config") or {}
        named = (
            self.config.get("dtype"),
            self.config.get("torch_dtype"),
            inner.get("dtype"),
            inner.get("torch_dtype"),
        )
        said = next((value for value in named if value), "float32")
        return str(said).removeprefix("torch.")


@dataclass(frozen=True, eq=False)
class Loaded:
    """A model in memory."""

    name: str
    """The model's name in results."""
    model: Any
    """The torch module, in eval mode, on its device."""
    tokenizer: Any
    config: Any
    """The transformers configuration."""
    family: Family
    device: Any
    """The torch device that takes the inputs."""
    dtype: str
    """float32, bfloat16, ...: what the weights are in."""
    revision: str | None
    """The commit of a hub model; None for a folder."""
    max_length: int
    """The longest input, in tokens."""
    chat_template: str | None
    """The tokenizer's template; None when it has none."""
    options: HfOptions

    @property
    def prefix_token(self) -> int | None:
        """What stands before a text that nothing precedes: BOS, else EOS; None when there is neither."""
        first = self.tokenizer.bos_token_id
        found = first if first is not None else self.tokenizer.eos_token_id
        return None if found is None else int(found)


def require_libraries(route: str) -> None:
    """Nothing when torch and transformers are installed. Raises ModelError with the command otherwise."""
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModelError(
            f"{route} runs inside evalkit and needs {' and '.join(missing)}: {install_command('hf')}. "
            f"To use a server instead, serve it with vLLM and write hosted_vllm/{route.partition('/')[2]} "
            "with api_base in evalkit.yaml"
        )


def describe(where: str, options: HfOptions, *, name: str, trust: bool = False) -> Description:
    """What the model is, from its configuration alone; downloads nothing but small files of a hub model.

    Raises ModelError when there is none, when its weights are no safetensors, or when it needs its own code.
    """
    path = Path(where).expanduser()
    local = path.is_dir()
    if not local and _looks_like_path(where):
        raise ModelError(
            f"{name}: there is no folder {where}; write hf/<folder of a model> or hf/<owner>/<name>"
        )
    folder, revision = (path.resolve(), None) if local else _hub_files(where, options.revision, name)
    if local and options.revision is not None:
        raise ModelError(f"{name}: {where} is a folder; a revision can be chosen for a hub model only")
    config = read_json(folder / "config.json")
    if config is None:
        raise ModelError(
            f"{name}: {where} holds no config.json; it must be a folder as transformers saves it"
        )
    if config.get("auto_map") and not trust and not _known_type(config):
        raise ModelError(
            f"{name}: the model brings Python of its own (auto_map in config.json), "
            "which runs only with --trust"
        )
    if local and not any(folder.glob(_WEIGHTS)):
        unsafe = [file.name for pattern in _UNSAFE_WEIGHTS for file in sorted(folder.glob(pattern))]
        if not unsafe:
            raise ModelError(f"{name}: {where} holds no weights (*.safetensors)")
        if not trust:
            raise ModelError(
                f"{name}: {where} holds its weights as {unsafe[0]}, a pickle, which can run code when it is "
                "read. Convert it to safetensors, or say --trust if you know where it is from"
            )
    return Description(
        name=name,
        where=where,
        folder=folder,
        local=local,
        revision=revision,
        config=config,
        family=family_of(config),
        chat_template=_chat_template(folder),
        trust=trust,
    )


def family_of(config: Mapping[str, Any]) -> Family:
    """The family by the architecture that the configuration names, else by its kind of model."""
    for architecture in config.get("architectures") or ():
        for ending, family in _ENDINGS.items():
            if architecture.endswith(ending):
                return family
    if config.get("is_encoder_decoder"):
        return "encoder_decoder"
    return "encoder" if config.get("model_type") in _ENCODERS else "decoder"


_ENDINGS: Mapping[str, Family] = {
    "ForSequenceClassification": "classifier",
    "ForMaskedLM": "encoder",
    "ForCausalLM": "decoder",
    "LMHeadModel": "decoder",
}
_ENCODERS = (
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "albert",
    "electra",
    "deberta",
    "deberta-v2",
    "modernbert",
)


LOADING = threading.RLock()
"""Held while a model is loaded: transformers imports its parts when they are first used, and makes a model on
torch's `meta` device, neither of which bears several threads."""


def load(description: Description, options: HfOptions) -> Loaded:
    """The model in memory, ready to be asked. Raises ModelError when its weights cannot be loaded."""
    import torch
    import transformers

    messages: Any = transformers.logging
    messages.disable_progress_bar()
    messages.set_verbosity_error()
    device = _device(torch, options.device, description.name)
    dtype = options.dtype if options.dtype != "auto" else description.dtype
    kind = {
        "decoder": transformers.AutoModelForCausalLM,
        "encoder_decoder": transformers.AutoModelForSeq2SeqLM,
        "encoder": transformers.AutoModelForMaskedLM,
        "classifier": transformers.AutoModelForSequenceClassification,
    }[description.family]
    source = str(description.folder) if description.local else description.where
    common: dict[str, Any] = {"trust_remote_code": description.trust}
    if not description.local:
        common["revision"] = description.revision
    settings: dict[str, Any] = {
        "dtype": getattr(torch, dtype),
        "use_safetensors": None if description.trust else True,
    }
    if options.attention:
        settings["attn_implementation"] = options.attention
    if options.quantization:
        settings["quantization_config"] = _quantization(transformers, options.quantization, description.name)
    placed = options.parallel == "layers" or options.quantization is not None
    if placed:
        settings["device_map"] = "auto" if options.parallel == "layers" else {"": device}
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, **common)
        model = kind.from_pretrained(source, **common, **settings)
        if not placed:
            model = model.to(device)
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise ModelError(f"{description.name} cannot be loaded: {_brief(error)}") from error
    model.eval()
    return Loaded(
        name=description.name,
        model=model,
        tokenizer=tokenizer,
        config=model.config,
        family=description.family,
        device=model.device if placed else device,
        dtype=dtype,
        revision=description.revision,
        max_length=options.max_length or _max_length(model.config, tokenizer),
        chat_template=description.chat_template,
        options=options,
    )


def _max_length(config: Any, tokenizer: Any) -> int:
    """The longest input by the configuration, else the tokenizer, else 2,048; as lm_eval finds it."""
    inner = getattr(config, "text_config", None) or config
    for name in _LENGTHS:
        value = getattr(inner, name, None)
        if value is not None:
            return int(value)
    value = getattr(tokenizer, "model_max_length", None)
    return int(value) if value is not None and value < 10**9 else _DEFAULT_MAX_LENGTH


def _device(torch: Any, wanted: str, name: str) -> Any:
    """The device that was asked for, or the best there is. Raises ModelError when it is not there."""
    if wanted == "auto":
        wanted = (
            "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        )
    try:
        device = torch.device(wanted)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"{name}: there is no device {wanted!r} here ({_brief(error)}); --param device=cpu works anywhere"
        ) from error
    return device


def _quantization(transformers: Any, wanted: str, name: str) -> Any:
    """The configuration of the quantised loading. Raises ModelError when bitsandbytes is missing."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(f"{name}: quantization {wanted} needs bitsandbytes: pip install bitsandbytes")
    return transformers.BitsAndBytesConfig(load_in_8bit=wanted == "8bit", load_in_4bit=wanted == "4bit")


def _hub_files(where: str, revision: str | None, name: str) -> tuple[Path, str]:
    """The folder with configuration and tokenizer of a hub model, and its commit. Raises ModelError."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        folder = Path(
            snapshot_download(
                where, revision=revision, allow_patterns=["*.json", "*.txt", "*.model", "*.jinja"]
            )
        )
    except HFValidationError:
        raise ModelError(f"{name}: {where!r} is neither a folder nor a hub id (owner/name)") from None
    except GatedRepoError:
        raise ModelError(
            f"{name}: {where} is gated: accept its terms on its page, then set HF_TOKEN, or log in with "
            "hf auth login"
        ) from None
    except RevisionNotFoundError:
        raise ModelError(f"{name}: {where} has no revision {revision!r}") from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"{name}: there is no folder and no hub model {where!r} (or it is private: set HF_TOKEN)"
        ) from None
    except LocalEntryNotFoundError:
        offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        raise ModelError(
            f"{name}: {why}, and {where} is not in the local hub cache. Download it where there is a network "
            f"(hf download {where}), or write hf/<folder> for weights on this machine"
        ) from None
    except (HfHubHTTPError, OSError) as error:
        raise ModelError(f"{name}: {where} cannot be read from the hub: {_brief(error)}") from error
    return folder, folder.name


def _looks_like_path(where: str) -> bool:
    return where.startswith(("/", ".", "~")) or where.count("/") > 1


def read_json(file: Path) -> dict[str, Any] | None:
    """The object in the file; None when there is no file. Raises ModelError when it is no JSON object."""
    try:
        document = orjson.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise ModelError(f"{file} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise ModelError(f"{file} holds no JSON object")
    return document


def _known_type(config: Mapping[str, Any]) -> bool:
    """Whether transformers knows the architecture itself, so that the model's own code is not needed."""
    import transformers

    return str(config.get("model_type")) in transformers.CONFIG_MAPPING


def _chat_template(folder: Path) -> str | None:
    """The tokenizer's chat template; the one named `default` where it has several."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = (read_json(folder / "tokenizer_config.json") or {}).get("chat_template")
    if isinstance(template, list):
        named = {entry.get("name"): entry.get("template") for entry in template if isinstance(entry, dict)}
        template = named.get("default")
    return template if isinstance(template, str) and template else None


def _brief(error: BaseException) -> str:
    """The first lines of what the library said, on one line."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
