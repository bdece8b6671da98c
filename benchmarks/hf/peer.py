"""Runs in lm_eval's own environment: its command line on given tasks, with the time of the model's work.

    python peer.py OUT.json ARGUMENTS OF lm_eval...

OUT.json holds the seconds (wall and CPU) inside the likelihood calls, all likelihoods, and the results.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

FOUND: dict[str, Any] = {"phase_s": 0.0, "phase_cpu_s": 0.0, "likelihoods": [], "texts": [], "results": {}}


def timed(call: Any, kind: str) -> Any:
    def run(self: Any, requests: Any, *args: Any, **kwargs: Any) -> Any:
        started, cpu = time.perf_counter(), time.process_time()
        found = call(self, requests, *args, **kwargs)
        FOUND["phase_s"] += time.perf_counter() - started
        FOUND["phase_cpu_s"] += time.process_time() - cpu
        for request, value in zip(requests, found, strict=True):
            row = [request.task_name, request.doc_id, request.idx, *request.args]
            if kind == "texts":
                FOUND["texts"].append([*row[:4], value])
            elif kind == "rolling":
                FOUND["likelihoods"].append([*row[:3], "", row[3], value, None])
            else:
                FOUND["likelihoods"].append([*row, *value])
        return found

    return run


def main() -> None:
    import lm_eval.evaluator as evaluator
    from lm_eval.__main__ import cli_evaluate
    from lm_eval.models.huggingface import HFLM

    HFLM.loglikelihood = timed(HFLM.loglikelihood, "choices")
    HFLM.loglikelihood_rolling = timed(HFLM.loglikelihood_rolling, "rolling")
    HFLM.generate_until = timed(HFLM.generate_until, "texts")
    inner = evaluator.evaluate

    def evaluate(*args: Any, **kwargs: Any) -> Any:
        found = inner(*args, **kwargs)
        FOUND["results"] = {
            task: {key: value for key, value in values.items() if isinstance(value, float)}
            for task, values in found["results"].items()
        }
        return found

    evaluator.evaluate = evaluate
    out = Path(sys.argv[1])
    sys.argv = ["lm_eval", *sys.argv[2:]]
    try:
        cli_evaluate()
    finally:
        out.write_text(json.dumps(FOUND))


if __name__ == "__main__":
    main()
