"""The command lines of the snapshots, in the order in which they are run in one workspace."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One command line, or a few lines of Python."""

    name: str
    """What the kept file is called."""
    line: str
    """The arguments of `evalkit`, quoted as for a shell; or Python, where `python`."""
    python: bool = False
    volatile: bool = False
    """Whether what it prints belongs to the machine: then only its exit code and its files are kept."""


FIRST = "--models baseline/random,baseline/majority,baseline/ngram,baseline/oracle"
CACHED = """
import evalkit
from evalkit import MockModel
fn = lambda r: "no" if int(r.sample_id[1:]) % 5 == 0 else r.messages[-1].text.split()[-3]
model = MockModel(fn, name="mock/kept", cacheable=True)
evalkit.run(models=[model], tasks=["sums"], prompts=["plain", "polite"], name="kept", params={"top_p": 0.5})
again = evalkit.run(models=[model], tasks=["sums"], prompts=["plain"], name="again", params={"top_p": 0.5})
print(again.run.cells[0].counts)
"""
TROUBLE = """
import evalkit
from evalkit import MockModel
from evalkit.core.errors import CallError
from evalkit.core.records import Response
def answer(request):
    n = int(request.sample_id[1:])
    if n == 3 and request.repeat == 1:
        raise CallError("no such thing", kind="bad_request", action="fail_sample")
    if n % 4 == 0:
        return Response("truncated", text=str(n), cost_usd=0.001)
    return Response(text=str(n + 7 * n % 11 + request.repeat * (n % 3 == 0)), cost_usd=0.001)
model = MockModel(answer, name="mock/trouble")
print(evalkit.run(models=[model], tasks=["sums"], repeats=2, name="trouble").run.status)
"""
KEYS = """
import hashlib, json
header, *rows = [json.loads(line) for line in open("kept.jsonl")]
print(header)
for row in sorted(rows, key=lambda row: row["key"]):
    answer = hashlib.sha256(json.dumps(row["response"], sort_keys=True).encode()).hexdigest()
    print(row["key"], row["status"], row["response"]["text"], answer[:12])
"""
FACE = """
import evalkit
run = evalkit.load_run("reports/20260101-000000-first")
print(run.to_pandas().head(3).to_string())
print([len(list(run.samples(cell.slug))) for cell in run.run.cells])
found = evalkit.compare(evalkit.load_run("reports/20260101-000000-prompts"))
print([(d.base.variant, d.other.variant, round(d.difference, 9)) for d in found.differences])
print(evalkit.check_gate("20260101-000000-worse", baseline="20260101-000000-better", tolerance=0.1).verdict)
"""

