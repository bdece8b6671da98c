"""What a local model is, before and after its weights are loaded, and what is refused."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from evalkit.core.distribution import install_command
from evalkit.core.errors import ConfigError, ModelError
from evalkit.models.hf import make_hf
from evalkit.models.hf.loading import Loaded, describe, family_of, require_libraries
from evalkit.models.hf.options import HfOptions, parse_options, split_params
from evalkit.models.resolution import model_info, resolve_model

PLAIN = HfOptions(device="cpu")


@pytest.mark.parametrize(
    ("family", "expected"),
    [
        ("gpt2", "decoder"),
        ("llama", "decoder"),
        ("t5", "encoder_decoder"),
        ("bart", "encoder_decoder"),
        ("bert", "encoder"),
        ("classifier", "classifier"),
    ],
)
def test_family_is_what_the_configuration_says(
    family: str, expected: str, tiny: Callable[[str], Path]
) -> None:
    """The architecture decides, without loading anything."""
    assert describe(str(tiny(family)), PLAIN, name="x").family == expected


def test_family_without_an_architecture() -> None:
    """A configuration that names no architecture is told by its kind of model."""
    assert family_of({"model_type": "gpt2"}) == "decoder"
    assert family_of({"model_type": "t5", "is_encoder_decoder": True}) == "encoder_decoder"
    assert family_of({"model_type": "roberta"}) == "encoder"


def copied(folder: Path, to: Path) -> Path:
    """A copy of a model that a test may spoil."""
    shutil.copytree(folder, to)
    return to


def test_weights_decide_the_identity(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """The same files elsewhere are the same model; other weights, another tokenizer or dtype are another."""
    one = make_hf(resolve_model(f"hf/{tiny('gpt2')}"))
    folder = copied(tiny("gpt2"), tmp_path / "other-name")
    assert make_hf(resolve_model(f"hf/{folder}")).identity == one.identity
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    other = make_hf(resolve_model(f"hf/{folder}"))
    assert other.identity["weights"] != one.identity["weights"]
    (folder / "tokenizer_config.json").write_text("{}")
    assert make_hf(resolve_model(f"hf/{folder}")).identity["tokenizer"] != other.identity["tokenizer"]


def test_a_folder_is_shown_by_its_name(tiny: Callable[[str], Path]) -> None:
    """Results name the folder, not where it lies on this machine."""
    assert resolve_model(f"hf/{tiny('gpt2')}").name == "hf/gpt2"


def test_pickled_weights_need_trust(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """A pickle can run code when it is read: it is refused without --trust, with the cure."""
    folder = copied(tiny("gpt2"), tmp_path / "pickled")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pytorch_model\.bin, a pickle.*--trust"):
        describe(str(folder), PLAIN, name="x")
    assert describe(str(folder), PLAIN, name="x", trust=True).trust


def test_code_of_a_model_needs_trust(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    """Python that comes with the weights runs only with --trust."""
    folder = copied(tiny("gpt2"), tmp_path / "custom")
    config = orjson.loads((folder / "config.json").read_bytes())
    config.update(auto_map={"AutoModelForCausalLM": "modeling_mine.Mine"}, model_type="mine")
    (folder / "config.json").write_bytes(orjson.dumps(config))
    with pytest.raises(ModelError, match=r"Python of its own.*--trust"):
        describe(str(folder), PLAIN, name="x")


@pytest.mark.parametrize(
    ("where", "words"),
    [("/no/such/folder", "there is no folder"), ("./nor/this", "there is no folder")],
)
def test_a_missing_folder_is_told(where: str, words: str) -> None:
    """A path that is not there is an error, not a question to the hub."""
    with pytest.raises(ModelError, match=words):
        describe(where, PLAIN, name="x")


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    """A folder without config.json, or without weights, says what is missing."""
    with pytest.raises(ModelError, match=r"no config\.json"):
        describe(str(tmp_path), PLAIN, name="x")
    (tmp_path / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    with pytest.raises(ModelError, match="no weights"):
        describe(str(tmp_path), PLAIN, name="x")


def test_a_hub_model_offline_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a network and without a copy the message names the command that fetches one."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def missing(*args: object, **settings: object) -> str:
        raise LocalEntryNotFoundError("not there")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", missing)
    with pytest.raises(ModelError, match=r"not in the local hub cache.*hf download owner/name"):
        describe("owner/name", PLAIN, name="x")


def test_a_hub_model_is_pinned_to_its_commit(
    tiny: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever revision was asked for, the commit is what is recorded and loaded."""
    import huggingface_hub

    commit = "0123456789abcdef0123456789abcdef01234567"
    folder = copied(tiny("gpt2"), tmp_path / commit)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *args, **settings: str(folder))
    found = describe("owner/name", HfOptions(revision="main"), name="x")
    assert (found.revision, found.weights_digest) == (commit, None)


def test_missing_libraries_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch the message is the command that installs it."""
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=re.escape(install_command("hf"))):
        require_libraries("hf/x")


def test_a_device_that_is_not_there(loaded: Callable[..., Loaded]) -> None:
    """An unknown device is an error with a cure."""
    with pytest.raises(ModelError, match=r"no device 'cuda:77'.*device=cpu"):
        loaded("gpt2", HfOptions(device="cuda:77"))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"dtpe": "float32"}, "did you mean|dtype"),
        ({"dtype": "int3"}, "must be one of auto, float32"),
        ({"batch_tokens": 0}, "whole number from 1"),
        ({"max_length": "long"}, "whole number from 1"),
        ({"stride": 4}, "rolling: strided"),
        ({"rolling": "strided", "stride": 9, "max_length": 8}, "skips tokens"),
    ],
)
def test_options_are_checked(raw: dict[str, object], words: str) -> None:
    """A wrong option names model, key and cure before anything is loaded."""
    with pytest.raises(ConfigError, match=words):
        parse_options(raw, "mine")


def test_options_have_short_forms() -> None:
    """bf16 is bfloat16, as users write it."""
    assert parse_options({"dtype": "bf16"}, "mine").dtype == "bfloat16"


def test_facts_of_the_tokenizer(loaded: Callable[..., Loaded]) -> None:
    """BOS stands before texts, EOS where there is no BOS; the longest input is the configuration's."""
    assert loaded("llama").prefix_token == 1
    assert loaded("gpt2").prefix_token == loaded("gpt2").tokenizer.eos_token_id
    assert loaded("gpt2").max_length == 128


def test_a_misspelt_option_is_not_sent_with_requests() -> None:
    """Options of loading and parameters of requests are told apart; what is nearly an option is an error."""
    assert split_params({"dtype": "float32", "temperature": 0.5}) == (
        {"dtype": "float32"},
        {"temperature": 0.5},
    )
    with pytest.raises(ConfigError, match=r"dtyp.*did you mean 'dtype'|(?i:did you mean).*dtype"):
        split_params({"dtyp": "float32"})


def test_weights_are_the_revision_and_the_stride_is_in_the_signature(tiny: Callable[[str], Path]) -> None:
    """A run records which weights it asked; strided windows say by how many tokens they move."""
    resolved = resolve_model(f"hf/{tiny('gpt2')}")
    model = make_hf(resolved)
    assert model.revision == f"sha256:{model.description.weights_digest}"
    assert model_info(resolved, model).revision == model.revision
    assert model.manner("rolling") == ""
    strided = replace(resolved, settings=replace(resolved.settings, options={"rolling": "strided"}))
    assert make_hf(strided).manner("rolling") == "strided-64"
