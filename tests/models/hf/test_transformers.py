"""What evalkit takes from transformers is public, and holds from the oldest version to the newest."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from local_models import Load
from tiny_models import make_llama

from evalkit.models import hf
from evalkit.models.hf import body, generation
from evalkit.models.hf._transformers import attention_of, cache_name
from evalkit.models.hf.batching import BatchSize
from evalkit.models.hf.engine import ChoiceItem, Generated, GenerationItem, Prompt, Scores
from evalkit.models.hf.engines import make_engine
from evalkit.models.hf.loading import Loaded, describe, load
from evalkit.models.hf.options import HfOptions

FOLDER = Path(str(hf.__file__)).parent
ASKED = [GenerationItem(Prompt(text), {"max_tokens": 6}, "") for text in ("The quick", "a", "今天天气")]
CHOICES = ChoiceItem(Prompt("The capital of France is"), (" Paris", " Berlin", " far away"))


def _names() -> Iterator[tuple[str, str]]:
    """(file and line, dotted name) of everything that evalkit takes from transformers."""
    for file in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            where = f"{file.name}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "transformers":
                yield from ((where, f"{node.module}.{alias.name}") for alias in node.names)
            if isinstance(node, ast.Attribute) and ast.unparse(node).startswith("transformers."):
                yield where, ast.unparse(node)


def test_only_names_that_transformers_exports_are_used() -> None:
    """Each name is one of the package's own, of a class of these, or of its documented module `logging`."""
    found = list(_names())
    assert len(found) > 10
    for where, name in found:
        parts = name.split(".")[1:]
        assert len(parts) == 1 or parts[0][0].isupper() or parts[0] == "logging", f"{where}: {name} is inside"
        assert not parts[-1].startswith("_"), f"{where} takes {name}, which is private"
        assert hasattr(transformers, parts[0]), f"{where}: transformers has no {name}"


class _Older(transformers.LlamaForCausalLM):
    """As code that came with a model before transformers 5.24: it knows the old name alone."""

    def forward(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        position_ids: Any = None,
        past_key_values: Any = None,
        use_cache: Any = None,
    ) -> Any:
        given = {cache_name(transformers.LlamaForCausalLM): past_key_values}
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            use_cache=use_cache,
            **given,
        )


def test_code_of_a_model_is_given_its_keys_and_values_by_the_older_name(tiny_loaded: Load) -> None:
    """A forward without `cache` generates in slots, too, with the texts of transformers' own."""
    loaded = tiny_loaded("llama")
    older = _Older(loaded.model.config).eval()
    older.load_state_dict(loaded.model.state_dict())
    assert cache_name(older) == "past_key_values"
    assert _texts(dataclasses.replace(loaded, model=older)) == _texts(loaded)
    assert generation._HOLDS[older]


def test_models_of_transformers_are_given_the_name_that_their_forward_has(tiny_loaded: Load) -> None:
    """From 5.24 on that is `cache`, and the older name would be warned of."""
    newer = tuple(map(int, transformers.__version__.split(".")[:2])) >= (5, 24)
    for family in ("gpt2", "llama", "t5", "bart"):
        assert cache_name(tiny_loaded(family).model) == ("cache" if newer else "past_key_values")


def test_sliding_windows_stand_in_slots(tmp_path: Path) -> None:
    """A model whose layers see a window only has its texts in slots."""
    loaded = _mistral(tmp_path)
    item = GenerationItem(Prompt("The quick brown fox jumps over the lazy dog. " * 2), {"max_tokens": 9}, "")
    tokens = torch.tensor([loaded.tokenizer.encode(item.prompt.text)])
    with torch.inference_mode():
        expected = loaded.model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=9, do_sample=False, pad_token_id=0
        )[0, tokens.shape[1] :]
    (found,) = _generated(loaded, [item])
    assert found.text == loaded.tokenizer.decode(expected, skip_special_tokens=True)
    assert generation._HOLDS[loaded.model]


