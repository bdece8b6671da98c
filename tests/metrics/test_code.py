"""Programs are judged by their tasks' tests, in the sandbox, and only with the user's word."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalkit.core.errors import MetricError
from evalkit.core.records import Response
from evalkit.metrics import Case, Context
from evalkit.metrics.code import COUNTED, INSIDE, TAMPERED, CodePasses, pass_at_k
from evalkit.metrics.programs import read_program

HUMANEVAL = {
    "prompt": "from typing import List\n\n\ndef helper(x):\n    return x + 1\n\n\n"
    'def grow(values: List[int]) -> List[int]:\n    """Each value plus one."""\n',
    "test": "def check(candidate):\n    assert candidate([1, 2]) == [2, 3]\n    assert candidate([]) == []\n",
    "entry_point": "grow",
    "canonical_solution": "    return [helper(v) for v in values]\n",
}
MBPP = {
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\n    return a + b",
    "test_list": ["assert add(1, 2) == 3", "assert sqrt(add(2, 2)) == 2"],
    "test_setup_code": "from math import sqrt",
}


FORGERIES: dict[str, str] = yaml.safe_load(Path(__file__).with_name("forgeries.yaml").read_text())
FORGED_IN_OFFICIAL_HARNESSES = ("always equal", "equal items", "mark in frames", "constants of callers")


def rate(answer: str, fields: dict[str, Any], **options: Any) -> tuple[float, tuple[str, ...]]:
    """Score and notes of the answer, trusted, within three seconds."""
    metric = CodePasses(Context(), trust=True, **{"timeout_s": 3.0, **options})
    return metric.rate(Case(answer=answer, response=Response(text=answer), fields=fields))


def score(answer: str | None, fields: dict[str, Any]) -> float:
    """The score of the answer, trusted, within three seconds."""
    metric = CodePasses(Context(), trust=True, timeout_s=3)
    return metric.score(Case(answer=answer, response=Response(text=answer), fields=fields))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HUMANEVAL["canonical_solution"], 1.0),
        ("def grow(values: List[int]):\n    return [helper(v) for v in values]", 1.0),
        ("from __future__ import annotations\ndef grow(v: Listen):\n    return [x + 1 for x in v]", 1.0),
        ("def grow(v):\n    return [x + 1 for x in v]\n\nif __name__ == '__main__':\n    input()", 1.0),
        ("def grow(values):\n    return values", 0.0),
        ("def grow(values:", 0.0),
        ("import sys\ndef grow(values):\n    sys.exit(0)", 0.0),
        ("import os\nos._exit(0)\ndef grow(values):\n    pass", 0.0),
        ("def grow(values):\n    while True: pass", 0.0),
        (None, 0.0),
    ],
)
def test_humaneval(answer: str | None, expected: float) -> None:
    """A body or a whole function counts; an early exit, a loop and a missing answer fail."""
    assert score(answer, HUMANEVAL) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "return [helper(v) for v in values]",
        "if not values:\n        return []\n    return [v + 1 for v in values]",
        "result = []\nfor v in values:\n    result.append(v + 1)\nreturn result",
    ],
)
def test_body_without_indentation_is_mended_on_request_only(answer: str) -> None:
    """HumanEval's harness puts a body where the prompt ends, as it stands, and there this is no Python."""
    assert rate(answer, HUMANEVAL)[0] == 0.0
    assert rate(answer, HUMANEVAL, repair="indentation")[0] == 1.0


@pytest.mark.parametrize(("answer", "expected"), [(MBPP["code"], 1.0), ("def add(a, b): return a - b", 0.0)])
def test_mbpp(answer: str, expected: float) -> None:
    """All tests of the list must pass, with the set-up code before them."""
    assert score(answer, MBPP) == expected


@pytest.mark.parametrize("name", FORGERIES)
def test_a_pass_cannot_be_forged(name: str) -> None:
    """Whatever a program does to what judges it, it fails, by tests in a function and by bare assertions."""
    tests = "def check(candidate):\n    assert candidate([1, 2]) == [2, 3]\n    assert candidate([]) == []\n"
    number = list(FORGERIES).index(name)
    fields = {**HUMANEVAL, "test": tests} if number % 2 else {"test_list": BARE}
    assert rate(FORGERIES[name], fields, timeout_s=1.0)[0] == 0.0


BARE = ["assert grow([1, 2]) == [2, 3]", "assert grow([]) == []"]


