"""A gate as people read it: one line of verdict, one row for each check."""

from __future__ import annotations

from evalkit.gate.records import Check, Gate, Repeats
from evalkit.pages.comparison.wording import change, probability, size, span
from evalkit.pages.formats import score
from evalkit.stats.verdicts import METHODS

TITLES = {
    "pass": "PASS",
    "fail": "FAIL",
    "inconclusive": "INCONCLUSIVE",
    "not comparable": "NOT COMPARABLE",
}
HEADS = ("task", "metric", "baseline", "candidate", "change", "interval", "allowed", "p", "n", "verdict")


def headline(gate: Gate) -> str:
    """The verdict in one sentence."""
    failed = [check for check in gate.checks if check.verdict == "fail"]
    if gate.verdict == "fail":
        first = failed[0]
        where = f"{first.candidate.task} · {first.metric}"
        more = f" and {len(failed) - 1} more" if len(failed) > 1 else ""
        n = sum(check.n_newly_failed for check in failed)
        samples = f"; {n} samples newly failed" if n else ""
        proven = "on these samples" if _by_mean(gate) else "proven"
        return f"{proven} worse than allowed on {where}{more}{samples}"
    if gate.verdict == "pass":
        if _by_mean(gate):
            return f"on these samples not worse than allowed, on {_all(gate)}"
        return f"proven not worse than allowed on {_all(gate)}, at alpha = {gate.alpha:g}"
    if gate.verdict == "inconclusive":
        n = sum(1 for check in gate.checks if check.verdict == "inconclusive")
        which = _all(gate) if n == len(gate.checks) else f"{n} of {len(gate.checks)} checks"
        return f"nothing is proven on {which}: too few samples for the allowed drop"
    blocking = [obstacle for obstacle in gate.obstacles if not obstacle.allowed]
    kinds = ", ".join(dict.fromkeys(obstacle.kind for obstacle in blocking))
    return f"the two runs do not measure the same: {kinds}"


def _all(gate: Gate) -> str:
    return f"all {len(gate.checks)} checks" if len(gate.checks) > 1 else "the one check"


def _by_mean(gate: Gate) -> bool:
    """Whether the mean of these samples alone decided: `dataset`, with all of them asked."""
    return gate.target == "dataset" and not gate.stopped_early


def row(check: Check, many_models: bool) -> tuple[str, ...]:
    """The cells of a check, in the order of `HEADS`."""
    where = f"{check.candidate.task} · {check.candidate.variant}"
    if many_models:
        where += f" · {check.candidate.model}"
    metric = check.metric if check.rule != "floor" else f"{check.metric} (floor)"
    missing = f" −{check.n_missing}" if check.n_missing else ""
    return (
        where,
        metric,
        "–" if check.rule == "floor" else score(check.baseline_value, check.scale),
        score(check.candidate_value, check.scale),
        change(check.change, check.scale, check.is_ratio),
        span(check.interval, check.scale, check.is_ratio),
        check.margin,
        f"{probability(check.p_fail_adjusted)} / {probability(check.p_pass)}",
        f"{check.n}{missing}",
        check.verdict,
    )


def explanation(check: Check) -> str:
    """Why a check is inconclusive and what would settle it; empty for the others."""
    if check.verdict != "inconclusive":
        return ""
    where = f"{check.candidate.task} · {check.metric}"
    if check.reason:
        return f"{where}: {check.reason}"
    parts = []
    if check.mde is not None:
        parts.append(
            f"with n = {check.n} a true drop of {size(check.mde, check.scale, check.is_ratio)} "
            "would fail with power 0.8"
        )
    if check.n_needed is not None and check.n_needed > check.n:
        parts.append(f"an unchanged candidate would pass with power 0.8 at n = {check.n_needed:,}")
    elif check.n_needed is None and check.rule == "tolerance" and not check.is_ratio:
        parts.append(
            "without a tolerance only an improvement can pass: allow a drop, such as --tolerance 0.02"
        )
    return f"{where}: " + "; ".join(parts) if parts else ""


def _repeats(check: Check, repeats: Repeats) -> str:
    """What repeats do for the interval, and how many would do."""
    where = f"{check.candidate.task} · {check.metric}"
    share = f"{100 * repeats.share:.0f} % of the variance"
    text = f"{where}: with {repeats.n} repeats {share} is the model's own dice"
    if repeats.enough > repeats.n:
        return f"{text}; {repeats.enough} repeats would make it a tenth"
    return f"{text}; more samples help, more repeats hardly" if repeats.share <= 0.1 else text


def _methods(gate: Gate) -> list[str]:
    """By which method each verdict was reached; each approximation with what it takes for granted."""
    names: dict[str, list[str]] = {}
    found: list[str] = []
    for check in gate.checks:
        where = f"{check.candidate.task} · {check.metric}"
        if check.method == "approximate" and check.reach is not None:
            # Of a ratio the reach is in the unit of the values, dollars or seconds.
            most = f"{check.reach:.3g}" if check.is_ratio else size(check.reach, check.scale, False)
            found.append(f"{where}: approximate: holds while no sample moves the change by more than {most}")
        elif check.method:
            names.setdefault(METHODS[check.method], []).append(where)
    if len(names) == 1 and not found:
        return [f"method: {next(iter(names))}"]
    return [f"method: {name}: {', '.join(dict.fromkeys(each))}" for name, each in names.items()] + found


def footnotes(gate: Gate) -> list[str]:
    """What a reader must know beside the table."""
    found: list[str] = []
    if gate.checks and _by_mean(gate):
        found.append(
            "change: + is better, and decides alone (target = dataset: these samples are what is asked for); "
            f"interval {100 * (1 - 2 * gate.alpha):.0f} % and p (worse than allowed / not worse): what it "
            "says of other samples like them"
        )
    elif gate.checks:
        found.append(
            f"change: + is better; interval {100 * (1 - 2 * gate.alpha):.0f} %; p: worse than allowed (Holm, "
            f"{len(gate.checks)} checks) / not worse; target = {gate.target}"
        )
    found += _methods(gate)
    if any(check.n_missing for check in gate.checks):
        found.append(
            "n −k: k samples have no score; FAIL must hold with them at their best, PASS at their worst"
        )
    for check in gate.checks:
        if check.repeats is not None and check.rule == "tolerance":
            found.append(_repeats(check, check.repeats))
    if gate.calls is not None:
        calls = gate.calls
        if gate.stopped_early:
            found.append(
                f"stopped early: {calls.asked} of {calls.planned} calls made, {calls.saved} saved "
                f"({100 * calls.saved / max(calls.planned, 1):.0f} %); the verdict keeps its guarantee, the "
                "scores are biased and are no baseline"
            )
        else:
            found.append(f"not stopped early: all {calls.asked} calls were made")
    allowed = [obstacle for obstacle in gate.obstacles if obstacle.allowed]
    found += [f"allowed to differ: {o.kind}: {o.cell}: {o.text}" for o in allowed]
    return [*found, *gate.notes]


def cures(gate: Gate) -> str:
    """How to go on where two runs are not comparable."""
    kinds = sorted({obstacle.kind for obstacle in gate.obstacles if not obstacle.allowed})
    return (
        f"if that is meant: --allow {','.join(kinds)} compares all the same; or accept a new baseline with "
        "evalkit gate --bless RUN --baseline ... --reason '...'"
    )
