"""The metrics that evalkit brings: a table of names, so that a metric's libraries load when it is asked for.

Beside these names there are `judge` (a model that grades), `rouge` (one metric a type), `pass@k`, `avg@k`
and `maj@k` for any number k, `recall@k`, `precision@k`, `hit@k`, `mrr@k` and `ndcg@k` of what a search found,
`evaluate/<name or path>` for one of Hugging Face's evaluate, metrics of a task's own, and those of installed
packages (entry point group `evalkit.metrics`).
"""

from __future__ import annotations

CONFIDENCE = frozenset({"auroc", "brier", "ece", "selective_accuracy"})
"""The metrics that need to know how likely a model held each option."""

METRICS: dict[str, str] = {
    "accuracy": "accuracy:Accuracy",
    "accuracy_bytes": "accuracy:ByteAccuracy",
    "accuracy_norm": "accuracy:NormalizedAccuracy",
    "auroc": "confidence:Auroc",
    "balanced_accuracy": "classification:BalancedAccuracy",
    "binary_f1": "classification:BinaryF1",
    "bits_per_byte": "perplexity:BitsPerByte",
    "bits_per_char": "perplexity:BitsPerChar",
    "bleu": "translation:Bleu",
    "brier": "confidence:Brier",
    "byte_perplexity": "perplexity:BytePerplexity",
    "cer": "edits:CharErrorRate",
    "chrf": "translation:Chrf",
    "chrf++": "translation:ChrfPlusPlus",
    "cmrc_em": "cmrc:CmrcExactMatch",
    "cmrc_f1": "cmrc:CmrcF1",
    "code_passes": "code:CodePasses",
    "cost": "consumption:Cost",
    "ece": "confidence:CalibrationError",
    "edit_distance": "edits:EditDistance",
    "edit_similarity": "edits:EditSimilarity",
    "exact_match": "answers:ExactMatch",
    "f1": "answers:TokenF1",
    "input_tokens": "consumption:InputTokens",
    "instruction_level_loose": "ifeval:InstructionLevelLoose",
    "instruction_level_strict": "ifeval:InstructionLevelStrict",
    "kappa": "classification:Kappa",
    "latency": "consumption:Latency",
    "macro_f1": "classification:MacroF1",
    "math_equal": "mathematics:MathEqual",
    "mcc": "classification:MatthewsCorrelation",
    "micro_f1": "classification:MicroF1",
    "output_tokens": "consumption:OutputTokens",
    "perplexity": "perplexity:TokenPerplexity",
    "precision": "classification:MacroPrecision",
    "prompt_level_loose": "ifeval:PromptLevelLoose",
    "prompt_level_strict": "ifeval:PromptLevelStrict",
    "quasi_exact_match": "answers:QuasiExactMatch",
    "recall": "classification:MacroRecall",
    "rouge1": "rouge:Rouge",
    "rouge2": "rouge:Rouge",
    "rougeL": "rouge:Rouge",
    "rougeLsum": "rouge:Rouge",
    "rule_share": "rules:RuleShare",
    "rules_followed": "rules:RulesFollowed",
    "selective_accuracy": "confidence:SelectiveAccuracy",
    "sentence_bleu": "translation:SentenceBleu",
    "ter": "translation:Ter",
    "weighted_f1": "classification:WeightedF1",
    "wer": "edits:WordErrorRate",
    "word_perplexity": "perplexity:WordPerplexity",
}
"""Name -> `module:Class` within evalkit.metrics."""
