"""Nobody pays twice, whoever dies: a killed run repeats only what was in flight, and scores the same."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import pytest
from kills import CONNECTIONS, Outcome, Stage, stage
from postgres import postgres

N = 60


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, bytes]]:
    """(a project on a server, the scores of a run that nobody disturbed)."""
    with stage(tmp_path_factory.mktemp("kills"), N) as found:
        yield found, found.undisturbed()


def check(outcome: Outcome, wanted: bytes) -> None:
    """Nothing; the three promises hold."""
    assert max(outcome.in_flight, default=0) <= CONNECTIONS
    assert outcome.unexplained == {}
    assert outcome.scores == wanted


def test_a_killed_run_repeats_only_what_was_in_flight(scene: tuple[Stage, bytes]) -> None:
    """kill -9 twice, run again: no other call is repeated, and the scores are the undisturbed run's."""
    outcome = scene[0].round(str(scene[0].work / "one.db"), random.Random(1), kills=2)
    check(outcome, scene[1])
    assert outcome.kills >= 1


def test_two_processes_that_share_a_cache_pay_once(scene: tuple[Stage, bytes]) -> None:
    """The same command twice at once: every call is made once, by the one or the other."""
    outcome = scene[0].round(str(scene[0].work / "two.db"), random.Random(2), processes=2, kills=0)
    check(outcome, scene[1])
    assert outcome.repeated == 0


def test_a_killed_process_does_not_hold_up_the_other(scene: tuple[Stage, bytes]) -> None:
    """Of two that share a cache one is killed: the other asks what it was asking, and only that again."""
    outcome = scene[0].round(str(scene[0].work / "three.db"), random.Random(3), processes=2, kills=1)
    check(outcome, scene[1])


@pytest.mark.parametrize("processes", [1, 2])
def test_the_same_on_postgresql(scene: tuple[Stage, bytes], processes: int) -> None:
    """A team's cache on a real PostgreSQL server keeps the same promises."""
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(postgres())
        outcome = scene[0].round(url, random.Random(4), processes=processes, kills=1)
    check(outcome, scene[1])
