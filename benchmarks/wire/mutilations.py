"""A LiteLLM whose inside is broken on purpose, 200 times: every run ends in some lane, with the same scores.

    python benchmarks/wire/mutilations.py [--number 200] [--seed 0] [--only NAME]

A traced run notes every function of litellm, openai and httpx that it calls. Of these, some are drawn; each
is renamed, given another signature, made to return something else, or to raise, in every module that holds
it; and three models (one for each kind of client) are run on twelve sums, six of which the server gets wrong.
A run passes when all samples have the score that they should have, or when what failed is told as LiteLLM's
own fault: not as the server's. Exit 1 when one does not.
"""

from __future__ import annotations

import argparse
import collections
import importlib
import inspect
import json
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT))

PACKAGES = ("litellm", "openai", "httpx", "httpx2")
KINDS = ("renamed", "another signature", "another return", "raising")
N = 12
ROUTES = {
    "sdk": "openai/gpt-4",
    "handler": "hosted_vllm/llama3",
    "claude": "anthropic/claude-3-opus-20240229",
}
TASK = {
    "name": "sums",
    "language": "en",
    "data": {"file": "samples.jsonl"},
    "target": "sum",
    "prompts": {"plain": "What is {{ a }}+{{ b }}?"},
    "generation": {"max_tokens": 16},
    "extract": ["last_number"],
    "metrics": ["exact_match"],
}
Place = tuple[str, str]
"""(module, qualified name) of a function."""


def answer(call: Any) -> str:
    """The sum in a sentence, wrong for every second prompt."""
    a, b = call.prompt.removeprefix("What is ").removesuffix("?").split("+")
    return f"It is {int(a) + int(b) + int(a) % 2}."


