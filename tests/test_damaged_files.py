"""Damaged files and odd command lines end in an error of ours, or in a result: never in a defect.

A few in a usual run; `EVALKIT_FUZZ=10000 pytest tests/test_damaged_files.py` makes so many of each format.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from damage import ODD, damage
from factories import make_request

import evalkit
from evalkit.cli import cli
from evalkit.core.errors import EvalkitError
from evalkit.core.records import Response
from evalkit.store.cache import Cache, cache_key

N = int(os.environ.get("EVALKIT_FUZZ") or 4)
"""Damaged files of each format."""
FIRST = int(os.environ.get("EVALKIT_FUZZ_FIRST") or 0)
"""The number of the first, to see one again."""
RESULTS = Path(__file__).parent / "interop" / "results"


def run(*args: str) -> str:
    """What the command says, whatever it is; fails where it ends otherwise than by an error of ours."""
    said = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            cli.main(args=list(args), prog_name="evalkit", standalone_mode=False)
        except (EvalkitError, click.ClickException, click.exceptions.Abort) as error:
            return str(error)
    said.seek(0)
    return said.read()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one sound file, or folder, of each format."""
    root = tmp_path_factory.mktemp("sound")
    with contextlib.chdir(root):
        evalkit.run(
            models=["baseline/oracle", "baseline/random"],
            tasks=["facts_en"],
            limit=2,
            out="reports",
            name="r",
        )
        shutil.copytree(next(Path("reports").iterdir()), "run")
    for name in ("lm_eval", "inspect", "promptfoo", "openai_evals", "helm"):
        shutil.copytree(RESULTS / name, root / name)
    write_small_ones(root)
    return root


