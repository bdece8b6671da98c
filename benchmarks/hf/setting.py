"""What both sides are given: a random GPT-2 with a tokenizer trained on the spot, and tasks as lm-eval YAML.

    from setting import make_setting

ARC-Challenge, PIQA, HellaSwag and WikiText-2 from a folder of benchmark data. The first hundred documents
of a choice task are its worked examples, the others are asked. `sampled` tasks draw the examples for each
document, `fixed` tasks show the first ones to all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

N_SHOTS_POOL = 100


def make_setting(
    folder: Path, data: Path, *, width: int = 256, layers: int = 5, vocabulary: int = 8192
) -> Path:
    """The folder with `model/` and `tasks/*.yaml`, made once."""
    if not (folder / "tasks").is_dir():
        make_tasks(folder, data)
    if not (folder / "model").is_dir():
        make_model(folder / "model", data, width, layers, vocabulary)
    return folder


def make_model(folder: Path, data: Path, width: int, layers: int, vocabulary: int) -> None:
    """A GPT-2 of about six million parameters (in the defaults) with seeded random weights."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = [(data / "text" / name).read_text(encoding="utf-8") for name in ("wikitext2_test_tokens.txt",)]
    texts += [json.dumps(row, ensure_ascii=False) for row in _lines(data / "mcq" / "arc_challenge.jsonl")]
    tokenizer.train_from_iterator([line for text in texts for line in text.split("\n")], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        model_max_length=1024,
    )
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(fast), n_embd=width, n_layer=layers, n_head=width // 64, n_positions=1024,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    model = GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(4)  # a distribution with clear maxima, as a trained model has
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


def make_tasks(folder: Path, data: Path) -> None:
    """The data and YAML files."""
    rows: dict[str, list[dict[str, Any]]] = {
        "arc": list(_lines(data / "mcq" / "arc_challenge.jsonl")),
        "piqa": list(_lines(data / "mcq" / "piqa.jsonl")),
        "hellaswag": [
            {"query": row["ctx"], "choices": row["endings"], "gold": row["label"]}
            for row in _lines(data / "hellaswag" / "val_first2000.jsonl")
        ],
    }
    tasks = folder / "tasks"
    tasks.mkdir(parents=True, exist_ok=True)
    for name, entries in rows.items():
        files = {"train": entries[:N_SHOTS_POOL], "test": entries[N_SHOTS_POOL:]}
        for split, members in files.items():
            _write(tasks / f"{name}_{split}.jsonl", members)
        for sampler in ("sampled", "fixed"):
            (tasks / f"{name}_{sampler}.yaml").write_text(_choice_yaml(tasks, name, sampler))
    pages = list(_pages((data / "text" / "wikitext2_test_tokens.txt").read_text(encoding="utf-8")))
    _write(tasks / "wikitext_test.jsonl", [{"page": page} for page in pages])
    (tasks / "wikitext.yaml").write_text(
        f"""task: wikitext_local
dataset_path: json
dataset_kwargs: {{data_files: {{test: {tasks}/wikitext_test.jsonl}}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{page}}}}"
metric_list:
  - metric: word_perplexity
  - metric: byte_perplexity
  - metric: bits_per_byte
"""
    )


def _choice_yaml(tasks: Path, name: str, sampler: str) -> str:
    fixed = "fewshot_config: {sampler: first_n}\n" if sampler == "fixed" else ""
    question = "{{query}}" if name == "hellaswag" else "{{query.strip()}}\\nAnswer:"
    return f"""task: {name}_{sampler}
dataset_path: json
dataset_kwargs: {{data_files: {{train: {tasks}/{name}_train.jsonl, test: {tasks}/{name}_test.jsonl}}}}
output_type: multiple_choice
training_split: train
test_split: test
fewshot_split: train
{fixed}doc_to_text: "{question}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list:
  - metric: acc
  - metric: acc_norm
"""


def _pages(text: str) -> Iterator[str]:
    """The articles of WikiText, which begin with a heading of the first level."""
    starts = [match.start() for match in re.finditer(r"(?m)^ = [^=].* = $", text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