@pytest.mark.parametrize("name", FORGED_IN_OFFICIAL_HARNESSES)
def test_what_an_official_harness_would_count_is_told(name: str) -> None:
    """A forged pass is a failure and is noted as one that the benchmark's harness counts; `judged: inside`
    gives that harness's number, and notes it too."""
    assert rate(FORGERIES[name], {"test_list": BARE}) == (0.0, (TAMPERED,))
    assert rate(FORGERIES[name], {"test_list": BARE}, judged="inside") == (1.0, (COUNTED,))


HONEST = [
    ("def f(): return range(3)", "f() == range(3)"),
    ("def f(): return {1: (2, {3}), None: [b'x', 1j]}", "f() == {1: (2, {3}), None: [b'x', 1j]}"),
    ("def f(): return float('inf'), -0.0, 10**5000, -(2**70)",
     "f() == (float('inf'), 0, 10**5000, -(2**70))"),
    ("def f(): return float('nan')", "f() != f()"),
    ("import collections\ndef f(): return collections.Counter('aab')", "f() == {'a': 2, 'b': 1}"),
    ("import collections\nP = collections.namedtuple('P', 'x y')\ndef f(): return P(1, 2)",
     "f() == (1, 2) and f().y == 2"),
    ("import collections\ndef f(): return collections.OrderedDict(a=1), collections.defaultdict(int, a=1)",
     "f() == ({'a': 1}, {'a': 1})"),
    ("import collections\ndef f(): return collections.deque([1, 2])",
     "list(f()) == [1, 2] and f().popleft() == 1"),
    ("import decimal, fractions, datetime\ndef f(): return [decimal.Decimal('1.5'), "
     "fractions.Fraction(3, 2), datetime.date(2024, 2, 29)]",
     "f()[:2] == [1.5, 1.5] and f()[2].isoformat() == '2024-02-29'"),
    ("def f():\n    yield 1\n    yield [2]", "list(f()) == [1, [2]]"),
    ("import itertools\ndef f(): return itertools.count(3)", "next(f()) == 3"),
    ("def f(): return map(str, (1, 2))", "list(f()) == ['1', '2']"),
    ("def f(): return {1: 2}.keys(), {1: 2}.items()", "f()[0] == {1} and list(f()[1]) == [(1, 2)]"),
    ("def f(x): x.append(3); x[0].pop()", "(lambda x: (f(x), x))([[1], 2]) == (None, [[], 2, 3])"),
    ("def f(n): return lambda m: n + m", "f(2)(3) == 5"),
    ("def f(*, a, b=2): return a + b", "f(a=1) == 3"),
    ("import enum\nclass E(enum.IntEnum):\n    x = 1\ndef f(): return E.x", "f() == 1"),
    ("class S(str): pass\ndef f(): return S('a')", "f() == 'a' and f().upper() == 'A'"),
    ("import re\ndef f(): return re.match('a', 'a')", "f()"),
    ("import sys\ndef f(): sys.stdout.write('x'); return input", "f() is not None"),
    ("from math import *\ndef f(): return 2.0000001", "isclose(f(), 2, rel_tol=1e-3)"),
    ("import math\ndef f(): return pi\nfrom math import pi", "math.isclose(f(), 3.14159265, rel_tol=1e-6)"),
    ("def f(): return type(1)", "f() is int or f() == int"),
    ("class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\ndef f(p): return sum(q.a for q in p)",
     "f([Pair(1, 2), Pair(3, 4)]) == 4"),
    ("def f(x): return x", "f('\\ud800é') == '\\ud800é'"),
]  # fmt: skip


@pytest.mark.parametrize("judged", ["outside", "inside"])
def test_an_honest_program_passes_apart_as_it_does_together(judged: str) -> None:
    """Whatever type of the standard library an answer has, the tests see it as beside the program."""
    programs = [re.sub(r"\bf\b(?=\()", f"f{number}", program) for number, (program, _) in enumerate(HONEST)]
    tests = [re.sub(r"\bf\b(?=\()", f"f{number}", test) for number, (_, test) in enumerate(HONEST)]
    fields = {"test_list": [f"assert {test}" for test in tests], "code": "\n".join(programs)}
    assert rate("\n".join(programs), fields, judged=judged) == (1.0, ())


def test_the_asked_function_may_bear_a_built_in_name() -> None:
    """MBPP asks for a `sum` of its own; built-in functions that no task asks for are the tests' own."""
    tests = ["assert sum(1, 2) == 3", "assert len([sum(0, 0)]) == 1"]
    program = "def sum(a, b): return a + b\n"
    for more in ({}, {"code": program}):
        assert rate(program, {"test_list": tests[:1], **more}) == (1.0, ())
    forged = "def sum(a, b): return 3\ndef len(x): return 1"
    fields = {"test_list": [tests[0], "assert len([0, 0]) == 2"], "code": program}
    assert rate(forged, fields) == (1.0, ())