def workspace(folder: Path, url: str) -> None:
    """Nothing; the folder holds the task and the three models."""
    task = folder / "tasks" / "sums"
    task.mkdir(parents=True)
    (task / "task.yaml").write_text(json.dumps(TASK))
    rows = ({"id": f"s{n}", "a": n, "b": 3 * n, "sum": 4 * n} for n in range(N))
    (task / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    models = {
        name: {
            "model": route,
            "api_base": url.removesuffix("/v1") if name == "claude" else url,
            "api_key_env": "MUTILATED_KEY",
            "timeout_s": 10,
        }
        for name, route in ROUTES.items()
    }
    (folder / "evalkit.yaml").write_text(json.dumps({"models": models}))


def evaluate() -> dict[str, Any]:
    """What came of one run in the current folder: scores, lanes, and the errors by kind."""
    import evalkit

    stored = evalkit.run(models=list(ROUTES), tasks=["sums"], cache="off", name="x")
    scores: dict[str, float | None] = {}
    errors: collections.Counter[str] = collections.Counter()
    for cell in stored.run.cells:
        for row in stored.samples(cell.slug):
            value = row.scores.get("exact_match")
            scores[f"{cell.model} {row.sample_id}"] = value
            if value is None:
                told = row.response.error
                errors[told.message[:200] if told else row.unscored_reason or ""] += 1
    notes = {name: list(info.notes) for name, info in stored.run.models.items()}
    return {"scores": scores, "errors": dict(errors), "notes": notes, "stopped": dict(stored.run.errors)}


def trace() -> list[Place]:
    """The functions of the packages that a run calls, once all has been imported."""
    found: dict[Place, None] = {}

    def notice(frame: Any, event: str, _: Any) -> None:
        if event == "call":
            module = frame.f_globals.get("__name__") or ""
            name = frame.f_code.co_qualname
            if module.partition(".")[0] in PACKAGES and "<" not in name:
                found[(module, name)] = None

    sys.setprofile(notice)
    import threading

    threading.setprofile(notice)
    try:
        evaluate()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(found)


def holders(place: Place) -> Iterator[tuple[Any, str]]:
    """(owner, name) of everything that holds the function, in all modules of the packages."""
    owner: Any = sys.modules.get(place[0])
    *path, name = place[1].split(".")
    for part in path:
        owner = inspect.getattr_static(owner, part, None)
    if owner is None or inspect.getattr_static(owner, name, None) is None:
        return
    yield owner, name
    if path:
        return
    thing = getattr(owner, name)
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").partition(".")[0] in PACKAGES and module is not owner:
            for other, value in list(vars(module).items()):
                if value is thing:
                    yield module, other


def mutilate(place: Place, kind: str) -> bool:
    """Whether the function was found and broken."""
    importlib.import_module(place[0])
    places = list(holders(place))
    for owner, name in places:
        try:
            broken(owner, name, kind)
        except (AttributeError, TypeError):  # a class that cannot be changed
            return False
    return bool(places)


def broken(owner: Any, name: str, kind: str) -> None:
    """Nothing; the owner's function is broken."""
    found = inspect.getattr_static(owner, name)
    if kind == "renamed":
        delattr(owner, name)
        setattr(owner, f"{name}_moved", found)
        return
    plain = found.__func__ if isinstance(found, staticmethod | classmethod) else found
    waits = inspect.iscoroutinefunction(inspect.unwrap(plain)) if callable(plain) else False

    def result(*args: Any, **kwargs: Any) -> Any:
        if kind == "raising":
            raise RuntimeError("mutilated")
        return object()

    async def later(*args: Any, **kwargs: Any) -> Any:
        return result()

    def other(*, never_given: Any) -> Any:
        return never_given

    new: Any = other if kind == "another signature" else later if waits else result
    if isinstance(found, property):
        setattr(owner, name, property(result))
    elif isinstance(found, staticmethod | classmethod):
        setattr(owner, name, type(found)(new))
    else:
        setattr(owner, name, new)


def in_a_child(work: Any, folder: Path, seconds: float = 120.0) -> Any:
    """What `work` returns in a process of its own; a text where it dies, or takes too long."""
    result = folder / "result.json"
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.chdir(folder)
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
            quiet = os.open(folder / "out.txt", os.O_WRONLY | os.O_CREAT)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            result.write_text(json.dumps(work()))
            status = 0
        except BaseException as error:
            told = traceback.format_exc() if isinstance(error, Exception) else type(error).__name__
            result.write_text(json.dumps(f"{type(error).__name__}: {error} {told[-300:]}"))
        finally:
            os._exit(status)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if os.waitpid(child, os.WNOHANG)[0]:
            return json.loads(result.read_text()) if result.exists() else "died"
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return f"hung for {seconds:g} s"


def verdict(found: Any, right: dict[str, Any]) -> str:
    """How a run ended: its lane, or what is wrong."""
    if not isinstance(found, dict):
        return f"WRONG: {found}"
    wrong = {key: value for key, value in found["scores"].items() if value not in (right[key], None)}
    if wrong:
        return f"WRONG: {len(wrong)} other scores"
    if len(found["scores"]) != len(right):
        return f"WRONG: {len(found['scores'])} of {len(right)} samples"
    said = [note for notes in found["notes"].values() for note in notes if note.startswith("warning")]
    if all(value is not None for value in found["scores"].values()):
        lane = "stock" if any("plain LiteLLM took over" in note for note in said) else ""
        lane = lane or ("safe" if any("the safe lane took over" in note for note in said) else "")
        return lane or ("read without LiteLLM" if said else "fast")
    words = " ".join([*found["errors"], *found["stopped"].values()])
    return (
        "LiteLLM's own fault, said" if "LiteLLM" in words and "itself" in words else f"WRONG: {words[:200]}"
    )


def main() -> int:
    """0 when every run ended as it should."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    os.environ["MUTILATED_KEY"] = "sk-mutilated-0123456789"
    import server as servers

    from evalkit.models import _litellm

    with tempfile.TemporaryDirectory() as folder, servers.serve(answer) as server:
        place = Path(folder)

        def fresh(name: str) -> Path:
            workspace(place / name, server.url)
            return place / name

        _litellm.load()
        right = in_a_child(evaluate, fresh("right"))
        print(f"unharmed: {right if isinstance(right, str) else right['notes']}", flush=True)
        traced = in_a_child(trace, fresh("trace"))
        if isinstance(right, str) or isinstance(traced, str):
            print(right, traced)
            return 1
        places: list[Place] = [(module, name) for module, name in traced]
        rng = random.Random(options.seed)
        drawn = [(rng.choice(places), rng.choice(KINDS)) for _ in range(options.number)]
        if options.only:
            drawn = [(each, kind) for each in places if options.only in ".".join(each) for kind in KINDS]
        print(f"{len(places)} functions touched, {len(drawn)} mutilations drawn (seed {options.seed})")
        counts: collections.Counter[str] = collections.Counter()
        for number, (each, kind) in enumerate(drawn):

            def work(each: Place = each, kind: str = kind) -> Any:
                return evaluate() if mutilate(each, kind) else "not found"

            found = in_a_child(work, fresh(f"m{number}"))
            ended = "not found" if found == "not found" else verdict(found, right["scores"])
            counts[ended.partition(":")[0]] += 1
            if ended.startswith("WRONG") or options.only:
                print(f"{'.'.join(each)} {kind}: {ended}", flush=True)
        print(dict(counts))
        return int(any(name.startswith("WRONG") for name in counts))


if __name__ == "__main__":
    sys.exit(main())
