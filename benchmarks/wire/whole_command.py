"""The whole command against peers: 1,000 prompts, a server of 50 ms, 64 connections, one by one.

    python benchmarks/wire/whole_command.py --lm-eval PATH --inspect PATH

Prints wall and CPU seconds of each tool, the time between its first and last request against the ideal
(N x latency / connections), and the ratios. evalkit runs twice, without answers in its cache: as on a machine
that has never asked this model, and as later runs do, which remember the requests that LiteLLM compiled.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

N, LATENCY, CONNECTIONS = 1000, 0.05, 64
TASK = """
name: farm
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "{{ question }}"}
generation: {temperature: 0, max_tokens: 256}
extract: [last_number]
metrics: [exact_match]
"""
LM_EVAL_TASK = """
task: farm
dataset_path: json
dataset_kwargs: {data_files: {test: SAMPLES}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["</s>"], max_gen_toks: 256, temperature: 0.0}
filter_list:
  - name: last
    filter: [{function: regex, regex_pattern: "#### (-?[0-9]+)"}, {function: take_first}]
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"""
INSPECT_TASK = """
from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.model import GenerateConfig
from inspect_ai.scorer import match
from inspect_ai.solver import generate

CONFIG = GenerateConfig(temperature=0, max_tokens=256)

@task
def farm():
    data = json_dataset("SAMPLES", FieldSpec(input="question", target="answer"))
    return Task(dataset=data, solver=generate(), scorer=match(numeric=True), config=CONFIG)
"""


def stats(url: str) -> dict[str, float]:
    """{n, first, last} of the server."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as reply:
        found: dict[str, float] = json.load(reply)
    return found


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def run(
    name: str, command: list[str], work: Path, environment: dict[str, str], port: int
) -> tuple[float, float] | None:
    """(wall, CPU) seconds of a command with a server of its own; None when it failed."""
    server = [sys.executable, str(Path(__file__).with_name("server.py")), "--latency", str(LATENCY)]
    server += ["--port", str(port)]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        command = [part.replace("URL", url) for part in command]
        for file in ("evalkit.yaml",):
            text = {"models": {"bench": {"model": "hosted_vllm/bench", "api_base": url}}}
            (work / file).write_text(json.dumps(text))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        environment = {**os.environ, **environment, "OPENAI_BASE_URL": url}
        with (work / f"{name}.log").open("wb") as log:
            code = subprocess.run(
                command, cwd=work, env=environment, stdout=log, stderr=log, check=False, timeout=280
            ).returncode
        wall = time.perf_counter() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        seen = stats(url)
        process.terminate()
    ideal = N * LATENCY / CONNECTIONS
    span = seen["last"] - seen["first"]
    print(
        f"{name:16} exit {code}, wall {wall:6.2f} s, CPU {cpu:6.2f} s, {seen['n']:.0f} requests, "
        f"first to last {span:.2f} s = {span / ideal:.2f}x the ideal",
        flush=True,
    )
    if code:
        print((work / f"{name}.log").read_text()[-1500:])
        return None
    return wall, cpu


def main() -> None:
    """Nothing; runs every tool that is there and prints the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lm-eval", default="/tmp/lmeval/bin/lm_eval")
    parser.add_argument("--inspect", default="/tmp/inspect/bin/inspect")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        task = work / "tasks" / "farm"
        task.mkdir(parents=True)
        samples = task / "samples.jsonl"
        text = (
            "A farmer has {n} apples and buys {m} more. " * 8
            + "How many apples? End with #### and the number."
        )
        rows = [{"id": f"q{n}", "question": text.format(n=n, m=n % 7), "answer": "42"} for n in range(N)]
        samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
        (task / "task.yaml").write_text(TASK)
        (work / "peer").mkdir()
        (work / "peer" / "farm.yaml").write_text(LM_EVAL_TASK.replace("SAMPLES", str(samples)))
        (work / "farm.py").write_text(INSPECT_TASK.replace("SAMPLES", str(samples)))
        many = str(CONNECTIONS)
        arguments = (
            f"model=bench,base_url=URL/chat/completions,num_concurrent={many},tokenized_requests=False"
        )
        ours = [sys.executable, "-m", "evalkit", "run", "--models", "bench", "--tasks", "farm", "--quiet"]
        lm_eval = [given.lm_eval, "run", "--model", "local-chat-completions", "--tasks", "farm"]
        lm_eval += ["--include_path", str(work / "peer"), "--apply_chat_template", "--log_samples"]
        inspect = [given.inspect, "eval", "farm.py", "--model", "openai/gpt-4", "-M", "responses_api=false"]
        commands = {
            "evalkit, first": [*ours, "--max-connections", many, "--cache", str(work / "first.db")],
            "evalkit": [*ours, "--max-connections", many, "--cache", str(work / "later.db")],
            "lm_eval": [*lm_eval, "--model_args", arguments, "--output_path", str(work / "lm_eval")],
            "inspect": [
                *inspect,
                "--max-connections",
                many,
                "--display",
                "none",
                "--log-dir",
                str(work / "logs"),
            ],
        }
        environment = {
            "OPENAI_API_KEY": "sk-bench-000000",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HOME": str(work / "hf"),
            "XDG_CACHE_HOME": str(work / "user"),
        }
        port = free_port()
        found = {
            name: run(name, command, work, environment, port)
            for name, command in commands.items()
            if Path(command[0]).exists()
        }
        for ours_name in ("evalkit, first", "evalkit"):
            best = found.get(ours_name)
            for name, theirs in found.items():
                if not name.startswith("evalkit") and best and theirs:
                    wall, cpu = best[0] / theirs[0], best[1] / theirs[1]
                    print(f"{ours_name} / {name}: wall {wall:.2f}x, CPU {cpu:.2f}x")


if __name__ == "__main__":
    main()
