"""Whose likelihoods are nearer the truth: evalkit's and lm_eval's against the same model in float64.

    python benchmarks/hf/exact.py --python /tmp/lmeval/bin/python --data DIR [--limit 100]

PIQA without worked examples, where `parity.py` finds the largest difference: sums of several hundred nats.
The truth is the sum, in float64, of the log softmax of the model's logits in float64. Prints the largest
differences; exit code 1 when evalkit is more than 1e-4 nats from the truth.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from parity import ask_own, ask_peer, likelihoods
from setting import make_setting

TASK = "piqa_sampled"


def find_truth(folder: Path, rows: list[Any]) -> dict[tuple[int, int], float]:
    """(document, choice) -> loglikelihood in float64, each request alone."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder / "model", dtype=torch.float64).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder / "model")
    found = {}
    with torch.inference_mode():
        for _, document, choice, context, continuation, *_ in rows:
            blanks = len(context) - len(context.rstrip())  # lm_eval moves them to the continuation
            if blanks:
                context, continuation = context[:-blanks], context[-blanks:] + continuation
            begin = len(tokenizer.encode(context))
            tokens = torch.tensor([tokenizer.encode(context + continuation)])
            logprobs = model(tokens).logits[0].log_softmax(-1)
            picked = logprobs[begin - 1 : -1].gather(1, tokens[0, begin:, None])
            found[document, choice] = float(picked.sum())
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="the interpreter of an environment with lm_eval")
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmark data")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-hf-setting")
    parser.add_argument("--limit", type=int, default=100)
    options = parser.parse_args()
    folder = make_setting(options.folder, options.data)
    out = Path(tempfile.mkdtemp())
    peer = ask_peer(options.python, folder, out / "peer.json", (TASK,), 0, options.limit)
    _, run = ask_own(folder, out / "own.json", (TASK,), 0, options.limit)
    rows = [row for row in peer["likelihoods"] if row[0] == TASK]
    truth = find_truth(folder, rows)
    theirs = {(row[1], row[2]): row[5] for row in rows}
    ours = {key: value for key, (value, _) in likelihoods(run, TASK).items()}
    assert set(ours) == set(theirs) == set(truth)
    errors = {
        name: max(abs(found[key] - truth[key]) for key in truth)
        for name, found in (("evalkit", ours), ("lm_eval", theirs))
    }
    print(f"{len(truth)} likelihoods, down to {min(truth.values()):.1f} nats")
    for name, error in errors.items():
        print(f"{name:<8} at most {error:.1e} nats from float64")
    sys.exit(0 if errors["evalkit"] <= 1e-4 else 1)


if __name__ == "__main__":
    main()
