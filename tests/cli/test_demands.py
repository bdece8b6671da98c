"""No option is taken and means nothing: every one of the command line, with values that it must refuse.

A new option is to be entered here: with what is wrong for it, or among those for which nothing is.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from factories import write_rows, write_task

from evalkit import MockModel
from evalkit import run as run_models
from evalkit.cli import cli
from evalkit.cli.options import Count, Number
from evalkit.core.errors import EvalkitError

ROWS = [
    {"id": f"s{n}", "question": f"{n} + {n}", "answer": str(2 * n), "topic": "ab"[n % 2]} for n in range(12)
]
PICKS = [{"id": f"p{n}", "question": f"q{n}", "opts": ["x", "y"], "answer": n % 2} for n in range(12)]

RUN = "run -m baseline/oracle -t sums --dry-run"
GATE = "gate R/two --baseline R/two"
ASK = "gate --baseline R/two -m baseline/oracle"
PREVIEW = "tasks preview sums"
ARENA = "arena R/two --judge mock/echo --dry-run"
AGREE = "agreement labels.jsonl --column said"
ASKED = "agreement labels.jsonl --judge mock/echo"
CASES = "badcases R/two -o tasks/hard"

REFUSED: dict[str, tuple[str, ...]] = {
    "run --models": ("run -m '' -q", "run -m , -q", "run -m baseline/oracel -q"),
    "run --tasks": ("run -t ''", "run -t 'zz*'", "run -t sums,nope", "run -t ' , '"),
    "run --prompts": (f"{RUN} -p nope", f"{RUN} -p ''", f"{RUN} -p plain,nope"),
    "run --limit": (f"{RUN} --limit 0", f"{RUN} --limit {10**30}", f"{RUN} --limit 3 --limit 5"),
    "run --num-fewshot": (f"{RUN} --num-fewshot -1", f"{RUN} --num-fewshot {10**20}"),
    "run --repeats": (f"{RUN} --repeats 0", f"{RUN} --repeats {10**30}"),
    "run --seed": (f"{RUN} --seed {2**64}", f"{RUN} --seed x", f"{RUN} --seed 1 --seed 2"),
    "run --param": (
        f"{RUN} --param temprature=0",
        f"{RUN} --param temperature=NaN",
        f"{RUN} --param temperature=1e999",
        f"{RUN} --param temperature=nan",
        f"{RUN} --param temperature=-3",
        f"{RUN} --param max_tokens=abc",
        f"{RUN} --param max_tokens=0",
        f"{RUN} --param top_p=90",
        f"{RUN} --param api_key=x",
        f"{RUN} --param temperature=0 --param temperature=1",
        f"{RUN} --param top_k=[NaN]",
        f"{RUN} --param stop=5",
    ),
    "run --max-cost": tuple(f"{RUN} --max-cost {bad}" for bad in ("nan", "inf", "-1", "1e300")),
    "run --max-connections": (f"{RUN} --max-connections 0", f"{RUN} --max-connections {10**20}"),
    "run --timeout": tuple(f"{RUN} --timeout {bad}" for bad in ("nan", "inf", "0", "1e300", "5")),
    "run --retry": (f"{RUN} --retry nope", f"{RUN} --retry refused --fresh", f"{RUN} --retry ''"),
    "run --choices-order": (f"{RUN} --choices-order seeded", f"{RUN} --choices-order nope"),
    "run --executor": (f"{RUN} --executor nope", f"{RUN} --executor ''"),
    "run --judge": (f"{RUN} --judge baseline/oracle", f"{RUN} --judge ''"),
    "run --lane": (f"{RUN} --lane nope", f"{RUN} --lane fast"),
    "run --data": (
        f"{RUN} --data nope=samples.jsonl",
        f"{RUN} --data sums=",
        f"{RUN} --data sums=a.jsonl --data sums=b.jsonl",
    ),
    "run --include-path": (f"{RUN} --include-path nope", f"{RUN} --include-path ''"),
    "run --cache": (f"{RUN} --cache ''", f"{RUN} --cache a.db --cache off"),
    "run --out": (f"{RUN} --out ''",),
    "run --name": (f"{RUN} --name ' '", f"{RUN} --name=", f"{RUN} --name a --name b"),
    "run --track": (f"{RUN} --track nope", f"{RUN} --track ,"),
    "run --verbose": (f"{RUN} --verbose -q", f"{RUN} --verbose --json"),
    "report --output": ("report R/two --table csv -o x.html", "report R/two -o ''"),
    "report --lang": ("report R/two --lang fr", "report R/two --json --lang zh"),
    "report --no-samples": ("report R/two --table csv --no-samples",),
    "report --redact": ("report R/two --json --redact",),
    "report --table": ("report R/two --table nope", "report R/two --table csv --json"),
    "report --out": ("report latest --out nope",),
    "leaderboard --output": ("leaderboard R/two -o ''",),
    "leaderboard --lang": ("leaderboard R/two --lang fr",),
    "leaderboard --arena": ("leaderboard R/two --arena nope",),
    "leaderboard --out": ("leaderboard --out nope",),
    "view --port": ("view --port 70000",),
    "view --open": ("view --open --no-open",),
    "view --lang": ("view --lang fr",),
    "tasks list --include-path": ("tasks list --include-path nope",),
    "tasks list --verbose": ("tasks list --verbose --json", "tasks list nope"),
    "tasks show --include-path": ("tasks show sums --include-path nope", "tasks show nope"),
    "tasks preview --prompt": (f"{PREVIEW} --prompt nope", f"{PREVIEW} --prompt plain --diff plain long"),
    "tasks preview --sample": (f"{PREVIEW} --sample nope",),
    "tasks preview --model": (f"{PREVIEW} --model baseline/oracel",),
    "tasks preview --num-fewshot": (f"{PREVIEW} --num-fewshot 99",),
    "tasks preview --seed": (f"{PREVIEW} --seed {2**70}",),
    "tasks preview --diff": (f"{PREVIEW} --diff plain nope", f"{PREVIEW} --diff plain"),
    "tasks preview --data": (f"{PREVIEW} --data nope=x",),
    "tasks preview --include-path": (f"{PREVIEW} --include-path nope",),
    "tasks check --include-path": ("tasks check sums --include-path nope", "tasks check nope"),
    "tasks check --data": ("tasks check sums --data sums=", "tasks check sums --data nope=samples.jsonl"),
    "tasks check --max-tokens": ("tasks check sums --max-tokens 0", "tasks check sums --max-tokens x"),
    "tasks check --verbose": ("tasks check sums --verbose --json",),
    "tasks new --kind": ("tasks new x --kind nope",),
    "tasks new --lang": ("tasks new x --lang fr",),
    "score --task": ("score answers.jsonl --task nope", "score answers.jsonl", "score answers.jsonl -t ''"),
    "score --data": ("score answers.jsonl -t sums --data nope=x",),
    "score --include-path": ("score answers.jsonl -t sums --include-path nope",),
    "score --judge": ("score answers.jsonl -t sums --judge mock/echo",),
    "score --max-cost": tuple(f"score answers.jsonl -t sums --max-cost {bad}" for bad in ("nan", "3")),
    "score --cache": ("score answers.jsonl -t sums --cache off",),
    "score --out": ("score answers.jsonl -t sums --out ''",),
    "rescore --task": ("rescore R/two --task nope",),
    "rescore --allow": ("rescore R/two --allow nope",),
    "rescore --data": ("rescore R/two --data nope=x",),
    "rescore --include-path": ("rescore R/two --include-path nope",),
    "rescore --out": ("rescore R/two -o ''",),
    "rescore --name": ("rescore R/two --name ''",),
    "compare --by": ("compare R/two --by nope", "compare R/two R/two"),
    "compare --metric": ("compare R/two --metric nope", "compare R/two --metric ''"),
    "compare --base": ("compare R/two --base nope",),
    "compare --slice": ("compare R/two --slice nope", "compare R/two --slice ,"),
    "compare --include-path": ("compare R/two --include-path nope",),
    "compare --out": ("compare latest --out nope",),
    "compare --output": ("compare R/two -o ''",),
    "compare --lang": ("compare R/two --lang zh",),
    "compare --no-samples": ("compare R/two --no-samples",),
    "compare --redact": ("compare R/two --redact",),
    "arena --judge": ("arena battles.jsonl --judge mock/echo", "arena R/two --judge ''"),
    "arena --rubric": ("arena battles.jsonl --rubric x",),
    "arena --baseline": (f"{ARENA} --baseline nope", "arena battles.jsonl --baseline a"),
    "arena --limit": (f"{ARENA} --limit 0", "arena battles.jsonl --limit 3"),
    "arena --reference": ("arena battles.jsonl --reference",),
    "arena --judge-lang": ("arena battles.jsonl --judge-lang zh",),
    "arena --seed": (f"{ARENA} --seed {2**64}", "arena battles.jsonl --seed 3"),
    "arena --max-cost": (f"{ARENA} --max-cost nan", "arena battles.jsonl --max-cost 3"),
    "arena --cache": ("arena battles.jsonl --cache off",),
    "arena --dry-run": ("arena battles.jsonl --dry-run",),
    "arena --output": (f"{ARENA} -o x",),
    "arena --lang": (f"{ARENA} --lang zh",),
    "arena --out": ("arena battles.jsonl --out x",),
    "arena --json": (f"{ARENA} --json",),
    "agreement --human": (f"{AGREE} --human nope",),
    "agreement --column": ("agreement labels.jsonl --column nope", "agreement labels.jsonl"),
    "agreement --run": ("agreement labels.jsonl --run nope", f"{AGREE} --run R/two"),
    "agreement --metric": (f"{AGREE} --metric x", "agreement labels.jsonl --run R/two --metric nope"),
    "agreement --judge": (f"{AGREE} --judge mock/echo",),
    "agreement --rubric": (f"{AGREE} --rubric x",),
    "agreement --prompt": (f"{AGREE} --prompt x",),
    "agreement --scale": (
        f"{AGREE} --scale 1-5",
        *(f"{ASKED} --scale {bad}" for bad in ("nan-5", "5", "3-3", "1-5-7")),
    ),
    "agreement --labels": (f"{AGREE} --labels a,b",),
    "agreement --judge-lang": (f"{AGREE} --judge-lang zh",),
    "agreement --cluster": (f"{AGREE} --cluster nope",),
    "agreement --max-cost": (f"{AGREE} --max-cost 3", f"{AGREE} --max-cost nan"),
    "agreement --cache": (f"{AGREE} --cache off",),
    "agreement --out": (f"{AGREE} --out x",),
    "gate --baseline": ("gate R/two --baseline nope", "gate R/two --baseline ''"),
    "gate --tolerance": (
        *(f"{GATE} --tolerance {bad}" for bad in ("nan", "inf", "-0.1", "1", "2", "x", "''", "nope=0.1")),
        f"{GATE} --tolerance nope:exact_match=0.1",
        f"{GATE} --tolerance sums:exact_math=0.1",
        f"{GATE} --tolerance *:nope=0.1",
        f"{GATE} --tolerance su*:exact_match=0.1",
        f"{GATE} --tolerance sums:exact_match=nan",
        f"{GATE} --tolerance 0.1 --tolerance 0.2",
        f"{GATE} --tolerance sums:exact_match=0.1 --tolerance sums:exact_match=0.2",
        f"{GATE} --tolerance *:exact_match=0.1 --tolerance sums:exact_match=0.2",
        f"{ASK} --tolerance nope:exact_match=0.1",
        "gate --baseline R/two --plan --tolerance nope:x=0.1",
    ),
    "gate --floor": (
        *(f"{GATE} --floor {bad}" for bad in ("0.9", "nope:exact_match=0.9", "sums=90")),
        *(f"{GATE} --floor sums:exact_match={bad}" for bad in ("nan", "inf", "-inf", "-0.1", "1.01", "x")),
        f"{GATE} --floor sums:exact_math=0.9",
        f"{GATE} --floor sums:exact_match=0.1 --floor sums:exact_match=0.2",
        f"{ASK} --floor nope:exact_match=0.9",
        f"{ASK} --floor sums:exact_match=90",
        "gate --baseline R/two --plan --floor sums=90",
    ),
    "gate --metric": (f"{ASK} --metric no", *(f"{GATE} --metric {bad}" for bad in ("''", "all,nope"))),
    "gate --macro": ("gate R/one --baseline R/one --macro", f"{ASK} --macro --early-stop fail"),
    "gate --relative": (f"{GATE} --relative",),
    "gate --alpha": tuple(f"{GATE} --alpha {bad}" for bad in ("nan", "0", "0.5", "-1", "5", "inf")),
    "gate --target": (f"{GATE} --target nope", f"{GATE} --target dataset --target population"),
    "gate --max-error-rate": tuple(f"{GATE} --max-error-rate {bad}" for bad in ("nan", "-1", "7")),
    "gate --max-cost-increase": tuple(f"{GATE} --max-cost-increase {bad}" for bad in ("nan", "-1", "inf")),
    "gate --max-latency-increase": tuple(f"{GATE} --max-latency-increase {bad}" for bad in ("nan", "-1")),
    "gate --allow": (f"{GATE} --allow nope", f"{GATE} --allow ''"),
    "gate --strict": ("gate --baseline R/two --plan --strict",),
    "gate --junit": ("gate --baseline R/two --plan --junit x.xml", f"{GATE} --junit ''"),
    "gate --markdown": ("gate --baseline R/two --plan --markdown x.md",),
    "gate --plan": ("gate R/two --baseline R/two --plan",),
    "gate --bless": (
        "gate --baseline B --bless nope --reason x",
        "gate R/two --baseline B --bless R/two --reason x",
        "gate --baseline B --bless R/two --reason x --floor sums:exact_match=0.3",
        "gate --baseline B --bless R/two --reason x --strict",
    ),
    "gate --reason": (f"{GATE} --reason x", "gate --baseline B --bless R/two --reason ' '"),
    "gate --models": (f"{GATE} -m mock/echo", "gate --baseline R/two -m ''", "gate --baseline R/two -m no/x"),
    "gate --early-stop": (f"{GATE} --early-stop fail", f"{ASK} --early-stop nope"),
    "gate --data": (f"{GATE} --data x=y", f"{ASK} --data nope=x"),
    "gate --include-path": (f"{GATE} --include-path nope",),
    "gate --trust": (f"{GATE} --trust",),
    "gate --executor": (f"{GATE} --executor local", f"{ASK} --executor nope"),
    "gate --cache": (f"{GATE} --cache off",),
    "gate --fresh": (f"{GATE} --fresh",),
    "gate --max-cost": (f"{GATE} --max-cost 3", f"{ASK} --max-cost nan"),
    "gate --max-connections": (f"{GATE} --max-connections 3", f"{ASK} --max-connections 0"),
    "gate --out": ("gate latest --baseline latest --out nope",),
    "badcases --output": ("badcases R/two -o ''", "badcases R/two -o tasks --tasks sums"),
    "badcases --models": (f"{CASES} --models nope",),
    "badcases --prompts": (f"{CASES} --prompts nope",),
    "badcases --tasks": (f"{CASES} --tasks nope",),
    "badcases --below": tuple(f"{CASES} --below {bad}" for bad in ("nan", "17", "-3", "inf")),
    "badcases --disagree": ("badcases R/one -o tasks/hard --disagree",),
    "badcases --data": (f"{CASES} --data nope=x",),
    "badcases --include-path": (f"{CASES} --include-path nope",),
    "badcases --out": ("badcases latest -o tasks/hard --out nope",),
    "import --out": ("import predictions answers.jsonl --out ''", "import nope answers.jsonl"),
    "import --name": ("import predictions answers.jsonl --name ''",),
    "import --model": ("import predictions answers.jsonl --model ''",),
    "import --task": ("import predictions answers.jsonl --task ''",),
    "export --to": ("export R/two --to nope",),
    "export --output": ("export R/two --to csv -o ''",),
    "export --rows": ("export R/two --to latex --rows samples", "export R/two --to csv --rows nope"),
    "export --bom": ("export R/two --to latex --bom",),
    "export --out": ("export latest --to csv --out nope",),
    "init --lang": ("init x --lang fr",),
    "init --ci": ("init x --ci nope",),
    "cache explain --run": ("cache explain s1 --run nope",),
    "cache explain --model": ("cache explain s1 --run R/two --model nope",),
    "cache explain --cache": ("cache explain s1 --cache nope.db",),
    "cache export --model": ("cache export x.jsonl --model nope",),
    "cache export --cache": ("cache export x.jsonl --cache nope.db",),
    "cache import --cache": ("cache import nope.jsonl --cache x.db",),
    "cache info --cache": ("cache info --cache nope.db",),
    "cache prune --older-than": tuple(f"cache prune --yes --older-than {bad}" for bad in ("nan", "1e30")),
    "cache prune --model": ("cache prune --yes --model nope",),
    "cache prune --max-size": tuple(f"cache prune --yes --max-size {bad}" for bad in ("nan", "inf", "-1")),
    "cache prune --yes": ("cache prune --yes",),
    "cache prune --cache": ("cache prune --yes --older-than 1 --cache nope.db",),
}  # fmt: skip
"""Command and option -> command lines that must be refused."""

for command, line in {
    "run": RUN,
    "tasks preview": PREVIEW,
    "tasks check": "tasks check sums",
    "score": "score answers.jsonl -t sums",
    "rescore": "rescore R/two",
    "agreement": AGREE,
    "gate": GATE,
    "badcases": CASES,
    "import": "import predictions answers.jsonl",
}.items():
    REFUSED[f"{command} --encoding"] = (f"{line} --encoding nope", f"{line} --encoding ''")
    REFUSED[f"{command} --delimiter"] = (f"{line} --delimiter xyz", f"{line} --delimiter ''")
    if command not in ("agreement", "import"):  # of the files in --data, and there are none
        REFUSED[f"{command} --encoding"] += (f"{line} --encoding gb18030",)
        REFUSED[f"{command} --delimiter"] += (f"{line} --delimiter ;",)

ALWAYS = {
    *("run --fresh", "run --trust", "run --dry-run", "run --json", "run --no-samples", "run --redact"),
    *("run --quiet", "report --json", "leaderboard --no-samples", "leaderboard --redact", "compare --json"),
    *("agreement --json",),
    *("tasks list --json", "tasks show --trust", "tasks preview --trust", "tasks check --trust"),
    *("tasks check --download", "tasks check --json", "score --trust", "rescore --trust", "rescore --json"),
    *("gate --json", "gate --quiet", "badcases --trust", "import --json", "doctor --json"),
}  # fmt: skip
"""Flags that mean the same wherever they stand: leave, silence, or another form of what is printed."""


def options(command: click.Command, *path: str) -> Iterator[tuple[str, click.Option]]:
    """Each option of a command and of those below it, with its name."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from options(below, *path, name)
    for option in command.params if path else ():
        if isinstance(option, click.Option):
            flag = next(name for name in option.opts if name.startswith("--"))
            yield " ".join((*path, flag)), option


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with two tasks and runs of one and of two models; where this module runs."""
    home = tmp_path_factory.mktemp("demands")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("EVALKIT_")]:
            patch.delenv(name)
        patch.chdir(home)
        patch.setenv("XDG_CACHE_HOME", str(home / "user-cache"))
        prompts = {"plain": "{{ question }} =", "long": "Q: {{ question }}"}
        metrics = ["exact_match", "edit_similarity"]
        write_task(home / "tasks/sums", ROWS, prompts=prompts, metrics=metrics, metadata=["topic"])
        fields = {"name": "pick", "kind": "choice", "choices": "opts", "metrics": ["accuracy"]}
        write_task(home / "tasks/pick", PICKS, prompts={"plain": "{{ question }}"}, **fields)
        echo = MockModel(lambda request: "4", name="echo")
        two = run_models([echo, "baseline/oracle"], ["sums", "pick"], out="reports")
        one = run_models(["baseline/oracle"], ["sums"], out="reports")
        (home / "R").mkdir()
        two.folder.rename(home / "R/two")
        one.folder.rename(home / "R/one")
        write_rows(home / "answers.jsonl", [{"id": row["id"], "output": row["answer"]} for row in ROWS])
        write_rows(
            home / "labels.jsonl", [{"id": "s1", "human": "a", "said": "b", "input": "i", "answer": "x"}]
        )
        battle = {"prompt": "1", "model_a": "a", "model_b": "b", "winner": "model_a"}
        write_rows(home / "battles.jsonl", [battle])
        yield home


def test_no_option_is_forgotten() -> None:
    """Every option of every command stands in the table above, and nothing else does."""
    here = {name for name, _ in options(cli)}
    assert not set(REFUSED) & ALWAYS
    assert here == set(REFUSED) | ALWAYS


def test_every_number_is_finite_and_bounded() -> None:
    """No option takes `nan`, `inf` or an integer that nothing can hold."""
    loose = [
        name
        for name, option in options(cli)
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType)
        and not isinstance(option.type, Number | Count)
        and not (isinstance(option.type, click.IntRange) and option.type.max is not None)
    ]
    assert loose == []


@pytest.mark.parametrize("name", REFUSED)
def test_what_means_nothing_is_refused(project: Path, name: str) -> None:
    """Misspelt, empty, out of range, twice, or idle beside the rest of the command line: exit code 2."""
    before = {path for path in project.rglob("*") if "user-cache" not in path.parts}
    for line in REFUSED[name]:
        done = CliRunner().invoke(cli, shlex.split(line), standalone_mode=False)
        assert isinstance(done.exception, EvalkitError | click.ClickException), (
            line,
            done.output,
            done.exception,
        )
        assert done.exception.exit_code == 2, (line, done.exception)
    left = {path for path in project.rglob("*") if "user-cache" not in path.parts} - before
    assert not {path for path in left if ".evalkit" not in path.parts}


@pytest.mark.parametrize(
    "line",
    [
        "gate R/two --baseline R/two --floor *:accuracy=0 --tolerance 0.9 --tolerance sums=0.5",
        "gate R/two --baseline R/two --tolerance *:accuracy=0.5 --metric edit_similarity --floor pick=0.1 -q",
        "gate --baseline R/two --plan --tolerance 0.1 --early-stop fail --metric all",
        "compare R/two --metric edit_similarity --slice topic",
        "run -m baseline/oracle -t sums,pick --choices-order seeded --param mirostat=2 --dry-run",
        "run -t sums --limit 3 --limit 3 --fresh --max-cost 0 --name x --dry-run -q",
        "badcases R/two -o tasks/hard2 --below 0.9 --tasks sums",
        "cache info",
    ],
)  # fmt: skip
def test_what_means_something_is_taken(project: Path, line: str) -> None:
    """Right names, values in range, the same value twice."""
    done = CliRunner().invoke(cli, shlex.split(line), standalone_mode=False)
    assert done.exception is None, (line, done.output, done.exception)


def test_an_environment_may_have_an_idle_variable(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A default of the shell for asking gates is no contradiction in one that judges a finished run."""
    monkeypatch.setenv("EVALKIT_GATE_MAX_COST", "5")
    monkeypatch.setenv("EVALKIT_GATE_METRIC", "")
    done = CliRunner().invoke(cli, shlex.split(GATE), standalone_mode=False, auto_envvar_prefix="EVALKIT")
    assert done.exception is None, done.output


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (f"{GATE} --floor sums:exact_math=0.9", "Did you mean 'exact_match'?"),
        (f"{GATE} --floor summs=0.9", "Did you mean 'sums'?"),
        (f"{GATE} --metric edit_similarty", "Did you mean 'edit_similarity'?"),
        (f"{GATE} --floor sums:exact_match=90", "exact_match lies between 0 and 1"),
        (f"{RUN} --param temprature=0", "Did you mean 'temperature'?"),
        ("cache prune --yes --model nope", "the cache holds nothing of it"),
    ],
)  # fmt: skip
def test_the_refusal_names_the_cure(project: Path, line: str, words: str) -> None:
    """The near name, or the range."""
    done = CliRunner().invoke(cli, shlex.split(line), standalone_mode=False)
    assert words in str(done.exception)
