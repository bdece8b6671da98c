"""Writes helm/ with HELM itself (crfm-helm), on HELM's own little scenario and a scripted model; run it in
HELM's environment.

python make_helm.py FOLDER
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from helm.benchmark.run import main
from helm.clients.simple_client import SimpleClient

KEPT = ("run_spec.json", "stats.json", "per_instance_stats.json", "scenario_state.json")


def invoke(self: SimpleClient, raw: Any) -> dict[str, Any]:
    """The right letter, but for numbers that seven divides."""
    number = int(re.findall(r"Is (\d+) even", raw["prompt"])[-1])
    letter = "A" if (number % 2 == 0) == bool(number % 7) else "B"
    return {"completions": [f" {letter}"] * raw["num_completions"]}


if __name__ == "__main__":
    SimpleClient.invoke_model = invoke
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        asked = ["--run-entries", "simple_mcqa:model=simple/model1", "--suite", "v1"]
        sys.argv[1:] = [*asked, "--max-eval-instances", "6", "--disable-cache", "--output-path", folder]
        main()
        (run,) = Path(folder).glob("runs/v1/simple_mcqa*")
        place = target / run.name.replace(":", "_")
        place.mkdir(parents=True, exist_ok=True)
        for name in KEPT:
            content = json.loads((run / name).read_text())
            (place / name).write_text(json.dumps(content, separators=(",", ":")))
            print(name, (place / name).stat().st_size)
        shutil.rmtree(run)
