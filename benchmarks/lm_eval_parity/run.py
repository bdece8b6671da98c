"""Compares evalkit's reading of lm-evaluation-harness tasks with lm_eval itself, byte for byte.

    python benchmarks/lm_eval_parity/run.py --python /path/to/venv-with-lm_eval/bin/python

1. Loads every task of lm_eval's tree as configuration with evalkit, and counts what is refused and why.
2. Takes a sample of tasks from every family (folder) of the tree; lm_eval, in its own environment, builds
   their requests on synthetic documents, zero-shot and 5-shot, plain and chat, and scores made-up responses.
3. Builds and scores the same with evalkit and compares. Prints the table; exit code 1 when something differs.
"""

from __future__ import annotations

import argparse
import collections
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(
    HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_EVALUATE_OFFLINE="1", TRANSFORMERS_OFFLINE="1"
)

from evalkit.core.errors import EvalkitError
from evalkit.interop.lm_eval import ChatOptions, DocRequests, TaskIndex, build_index, load_task

KINDS = {"generate": "generate_until", "loglikelihood": "loglikelihood", "rolling": "loglikelihood_rolling"}
N_DOCS = 8


def chat_template(messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
    """The template that peer.py uses, too."""
    text = "".join(f"<|{m['role']}|>\n{m['content']}<|end|>\n" for m in messages)
    return text + "<|assistant|>\n" if add_generation_prompt else text[: -len("<|end|>\n")]


SETTINGS: dict[str, dict[str, Any]] = {
    "plain 0-shot": {"num_fewshot": 0},
    "plain 5-shot": {"num_fewshot": 5},
    "chat 0-shot": {"num_fewshot": 0, "chat": ChatOptions(True, chat_template)},
    "chat 5-shot, turns": {
        "num_fewshot": 5,
        "chat": ChatOptions(True, chat_template),
        "system": "You are careful.",
    },
    "chat 5-shot, one message": {"num_fewshot": 5, "chat": ChatOptions(False, chat_template)},
}


def as_arguments(asked: DocRequests) -> list[list[Any]]:
    """The items of a document as lm_eval's request arguments."""
    rows: list[list[Any]] = []
    for item in asked.items:
        tail = {"generate": [item.context, dict(item.params)], "rolling": [item.continuation]}
        rows.append([KINDS[item.kind], *tail.get(item.kind, [item.context, item.continuation])])
    return rows


def load_all(index: TaskIndex) -> tuple[int, collections.Counter[str]]:
    """How many tasks load as configuration, and the reasons of the others."""
    loaded, reasons = 0, collections.Counter[str]()
    for name in index.names("task", "class"):
        try:
            task = load_task(name, index=index, trust=True, rows=lambda split: [])
            loaded += 1
            if task.refusal:
                reasons["loaded, refused to run: " + re.sub(r"^.*?: ", "", task.refusal)[:60]] += 1
        except EvalkitError as error:
            reasons[reason_of(str(error))] += 1
    return loaded, reasons


def reason_of(message: str) -> str:
    """A message without its file names."""
    package = re.search(r"needs the Python package '([\w-]+)'|[Nn]o module named '([\w-]+)'", message)
    if package:
        return f"needs the Python package {package[1] or package[2]}"
    if "while it was imported" in message:
        return "its Python fails on import: " + re.sub(r"/\S+", "...", message.split("imported: ")[-1])[:70]
    return re.sub(r"/\S+", "...", message)[:80]


def choose(index: TaskIndex, root: Path, per_family: int) -> list[str]:
    """Names of tasks, evenly spread over each family; the first of every family come first."""
    families: dict[str, list[str]] = {}
    for name in index.names("task", "class"):
        file = index.entries[name].file
        if file is not None:
            families.setdefault(file.relative_to(root).parts[0], []).append(name)
    rounds: list[list[str]] = [[] for _ in range(per_family)]
    for names in families.values():
        step = max(len(names) / per_family, 1.0)
        for i, round_of in enumerate(rounds):
            if int(i * step) < len(names):
                round_of.append(names[int(i * step)])
    return [name for round_of in rounds for name in round_of]


def compare(line: dict[str, Any], index: TaskIndex) -> list[str]:
    """What differs between lm_eval's line of a task and ours."""
    name, rows = line["task"], line["rows"]
    differences = []
    for setting, theirs in line["settings"].items():
        task = load_task(name, index=index, trust=True, rows=lambda split: rows[split])
        asked_for = dict(SETTINGS[setting])
        asked_for["num_fewshot"] = min(asked_for["num_fewshot"], line.get("most_shots", 5))
        ours = [as_arguments(asked) for asked in task.requests(limit=N_DOCS, **asked_for)]
        if json.loads(json.dumps(ours, default=str)) != theirs:
            differences.append(f"{name} [{setting}]: {first_difference(ours, theirs)}")
    return differences


def first_difference(ours: Any, theirs: Any) -> str:
    """Where two lists of requests part."""
    for doc, (a, b) in enumerate(zip(ours, theirs, strict=False)):
        for item, (x, y) in enumerate(zip(a, b, strict=False)):
            for part, (p, q) in enumerate(zip(x, y, strict=False)):
                if json.loads(json.dumps(p, default=str)) != q:
                    pairs = enumerate(zip(str(p), str(q), strict=False))
                    at = max(next((i for i, (c, d) in pairs if c != d), 0) - 20, 0)
                    shown = f"{str(p)[at : at + 60]!r} != {str(q)[at : at + 60]!r}"
                    return f"doc {doc} item {item} part {part}: {shown}"
            if len(x) != len(y):
                return f"doc {doc} item {item}: {len(x)} parts, theirs {len(y)}"
        if len(a) != len(b):
            return f"doc {doc}: {len(a)} items, theirs {len(b)}"
    return f"{len(ours)} documents, theirs {len(theirs)}"


def compare_scores(line: dict[str, Any], index: TaskIndex) -> list[str]:
    """What differs in the scores of the made-up responses."""
    name, rows = line["task"], line["rows"]
    task = load_task(name, index=index, trust=True, rows=lambda split: rows[split])
    scored = []
    for asked, responses in zip(task.requests(0, limit=N_DOCS), line["responses"], strict=True):
        given = [[tuple(r) if isinstance(r, list) else r] * task.repeats for r in responses]
        scored.append(task.score(asked, given))
    ours = task.aggregate(scored, bootstrap=100)
    flat: dict[str, Any] = {}
    for key, (value, error) in ours.items():
        metric, _, pipeline = key.rpartition(",")
        flat[key] = value
        flat[f"{metric}_stderr,{pipeline}"] = "N/A" if error is None else error
    return [
        f"{name} {key}: ours {flat.get(key)!r}, theirs {theirs!r}"
        for key, theirs in line["scores"].items()
        if not same(flat.get(key), theirs)
    ]


def same(ours: Any, theirs: Any) -> bool:
    """Whether two scores are equal to nine digits."""
    if isinstance(theirs, str) or ours is None or isinstance(ours, str):
        return ours == theirs
    a, b = float(ours), float(theirs)
    return (math.isnan(a) and math.isnan(b)) or a == b or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", required=True, help="interpreter of an environment with lm_eval 0.4.13")
    parser.add_argument("--per-family", type=int, default=4)
    parser.add_argument("--peer", type=Path, help="use this output of peer.py instead of running it")
    parser.add_argument("--skip-load", action="store_true", help="leave out the loading of the whole tree")
    options = parser.parse_args()
    code = (
        "import importlib.util as u, importlib.metadata as m;"
        "print(u.find_spec('lm_eval').origin, m.version('lm_eval'))"
    )
    origin, version = subprocess.check_output([options.python, "-c", code], text=True).split()
    root = Path(origin).parent / "tasks"
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        started = time.perf_counter()
        build_index(root, cache=work)
        cold = time.perf_counter() - started
        started = time.perf_counter()
        index = build_index(root, cache=work)
        warm = time.perf_counter() - started
        print(f"lm_eval {version}; index cold {cold:.2f} s, warm {warm:.2f} s")
        names = index.names("task", "class")
        kinds = collections.Counter(entry.kind for entry in index.entries.values())
        print("indexed:", ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))
        if not options.skip_load:
            started = time.process_time()
            loaded, reasons = load_all(index)
            seconds = time.process_time() - started
            print(
                f"loaded as configuration: {loaded} of {len(names)} ({loaded / len(names):.2%}), "
                f"{seconds:.0f} s CPU"
            )
            for reason, count in reasons.most_common():
                print(f"  {count:5}  {reason}")
        out = options.peer or work / "peer.jsonl"
        if options.peer is None:
            chosen = work / "names.json"
            chosen.write_text(json.dumps(choose(index, root, options.per_family)))
            script = Path(__file__).with_name("peer.py")
            command = [options.python, str(script), str(chosen), str(out)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            print(file=sys.stderr)
        return report(out, index, root)


def report(out: Path, index: TaskIndex, root: Path) -> int:
    """Compares every line of the peer and prints the table; 1 when something differs."""
    counts = collections.Counter[str]()
    families = set()
    differences: list[str] = []
    skipped = collections.Counter[str]()
    for text in out.read_text().splitlines():
        line = json.loads(text)
        if "skipped" in line:
            skipped[line["skipped"]] += 1
            continue
        try:
            found = compare(line, index)
        except EvalkitError as error:
            skipped[f"refused by evalkit: {reason_of(str(error))}"] += 1
            continue
        counts["compared"] += 1
        counts["settings"] += len(line["settings"])
        counts["requests"] += sum(len(doc) for docs in line["settings"].values() for doc in docs)
        counts["differing" if found else "equal"] += 1
        counts["pinned to 0 shots"] += bool(line.get("pinned"))
        families.add(index.entries[line["task"]].file.relative_to(root).parts[0])  # type: ignore[union-attr]
        differences += found
        if "scores" in line:
            try:
                wrong = compare_scores(line, index)
            except EvalkitError as error:
                wrong = [f"{line['task']}: {error}"]
            counts["scores compared"] += 1
            counts["scores differing" if wrong else "scores equal"] += 1
            differences += wrong
    print(f"families: {len(families)}")
    for name in ("compared", "pinned to 0 shots", "settings", "requests", "equal", "differing"):
        print(f"{name}: {counts[name]}")
    for name in ("scores compared", "scores equal", "scores differing"):
        print(f"{name}: {counts[name]}")
    for reason, count in skipped.most_common():
        print(f"  {count:5}  not compared: {reason}")
    for difference in differences:
        print("DIFFERS", difference)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