STEPS = (
    Step("help", "--help"),
    Step("unknown-command", "rum"),
    Step("tasks-list", "tasks list 'su*' classification"),
    Step("tasks-show", "tasks show sums"),
    Step("tasks-preview", "tasks preview sums --prompt shots"),
    Step("tasks-preview-bundled", "tasks preview errands_en"),
    Step("tasks-check", "tasks check sums pick mood_zh story letters own"),
    Step("tasks-check-bundled", "tasks check facts_zh"),
    Step("tasks-schema", "tasks schema"),
    Step("metrics", "metrics"),
    Step("metrics-explained", "metrics macro_f1"),
    Step("models-list", "models list"),
    Step("models-check", "models check parrot,baseline/ngram"),
    Step("completion", "completion bash"),
    Step("dry-run", f"run {FIRST} --tasks sums,pick --prompts all --dry-run"),
    Step("dry-run-json", f"run {FIRST} --tasks pick --dry-run --json"),
    Step("run-first", f"run {FIRST} --tasks sums,pick,mood_zh,letters --name first -q"),
    Step("run-story", "run --models baseline/random,baseline/ngram --tasks story --name story"),
    Step(
        "run-prompts", "run --models baseline/ngram,baseline/oracle --tasks sums --prompts all --name prompts"
    ),
    Step(
        "run-letters",
        "run --models baseline/oracle,mock/fixed:B --tasks pick --prompts letters --name letters",
    ),
    Step("run-circular", "run --models baseline/ngram --tasks pick --choices-order circular --name circular"),
    Step(
        "run-limit",
        "run --models baseline/lead,baseline/copy --tasks letters --limit 2 --repeats 2 --name few",
    ),
    Step("run-own", "run --models baseline/oracle,parrot --tasks own --trust --name own"),
    Step("run-refused", "run --models mute,mock/truncated:1 --tasks sums --name refused"),
    Step("run-failed", "run --models mock/error:bad_request --tasks sums --name failed"),
    Step("run-stopped", "run --models mock/error:authentication,parrot --tasks sums --name stopped"),
    Step("run-judged", "run --models parrot --tasks graded --judge mock/fixed:4 --name judged"),
    Step("run-redacted", "run --models baseline/oracle --tasks mood_zh --redact --name redacted"),
    Step("run-json", "run --models baseline/oracle --tasks sums --limit 3 --json --name document"),
    Step(
        "run-bundled",
        "run --models baseline/ngram,baseline/oracle --tasks sentiment_zh,facts_en --limit 12 --name bundled",
    ),
    Step("run-tools", "run --models baseline/oracle --tasks errands_en,handbook_zh --limit 5 --name tools"),
    Step("run-unknown-model", "run --models gpt-nonsense --tasks sums"),
    Step("run-unknown-task", "run --models baseline/oracle --tasks summs"),
    Step("run-no-data", "run --models baseline/oracle --tasks gsm8k --data gsm8k=nowhere"),
    Step("run-bad-option", "run --models baseline/oracle --tasks sums --limit 0"),
    Step("replay-worse", "run --models replay/answers.jsonl --tasks sums --name worse"),
    Step("replay-better", "run --models replay/better.jsonl --tasks sums --name better"),
    Step("score", "score answers.jsonl --task sums"),
    Step("trouble", TROUBLE, python=True),
    Step("cached", CACHED, python=True),
    Step("cache-info", "cache info"),
    Step("cache-explain", "cache explain s02"),
    Step("cache-export", "cache export kept.jsonl"),
    Step("cache-keys", KEYS, python=True),
    Step("cache-prune", "cache prune --model mock/kept --older-than 90000 --yes"),
    Step("report", "report 20260101-000000-first --lang zh"),
    Step("report-table", "report 20260101-000000-first --table latex"),
    Step("report-json", "report 20260101-000000-worse --json"),
    Step("compare-prompts", "compare 20260101-000000-prompts --slice size -o prompts.html"),
    Step("compare-models", "compare 20260101-000000-better 20260101-000000-worse --by model --metric all"),
    Step("compare-runs", "compare 20260101-000000-kept 20260101-000000-again --by run"),
    Step("compare-json", "compare 20260101-000000-first --by model --json"),
    Step("gate-pass", "gate 20260101-000000-better --baseline 20260101-000000-better --tolerance 0.4"),
    Step(
        "gate-fail",
        "gate 20260101-000000-worse --baseline 20260101-000000-better --target dataset --tolerance 0.02"
        " --floor sums:f1=0.9 --junit gate.xml --markdown gate.md",
    ),
    Step("gate-strict", "gate 20260101-000000-worse --baseline 20260101-000000-better --strict --json"),
    Step("gate-not-comparable", "gate 20260101-000000-story --baseline 20260101-000000-worse"),
    Step("gate-plan", "gate --baseline 20260101-000000-better --tolerance 0.1 --plan"),
    Step(
        "gate-bless", "gate --bless 20260101-000000-better --baseline reports/baseline --reason 'the first'"
    ),
    Step("gate-asked", "gate --baseline reports/baseline --models parrot --tolerance 0.1 --early-stop fail"),
    Step("badcases", "badcases 20260101-000000-worse -o tasks/hard"),
    Step("rescore", "rescore 20260101-000000-worse --name rescored"),
    Step("agreement", "agreement labels.csv --column machine --cluster group"),
    Step("arena", "arena battles.jsonl -o arena"),
    Step("arena-judged", "arena 20260101-000000-first --judge mock/fixed:A --limit 4 -o judged"),
    Step("import", "import predictions predictions.jsonl --model m --task sums --name imported"),
    Step("export-csv", "export 20260101-000000-worse --to csv --rows samples -o samples.csv"),
    Step("export-junit", "export 20260101-000000-first --to junit -o cells.xml"),
    Step("export-inspect", "export 20260101-000000-worse --to inspect -o logs.json"),
    Step("export-hf", "export 20260101-000000-worse --to hf -o card.md"),
    Step("leaderboard", "leaderboard"),
    Step("leaderboard-bare", "leaderboard 20260101-000000-first --no-samples --redact -o bare --lang en"),
    Step("face", FACE, python=True),
    Step("init", "init fresh --ci github"),
    Step("tasks-new", "tasks new quiz --kind choice --lang zh"),
    Step("doctor", "doctor", volatile=True),
)