def write_small_ones(root: Path) -> None:
    """The formats of which no example is kept."""
    rows = [
        {"id": "a", "input": "1+1", "output": "2", "score": 1, "model": "m", "target": "2"},
        {"id": "b", "input": "1+2", "output": "4", "score": 0.5, "model": "m", "target": "3"},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (root / "predictions").mkdir()
    (root / "predictions" / "p.jsonl").write_text(lines)
    (root / "table").mkdir()
    (root / "table" / "p.csv").write_text("id,input,output,score,model\na,1+1,2,1,m\nb,1+2,4,0,m\n")
    (root / "alpaca").mkdir()
    (root / "alpaca" / "annotations.json").write_text(json.dumps([
        {"instruction": str(n), "output_1": "x", "generator_1": "m1", "output_2": "y", "generator_2": "m2",
         "annotator": "a", "preference": 1.0 + n, "dataset": "d"} for n in range(2)]))  # fmt: skip
    (root / "cache").mkdir()
    asyncio.run(fill(f"sqlite:///{root}/cache.db"))
    with contextlib.chdir(root):
        run("cache", "export", "cache/c.jsonl", "--cache", f"sqlite:///{root}/cache.db")
    (root / "workspace").mkdir()
    (root / "workspace" / "evalkit.yaml").write_text(CONFIGURATION)
    (root / "tasks" / "x").mkdir(parents=True)
    (root / "tasks" / "x" / "samples.jsonl").write_text(lines)
    (root / "tasks" / "x" / "task.yaml").write_text(
        "name: x\ndata: {file: samples.jsonl}\nkind: generate\ntarget: target\n"
        "prompts: {plain: '{{ input }}'}\nmetrics: [exact_match]\nmetadata: [model]\n"
    )
    (root / "answers").mkdir()
    (root / "answers" / "a.jsonl").write_text(lines)


async def fill(url: str) -> None:
    """Two answers in a new cache."""
    cache = Cache(url)
    for text in ("2", "3"):
        request = make_request(text)
        await cache.put(cache_key(request, {}), request, Response(text=text))
    cache.close()


CONFIGURATION = """\
models:
  mine: {model: openai/gpt-4o, temperature: 0.5, cost: {input: 1, output: 2}}
  other: baseline/oracle
run: {models: [baseline/oracle], tasks: [facts_en], limit: 1, seed: 3}
gate: {tolerance: 0.02}
"""
SHOWN = ["report run -o x.html", "compare run run", "export run --to csv -o x", "gate run --baseline run"]
READ = [*SHOWN, "leaderboard run -o board", "rescore run --out again", "badcases run -o bad.html"]
FORMATS: dict[str, tuple[str, list[str]]] = {
    "run.json": ("run/run.json", READ),
    "samples": ("run/samples/*.jsonl", READ),
    "evalkit.yaml": ("workspace/evalkit.yaml", ["run --dry-run", "models list", "tasks list", "doctor"]),
    "data": (
        "tasks/x/samples.jsonl",
        ["run --tasks x --models baseline/oracle --out o", "tasks check x"],
    ),
    "score": ("answers/a.jsonl", ["score answers/a.jsonl --task x --out o"]),
    "cache": ("cache/c.jsonl", ["cache import cache/c.jsonl --cache sqlite:///new.db"]),
    "lm-eval": ("lm_eval/*/*.json*", ["import lm-eval lm_eval --out o"]),
    "inspect": ("inspect/own_*", ["import inspect inspect --out o"]),
    "promptfoo": ("promptfoo/results.json", ["import promptfoo promptfoo/results.json --out o"]),
    "openai-evals": ("openai_evals/*.jsonl", ["import openai-evals openai_evals --out o"]),
    "helm": ("helm/*/*.json", ["import helm helm --out o"]),
    "predictions": ("predictions/p.jsonl", ["import predictions predictions/p.jsonl --out o"]),
    "table": ("table/p.csv", ["import predictions table/p.csv --out o"]),
    "alpaca-eval": ("alpaca/annotations.json", ["import alpaca-eval alpaca/annotations.json --out o"]),
}
"""Format -> (the file that is damaged, the commands that read it)."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_file_is_read_or_refused(name: str, sound: Path) -> None:
    """Whatever stands in a file, the command ends with a result or an error in words."""
    pattern, commands = FORMATS[name]
    for number in range(FIRST, FIRST + N):
        rng = random.Random(f"{name}:{number}")
        command = rng.choice(commands).split()
        with copied(sound, pattern.split("/")[0], command) as folder:
            file = rng.choice(sorted(folder.glob(pattern)))
            file.write_bytes(damage(file.read_bytes(), rng, file.name))
            try:
                run(*command)
            except Exception as error:
                pytest.fail(f"{name} {number}: {command}: {type(error).__name__}: {error} [{file}]")


@contextlib.contextmanager
def copied(sound: Path, part: str, command: list[str]) -> Iterator[Path]:
    """A folder of its own, which is the present one, with a copy of what the command reads."""
    with tempfile.TemporaryDirectory() as folder:
        for name in {part, *({"tasks"} if part == "answers" else ())}:
            shutil.copytree(sound / name, Path(folder) / name)
        place = Path(folder) / ("workspace" if part == "workspace" else "")
        with contextlib.chdir(place):
            yield Path(folder)


VALUES = [
    *[str(value) for value in ODD if isinstance(value, str | int | float) and "\x00" not in str(value)],
    "run", "nope", "baseline/oracle", "facts_en", "x:y=1", "a=b", "=", "0.02", "1,2", ",", "-1", "latest",
    "csv",
]  # fmt: skip
COMMANDS = {
    "report": ["run"], "leaderboard": ["run"], "compare": ["run", "run"], "badcases": ["run"],
    "gate": ["run", "--baseline", "run"], "export": ["run"], "rescore": ["run"], "import": [],
    "metrics": [], "completion": [],
    "run": ["--models", "baseline/oracle", "--tasks", "facts_en", "--limit", "1"], "score": ["run/run.json"],
}  # fmt: skip
PLACES = frozenset({"output", "out", "junit", "markdown", "cache", "executor", "track", "include_path"})
"""Options that name files or machines: they stay as they are."""


@pytest.mark.filterwarnings("ignore")
def test_an_odd_command_line_is_done_or_refused(sound: Path) -> None:
    """Options with values of any kind, given twice, without a value or misspelt."""
    context = click.Context(cli)
    for number in range(FIRST, FIRST + N):
        rng = random.Random(f"line:{number}")
        name = rng.choice(sorted(COMMANDS))
        command = cli.get_command(context, name)
        assert command is not None
        options = [
            option
            for option in command.params
            if isinstance(option, click.Option) and option.name not in PLACES and not option.is_eager
        ]
        line = [name, *COMMANDS[name]]
        for option in rng.sample(options, min(len(options), rng.randint(0, 3))):
            line.append(rng.choice(option.opts))
            if not option.is_flag:
                line.append(rng.choice(VALUES))
        if rng.random() < 0.3:
            line.insert(rng.randint(1, len(line)), rng.choice(VALUES))
        with copied(sound, "run", line):
            try:
                run(*line)
            except Exception as error:
                pytest.fail(f"line {number}: {line}: {type(error).__name__}: {error}")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "a", "output": "\ud800", "score": 1, "model": "m"}, "1 run"),
        ({"id": "a", "output": "x", "score": 1, "model": "m", "n": 2**70}, "1 run"),
        ({"id": "a", "output": "x", "score": 10**400, "model": "m"}, "a score is a finite number"),
    ],
)
def test_what_no_run_can_hold_is_marked_or_refused(
    row: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a character, a number beyond 64 bits, a score beyond any: none is a defect."""
    monkeypatch.chdir(tmp_path)
    Path("p.jsonl").write_text(json.dumps(row) + "\n")
    text = run("import", "predictions", "p.jsonl", "--out", "o")
    assert said in text or list(Path("o").glob("*/run.json"))
    assert (said == "1 run") == bool(list(Path("o").glob("*/run.json")))