def _mistral(folder: Path) -> Loaded:
    """A tiny Mistral with a window of eight tokens and the tokenizer of the tiny Llama."""
    make_llama(folder)
    config = transformers.MistralConfig(
        vocab_size=len(transformers.AutoTokenizer.from_pretrained(folder)),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        sliding_window=8,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(3)
    transformers.MistralForCausalLM(config).save_pretrained(folder)
    options = HfOptions(device="cpu")
    return load(describe(str(folder), options, name="hf/mistral"), options)


def test_model_with_a_recurrent_state_is_not_held_in_slots(tiny_loaded: Load) -> None:
    """What remembers a text otherwise fails the trial, and is generated by transformers itself."""
    loaded = tiny_loaded("llama")
    config = transformers.MambaConfig(
        vocab_size=len(loaded.tokenizer), hidden_size=16, state_size=4, num_hidden_layers=2
    )
    torch.manual_seed(3)
    mamba = transformers.MambaForCausalLM(config).eval()
    assert not generation._slots_hold(dataclasses.replace(loaded, model=mamba, config=config))


class _ReadsPadding(transformers.LlamaForCausalLM):
    """As some recurrent models: what stands left of a prompt is read, masked or not."""

    def forward(self, *args: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return super().forward(*args, **kwargs)


def test_prompts_of_a_model_that_reads_padding_stand_with_those_of_their_length(tiny_loaded: Load) -> None:
    """Each text is that of its prompt alone, also where transformers' own generate would pad it."""
    loaded = tiny_loaded("llama")
    reading = _ReadsPadding(loaded.model.config).eval()
    reading.load_state_dict(loaded.model.state_dict())
    assert _texts(dataclasses.replace(loaded, model=reading)) == _texts(loaded)
    assert not generation._HOLDS[reading]


def test_model_that_another_attention_breaks_keeps_its_own(
    tiny_model: Any, tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the model fails once its attention is replaced, it is put back: same scores, and a note."""
    expected = _scores(tiny_loaded("gpt2"))
    options = HfOptions(device="cpu")
    loaded = load(describe(str(tiny_model("gpt2")), options, name="hf/other"), options)
    whole = loaded.model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        if attention_of(loaded.config) != "sdpa":
            raise RuntimeError("a mask of another size")
        return whole(*args, **kwargs)

    monkeypatch.setattr(loaded.model, "forward", forward)
    engine = make_engine(loaded, BatchSize(64))
    assert any("computed alone" in note for note in engine.notes)
    assert attention_of(loaded.config) == "sdpa"
    assert _scores(loaded) == pytest.approx(expected, abs=1e-4)


def test_attention_that_is_not_told_is_left_as_it_is(
    tiny_model: Any, tiny_loaded: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the configuration says nothing, each sequence is computed alone: same scores, and a note."""
    expected = _scores(tiny_loaded("gpt2"))
    monkeypatch.setattr(body, "attention_of", lambda config: None)
    options = HfOptions(device="cpu")
    loaded = load(describe(str(tiny_model("gpt2")), options, name="hf/mute"), options)
    engine = make_engine(loaded, BatchSize(64))
    assert any("computed alone" in note for note in engine.notes)
    assert _scores(loaded) == pytest.approx(expected, abs=1e-4)


def test_how_a_model_attends_can_be_read(tiny_loaded: Load) -> None:
    """The one private name that is read is there; a configuration without it tells nothing."""
    assert attention_of(tiny_loaded("bert").config) == "sdpa"
    assert attention_of(object()) is None


def _scores(loaded: Loaded) -> list[float]:
    ((_, found),) = make_engine(loaded, BatchSize(64)).loglikelihood([CHOICES])
    assert isinstance(found, Scores)
    return [likelihood.logprob for likelihood in found.loglikelihoods]


def _generated(loaded: Loaded, asked: list[GenerationItem]) -> list[Generated]:
    found = dict(generation.generate(loaded, BatchSize(256), asked))
    answers = [found[number] for number in range(len(asked))]
    assert all(isinstance(answer, Generated) for answer in answers)
    return answers  # type: ignore[return-value]


def _texts(loaded: Loaded) -> list[str]:
    return [answer.text for answer in _generated(loaded, ASKED)]
