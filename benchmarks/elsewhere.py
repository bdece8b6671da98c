"""Published figures of outputs that are not in the data folder, made anew from clones of their repositories.

    python benchmarks/elsewhere.py [--bbh CLONE] [--squad DEV PREDICTIONS]

CLONE is github.com/suzgunmirac/BIG-Bench-Hard; DEV is SQuAD 2.0's dev-v2.0.json and PREDICTIONS a JSON of
id -> answer, such as those of github.com/rajpurkar/SQuAD-explorer (models/v2.0). The bundled tasks score them
by replay. benchmarks/published.md holds the figures.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import evalkit


def rescore(task: str, prompt: str, data: Path, outputs: dict[str, str], folder: Path) -> dict[str, Any]:
    """The metrics of recorded outputs (id -> text) on a bundled task, in per cent."""
    lines = (json.dumps({"id": key, "output": text}) for key, text in outputs.items())
    recorded = folder / "outputs.jsonl"
    recorded.write_text("\n".join(lines), encoding="utf-8")
    found = evalkit.run(
        models=[f"replay/{recorded}"], tasks=[task], prompts=[prompt], data={task: data}, out=folder / "runs"
    )
    return {name: 100 * metric.value for name, metric in found.run.cells[0].metrics.items() if metric.value}


def bbh(clone: Path, folder: Path) -> None:
    """Codex' outputs, each of the 27 tasks and their plain mean, beside the authors' own figures."""
    for kind, prompt in (("direct", "few_shot"), ("cot", "few_shot_cot")):
        ours, theirs = [], []
        for file in sorted((clone / f"code-davinci-002-outputs/code-davinci-002-{kind}").glob("*.json")):
            name = file.name.partition("_few_shot")[0]
            rows = json.loads(file.read_text("utf-8"))["outputs"]
            data = folder / f"{name}.jsonl"
            data.write_text(
                "\n".join(
                    json.dumps({"id": str(n), "input": f"{n} {row['input'][-200:]}", "target": row["target"]})
                    for n, row in enumerate(rows)
                ),
                encoding="utf-8",
            )
            outputs = {str(n): row["prediction"] for n, row in enumerate(rows)}
            ours.append(rescore(f"bbh_{name}", prompt, data, outputs, folder).get("exact_match", 0.0))
            stated = file.with_name(f"{file.stem}_eval_metrics.jsonl").read_text("utf-8").splitlines()[0]
            theirs.append(json.loads(stated)["accuracy"])
            print(f"{kind} {name}: published {theirs[-1]:.4f}, ours {ours[-1]:.4f}")
        print(f"{kind}, mean over 27: published {sum(theirs) / 27:.4f}, ours {sum(ours) / 27:.4f}")


def squad(dev: Path, predictions: Path, folder: Path) -> None:
    """The official numbers of SQuAD 2.0 for one system."""
    outputs = json.loads(predictions.read_text("utf-8"))
    for name, value in rescore("squad_v2", "zero_shot", dev, outputs, folder).items():
        print(f"{name}: {value:.4f}")


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bbh", type=Path)
    parser.add_argument("--squad", type=Path, nargs=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.bbh:
            bbh(given.bbh, Path(folder))
        if given.squad:
            squad(*given.squad, Path(folder))


if __name__ == "__main__":
    main()
