"""Ray's workers against one process: throughput, and the bytes of a run of which a worker is killed.

python benchmarks/ray/run.py [--requests 1500] [--milliseconds 20] [--rounds 3]

A real cluster of two nodes on this machine, two workers each. The model burns a core for a while per request,
as an in-process model does. Per round: the run in one process; the same on four workers; the same with
`kill -9` of one worker in the middle, whose folder must be that of the first, byte by byte. Then requests
that cost nothing: how many a second one driver hands out.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

TASK = """
name: burning
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "Question: {{ question }}\\nAnswer:"}
extract: [last_number]
metrics: [exact_match]
"""


def main() -> None:
    """Nothing; prints what was measured."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--milliseconds", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        folder = Path("tasks/burning")
        folder.mkdir(parents=True)
        (folder / "task.yaml").write_text(TASK)
        rows = [{"id": f"s{n}", "question": f"{n}", "answer": f"{n}"} for n in range(options.requests)]
        (folder / "samples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        Path("evalkit.yaml").write_text("{}\n")
        from ray.cluster_utils import Cluster

        node: dict[str, Any] = {"num_cpus": 2, "object_store_memory": 80 * 2**20}
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            cluster.add_node(**node)
            measure(options, cluster.address)
        finally:
            cluster.shutdown()


def measure(options: argparse.Namespace, address: str) -> None:
    """Nothing; prints the medians of the rounds."""
    rows: dict[str, list[float]] = {"one process": [], "4 workers": [], "4 workers, one killed": []}
    for number in range(options.rounds):
        base, seconds = run(options, f"local{number}", "local")
        rows["one process"].append(seconds)
        for name, kill in (("4 workers", False), ("4 workers, one killed", True)):
            folder, seconds = run(options, f"{name}{number}", f"ray:{address}", kill=kill)
            rows[name].append(seconds)
            if folder != base:
                sys.exit(f"{name}: the run folder is not that of the local run")
    for name, times in rows.items():
        rate = options.requests / statistics.median(times)
        ratio = statistics.median(rows["one process"]) / statistics.median(times)
        print(f"{name:24} {statistics.median(times):7.1f} s {rate:8.0f} requests/s {ratio:6.2f}x")
    print("run folders equal, byte by byte")
    options.milliseconds = 0.0
    _, seconds = run(options, "free", f"ray:{address}")
    print(f"requests that cost nothing: {options.requests / seconds:.0f}/s")


def run(
    options: argparse.Namespace, out: str, executor: str, *, kill: bool = False
) -> tuple[dict[str, bytes], float]:
    """The files of a run, and seconds from the first request to the last answer; `kill` ends a worker."""
    import evalkit

    marks = Path(out + ".marks").absolute()
    marks.mkdir()
    milliseconds = options.milliseconds

    def answer(request: Any) -> str:
        import os
        import time

        mark = marks / str(os.getpid())
        if not mark.exists():
            mark.write_text(str(time.time()))
        until = time.process_time() + milliseconds / 1000
        while time.process_time() < until:
            pass
        return str(request.messages[-1].text.split()[1])

    if kill:
        half = options.requests * milliseconds / 1000 / min(4, os.cpu_count() or 1) / 2
        threading.Thread(target=end_one, args=(marks, half), daemon=True).start()
    stored = evalkit.run(
        [evalkit.MockModel(answer, "mock/burning")], ["burning"], executor=executor, out=out, cache="off"
    )
    ended = (stored.folder / "run.json").stat().st_mtime
    began = min(float(mark.read_text()) for mark in marks.iterdir())
    files = {
        str(file.relative_to(stored.folder)): file.read_bytes()
        for file in stored.folder.rglob("*")
        if file.is_file()
    }
    return files, ended - began


def end_one(marks: Path, after_s: float) -> None:
    """Nothing; kills the first worker so many seconds after it began."""
    while not (found := sorted(marks.iterdir())):
        time.sleep(0.05)
    time.sleep(after_s)
    os.kill(int(found[0].name), signal.SIGKILL)


if __name__ == "__main__":
    main()
