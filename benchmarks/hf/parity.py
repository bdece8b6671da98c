"""The same model and the same task files in lm_eval and in evalkit: every likelihood, every score.

    python3 -m venv /tmp/lmeval && /tmp/lmeval/bin/pip install 'lm_eval[hf]==0.4.13'    # torch for CPU does
    python benchmarks/hf/parity.py --python /tmp/lmeval/bin/python --data DIR [--limit 200]

ARC-Challenge, PIQA and HellaSwag 0- and 5-shot, WikiText-2 in windows; the model is made by `setting.py`.
Prints the table; exit code 1 when a likelihood differs by more than 1e-4 nats (or, for sums so large that
float32 has no such digits, by more than 1e-6 of itself: lm_eval adds in float32), a score at all, or a
perplexity per byte by more than 1e-6 relative.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from setting import make_setting

HERE = Path(__file__).parent
ENVIRONMENT = {
    **os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}  # fmt: skip
CHOICES = ("arc_sampled", "piqa_sampled", "hellaswag_sampled")


def ask_peer(
    python: str,
    folder: Path,
    out: Path,
    tasks: tuple[str, ...],
    shots: int,
    limit: int | None,
    batch: int = 8,
) -> dict[str, Any]:
    """What lm_eval finds: phase seconds, likelihoods, results."""
    command = [
        python, str(HERE / "peer.py"), str(out), "--model", "hf",
        "--model_args", f"pretrained={folder}/model,dtype=float32",
        "--tasks", ",".join(tasks), "--include_path", f"{folder}/tasks",
        "--num_fewshot", str(shots), "--batch_size", str(batch), "--device", "cpu",
    ]  # fmt: skip
    command += ["--limit", str(limit)] if limit else []
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(out.read_text())
    return found


def ask_own(
    folder: Path, out: Path, tasks: tuple[str, ...], shots: int, limit: int | None, *more: str
) -> tuple[dict[str, float], Path]:
    """The seconds of evalkit's phases, and the folder of its run."""
    work = Path(tempfile.mkdtemp(dir=out.parent))
    files = ",".join(f"{folder}/tasks/{task.removesuffix('_local')}.yaml" for task in tasks)
    command = [
        sys.executable, str(HERE / "own.py"), str(out), "run",
        "--models", f"hf/{folder}/model", "--tasks", files,
        "--num-fewshot", str(shots), "--param", "dtype=float32", "--cache", "off", "--quiet", *more,
    ]  # fmt: skip
    command += ["--limit", str(limit)] if limit else []
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, cwd=work)
    times: dict[str, float] = json.loads(out.read_text())
    return times, next((work / "reports").iterdir())


def likelihoods(run: Path, task: str) -> dict[tuple[int, int], tuple[float, bool | None]]:
    """(document, choice) -> (logprob, greedy) of a stored run."""
    document = json.loads((run / "run.json").read_text())
    cell = next(cell for cell in document["cells"] if cell["task"] == task)
    found = {}
    for line in (run / "samples" / f"{cell['slug']}.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if "sample_id" in row:
            for number, entry in enumerate(row["response"]["loglikelihoods"]):
                found[int(row["sample_id"]), number] = (entry["logprob"], entry["is_greedy"])
    return found


def scores(run: Path, task: str) -> dict[str, float]:
    """Metric -> value of a stored run."""
    document = json.loads((run / "run.json").read_text())
    cell = next(cell for cell in document["cells"] if cell["task"] == task)
    return {name: entry["value"] for name, entry in cell["metrics"].items()}


def compare(peer: dict[str, Any], run: Path, task: str, shots: int) -> bool:
    """Whether all agree; prints a line of the table."""
    theirs = {(row[1], row[2]): (row[5], row[6]) for row in peer["likelihoods"] if row[0] == task}
    ours = likelihoods(run, task)
    if set(ours) != set(theirs):
        print(f"| {task} | {shots} | the requests differ: {len(theirs)} and {len(ours)} | | | |")
        return False
    furthest = max(abs(ours[key][0] - theirs[key][0]) for key in ours)
    relative = max(abs(ours[key][0] / theirs[key][0] - 1) for key in ours if theirs[key][0])
    greedy = sum(ours[key][1] != theirs[key][1] for key in ours if theirs[key][1] is not None)
    results = {key: value for key, value in peer["results"][task].items() if "stderr" not in key}
    mine = scores(run, task)
    off = {
        key: mine.get(key) for key, value in results.items()
        if mine.get(key) is None
        or abs(mine[key] - value) > (1e-6 * abs(value) if "perplexity" in key or "bits" in key else 0)
    }  # fmt: skip
    shown = ", ".join(f"{key.split(',')[0]} {value:.6g}" for key, value in results.items())
    print(
        f"| {task} | {shots} | {len(ours)} | {furthest:.1e} ({relative:.0e}) | {greedy} | "
        f"{shown}{f' DIFFERENT: {off}' if off else ', equal'} |"
    )
    return (furthest <= 1e-4 or relative <= 1e-6) and not greedy and not off


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", required=True, help="the interpreter of an environment with lm_eval")
    parser.add_argument("--data", type=Path, required=True, help="the folder of benchmark data")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "evalkit-hf-setting")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--pages", type=int, default=20, help="articles of WikiText-2")
    parser.add_argument("--shots", type=int, nargs="*", default=[0, 5], help="of the choice tasks")
    options = parser.parse_args()
    folder = make_setting(options.folder, options.data)
    out = Path(tempfile.mkdtemp())
    print("| task | shots | likelihoods | largest difference, nats (relative) | greedy differs | scores |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    agree = True
    for shots in options.shots:
        peer = ask_peer(options.python, folder, out / "peer.json", CHOICES, shots, options.limit)
        _, run = ask_own(folder, out / "own.json", CHOICES, shots, options.limit)
        for task in CHOICES:
            agree &= compare(peer, run, task, shots)
            sys.stdout.flush()
    pages = ("wikitext_local",)
    peer = ask_peer(options.python, folder, out / "peer.json", pages, 0, options.pages)
    _, run = ask_own(folder, out / "own.json", pages, 0, options.pages)
    agree &= compare(peer, run, pages[0], 0)
    sys.exit(0 if agree else 1)


if __name__ == "__main__":
    main()
