"""evalkit's command line with the time of the model's work.

    python own.py OUT.json ARGUMENTS OF evalkit...

OUT.json holds the seconds (wall and CPU) inside the engine's likelihood calls: tokenising and computing.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

FOUND: dict[str, float] = {"phase_s": 0.0, "phase_cpu_s": 0.0}


def timed(call: Any) -> Any:
    def run(self: Any, items: Any) -> Any:
        started, cpu = time.perf_counter(), time.process_time()
        try:
            yield from call(self, items)
        finally:  # the run may close the model as soon as it has the last result
            FOUND["phase_s"] += time.perf_counter() - started
            FOUND["phase_cpu_s"] += time.process_time() - cpu

    return run


def main() -> None:
    import evalkit.models.hf.model as model
    from evalkit.cli import main as command

    make_engine = model.make_engine

    def patched(loaded: Any, size: Any) -> Any:
        from evalkit.models.hf.decoder import DecoderEngine

        for kind in ("loglikelihood", "rolling", "generate"):
            setattr(DecoderEngine, kind, timed(getattr(DecoderEngine, kind)))
        model.make_engine = make_engine
        return make_engine(loaded, size)

    model.make_engine = patched
    out = Path(sys.argv[1])
    sys.argv = ["evalkit", *sys.argv[2:]]
    try:
        command()
    finally:
        out.write_text(json.dumps(FOUND))
        if os.environ.get("EVALKIT_PROFILE"):
            print(FOUND, file=sys.stderr)


if __name__ == "__main__":
    main()
