"""Tiny random language models with real tokenizers, made on the spot: seeded, in well under a second each.

Every function writes a folder as `transformers` writes it (config.json, model.safetensors, tokenizer.json)
and returns its path. Tokenizers are trained on English and Chinese text: byte-level BPE (GPT-2, BART), BPE
with byte fallback (Llama), Unigram (T5), WordPiece (BERT). The weights are larger than an untrained model's,
so that the next token's distribution has a clear maximum and small numerical differences cannot turn a
greedy choice.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHAT_TEMPLATE = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "<|{{ message.role }}|>\n{{ message.content }}{{ eos_token }}\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
"""A template like those of instruction-tuned models: role, content, end of turn; it knows the system role."""

NO_SYSTEM_TEMPLATE = (
    "{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ message.role }}] {{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)
"""A template that refuses the system role, as Gemma's does."""

_ENGLISH = (
    "The quick brown fox jumps over the lazy dog.",
    "Question: How many apples are left when 3 of 10 are eaten?\nAnswer: 7",
    "Question: What is the capital of France?\nAnswer: Paris",
    "A farmer has 12 sheep and buys 30 more; now there are 42 sheep in the field.",
    "The review says that the film was wonderful, and the actors were better than the story.",
    "It was the worst meal that we have ever had, and the waiter did not care.",
    "Water boils at 100 degrees; ice melts at 0 degrees.",
    "She took the umbrella because it was going to rain in the afternoon.",
    "Positive or negative? Yes or no? True or false?",
)
_CHINESE = (
    "问题：小明有十个苹果，吃了三个，还剩几个？答案：七个。",
    "今天天气很好，我们去公园散步吧。",
    "这部电影非常精彩，演员的表演也很出色。",
    "服务员的态度很差，菜也不好吃。",
    "中国的首都是北京，法国的首都是巴黎。",
    "水在一百度沸腾，冰在零度融化。",
)


def corpus() -> list[str]:
    """Some two hundred lines, English, Chinese and mixed, always the same."""
    lines = [*_ENGLISH, *_CHINESE]
    return lines + [f"{a} {b}" for a in _ENGLISH for b in (*_CHINESE, *_ENGLISH)] + list(_CHINESE) * 4


def make_gpt2(folder: Path, *, seed: int = 0, chat_template: str | None = None, **config: Any) -> Path:
    """A GPT-2 with byte-level BPE; its only special token is both BOS and EOS, and no text gets it."""
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = _byte_level(["<|endoftext|>"])
    fast = _fast(tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>")
    end = fast.convert_tokens_to_ids("<|endoftext|>")
    settings = {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 128, **config}
    made = GPT2Config(vocab_size=len(fast), bos_token_id=end, eos_token_id=end, **settings)
    return _save(folder, functools.partial(GPT2LMHeadModel, made), fast, seed, chat_template)


def make_llama(folder: Path, *, seed: int = 0, chat_template: str | None = None, **config: Any) -> Path:
    """A Llama with grouped heads; BPE with byte fallback, and a tokenizer that puts BOS before every text."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers
    from transformers import LlamaConfig, LlamaForCausalLM

    specials = ["<unk>", "<s>", "</s>"]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokens = [*specials, *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = trainers.BpeTrainer(
        vocab_size=520, special_tokens=tokens, limit_alphabet=100, show_progress=False, max_token_length=10
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer = _demote(tokenizer, specials)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    fast = _fast(tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    settings = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 128,
        **config,
    }
    made = LlamaConfig(vocab_size=len(fast), bos_token_id=1, eos_token_id=2, **settings)
    return _save(folder, functools.partial(LlamaForCausalLM, made), fast, seed, chat_template)


def make_t5(folder: Path, *, seed: int = 0, **config: Any) -> Path:
    """A T5 with a Unigram tokenizer that ends every text with EOS; the decoder starts with the padding."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=400, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    fast = _fast(tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    settings = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4, **config}
    made = T5Config(
        vocab_size=len(fast), decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **settings
    )
    return _save(folder, functools.partial(T5ForConditionalGeneration, made), fast, seed)


def make_bart(folder: Path, *, seed: int = 0, **config: Any) -> Path:
    """A BART with byte-level BPE and `<s> text </s>`; the decoder starts with EOS."""
    from tokenizers import processors
    from transformers import BartConfig, BartForConditionalGeneration

    tokenizer = _byte_level(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    fast = _fast(
        tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )
    settings = {
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "decoder_ffn_dim": 64,
        "max_position_embeddings": 128,
        **config,
    }
    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    made = BartConfig(vocab_size=len(fast), forced_eos_token_id=None, **ids, **settings)
    return _save(folder, functools.partial(BartForConditionalGeneration, made), fast, seed)


def make_bert(folder: Path, *, seed: int = 0, **config: Any) -> Path:
    """A BERT with a masked-language-model head; WordPiece with `[CLS] text [SEP]`."""
    from transformers import BertForMaskedLM

    fast = _word_piece()
    made = _bert_config(len(fast), **config)
    return _save(folder, functools.partial(BertForMaskedLM, made), fast, seed)


def make_classifier(
    folder: Path, *, labels: tuple[str, ...] = ("negative", "positive"), seed: int = 0, **config: Any
) -> Path:
    """A BERT with a sequence-classification head for these labels."""
    from transformers import BertForSequenceClassification

    fast = _word_piece()
    names = dict(enumerate(labels))
    made = _bert_config(
        len(fast), id2label=names, label2id={label: i for i, label in names.items()}, **config
    )
    return _save(folder, functools.partial(BertForSequenceClassification, made), fast, seed)


MAKERS: dict[str, Callable[..., Path]] = {
    "gpt2": make_gpt2,
    "llama": make_llama,
    "t5": make_t5,
    "bart": make_bart,
    "bert": make_bert,
    "classifier": make_classifier,
}
"""Family -> what makes a model of it with its defaults."""


def _byte_level(specials: list[str]) -> Any:
    """A byte-level BPE tokenizer as GPT-2's: every byte has a token, so that no text is unknown."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def _word_piece() -> Any:
    """A WordPiece tokenizer as BERT's: lower case, Chinese characters apart, `[CLS] text [SEP]`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return _fast(
        tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


def _bert_config(vocab_size: int, **config: Any) -> Any:
    """The configuration of a small BERT."""
    from transformers import BertConfig

    settings = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": 128,
        **config,
    }
    return BertConfig(vocab_size=vocab_size, pad_token_id=0, **settings)


def _demote(tokenizer: Any, specials: list[str]) -> Any:
    """The tokenizer with these special tokens only: the bytes of a trained fallback are ordinary tokens."""
    import json

    from tokenizers import Tokenizer

    document = json.loads(tokenizer.to_str())
    document["added_tokens"] = [token for token in document["added_tokens"] if token["content"] in specials]
    return Tokenizer.from_str(json.dumps(document))


def _fast(tokenizer: Any, **tokens: str) -> Any:
    """The trained tokenizer as transformers uses it."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, model_max_length=128, **tokens
    )


def _save(
    folder: Path, make: Callable[[], Any], tokenizer: Any, seed: int, chat_template: str | None = None
) -> Path:
    """The folder, filled: the model with random weights from the seed, and its tokenizer."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = make().eval()
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if weight.dim() > 1 and "norm" not in name.lower():
                    weight.copy_(torch.randn(weight.shape) * 0.3)
    if chat_template is not None:
        tokenizer.chat_template = chat_template
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