def test_a_raised_exception_is_seen_by_the_tests() -> None:
    """Tests that expect an error get the built-in one that it is or is derived from."""
    test = "try:\n    f()\nexcept ValueError as e:\n    assert str(e) == 'no'\nelse:\n    assert False"
    for raised in ("ValueError('no')", "E('no')"):
        assert rate(f"class E(ValueError): pass\ndef f(): raise {raised}", {"test_list": [test]}) == (1.0, ())
    assert rate("def f(): raise KeyError('no')", {"test_list": [test]})[0] == 0.0


@pytest.mark.parametrize(
    ("program", "tests", "why"),
    [
        ("def f(g): return g(1)", ["assert f(lambda x: x + 1) == 2"], "its tests pass function"),
        ("import sys\ndef f(): print('a')", ["import io, sys"], "its tests import io"),
        ("def f(x): return x", ["x = []", "assert f(x) is x"], "its tests compare objects by identity"),
        ("class A:\n    b = 1", ["assert A().b == 1"], "its tests look into objects"),
        ("class A: pass\ndef f(): return A()", ["assert isinstance(f(), A)"], "its tests use the class A"),
        (
            "import random\ndef f(): return random.random()",
            ["import random; random.seed(1)"],
            "its tests seed",
        ),
        ("def f(): return 1\nf.b = 2", ["assert f.b == 2"], "its tests use f.b"),
    ],
)
def test_tests_that_need_the_program_beside_them_are_run_so_and_noted(
    program: str, tests: list[str], why: str
) -> None:
    """Where arguments are no plain data, or tests look into the program, they run as ever, and it is said."""
    score, notes = rate(program, {"test_list": tests})
    assert score == 1.0
    assert [note.startswith(f"{INSIDE} ({why}") for note in notes] == [True]


def test_which_way_is_taken_is_not_the_programs_to_say() -> None:
    """A program cannot bring the judgement back into its own interpreter by what it gives the tests."""
    for program in ("class f:\n    def __eq__(s, o): return True\n    def __init__(s, x): 0",
                    "def f(x): return lambda: 1", "def f(x): return __import__('sys')",
                    "import math\nf = math", "f = object()", "def f(x): raise SystemExit"):  # fmt: skip
        score, notes = rate(program, {"test_list": ["assert f(f(1)) == 3"]})
        assert score == 0.0
        assert not any(note.startswith(INSIDE) for note in notes)


def test_set_up_code_that_needs_the_program_runs_after_it() -> None:
    """MBPP has set-up code that makes objects of the answer's class, and such as gives it imports."""
    program = "class Node:\n    def __init__(self, x): self.x = x\ndef f(n): return n.x"
    assert rate(program, {"test_list": ["assert f(n) == 1"], "test_setup_code": "n = Node(1)"})[0] == 1.0
    uses = "def f(): return sqrt(4)"
    assert (
        rate(uses, {"test_list": ["assert f() == 2"], "test_setup_code": "from math import sqrt"})[0] == 1.0
    )


def test_nothing_runs_without_trust() -> None:
    """The metric refuses before anything is asked or paid, and names the cure."""
    with pytest.raises(MetricError, match="--trust"):
        CodePasses(Context())


def test_missing_columns_are_an_error() -> None:
    """Data of another shape is refused with its columns."""
    with pytest.raises(MetricError, match="the sample has question"):
        read_program("x", {"question": "?"})


@pytest.mark.parametrize(("n", "c"), [(5, 0), (5, 2), (5, 5), (1, 1)])
def test_pass_at_k_is_the_share_of_draws_with_a_pass(n: int, c: int) -> None:
    """The estimate equals the share among all subsets of size k."""
    for k in range(1, n + 1):
        draws = list(combinations([True] * c + [False] * (n - c), k))
        assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_pass_at_k_of_many_is_exact() -> None:
    """No overflow and no rounding where the counts are large."""
    assert pass_at_k(1000, 1, 100) == pytest.approx(0.1, abs=1e-15)


@pytest.mark.parametrize(("n", "c", "k"), [(3, 4, 1), (3, 1, 4), (3, 1, 0), (3, -1, 1)])
def test_pass_at_k_refuses_impossible_counts(n: int, c: int, k: int) -> None:
    """Counts that cannot be are an error."""
    with pytest.raises(MetricError, match="pass@k needs"):
        pass_at_k(n, c, k)
