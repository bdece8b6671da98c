"""Templates of task files cannot fill the memory, and say what was too much."""

from __future__ import annotations

import time

import jinja2
import pytest
from jinja2 import sandbox

from evalkit.core.errors import PromptError
from evalkit.interop.lm_eval.templates import compile_template
from evalkit.tasks.jinja import MOST_CHARACTERS, sandbox_environment
from evalkit.tasks.prompts import Template, evaluate_column

NEST = "{% set n = namespace(a=[0]) %}"
LARGE = [
    "{{ 'a' * 10 ** 9 }}",
    "{{ 10 ** 9 * 'a' }}",
    "{{ [0] * 10 ** 9 }}",
    "{{ 10 ** (10 ** 9) }}",
    "{{ 'x'.ljust(10 ** 9) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ '%0999999999d' % 1 }}",
    "{{ '%*d' % (999999999, 1) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ '{:>{}}'.format(1, 999999999) }}",
    "{{ ('a' * 9000000).replace('a', 'b' * 900) }}",
    "{% for i in range(99999) %}{{ 'a' * 1000 }}{% endfor %}",
    "{% set n = namespace(a='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{% set n = namespace(a='aaaaaaaaaa') %}{% for i in range(60) %}{% set n.a = n.a + n.a %}{% endfor %}",
    "{% set n = namespace(a='ab') %}{% for i in range(60) %}{% set n.a %}{{ n.a }}{{ n.a }}{% endset %}"
    "{% endfor %}",
    "{{ '%2000000000d'|format(1) }}",
    "{{ '%.300000000f'|format(1.5) }}",
    "{{ ('%(a)s' * 1000000)|format(a='x' * 9000) }}",
    "{{ ('{0}' * 100000).format('x' * 90000) }}",
    "{{ '{:>{w}}'.format(1, w='999999999') }}",
    "{{ '{a[0]:>{a[1]}}'.format_map({'a': [1, 999999999]}) }}",
    "{{ ('x' * 9999999)|replace('x', 'yyyyyyyyy') }}",
    "{{ ('x' * 9999)|replace('', 'y' * 999999) }}",
    "{{ range(99999)|join('x' * 9999) }}",
    "{{ ('x' * 9999).join(range(999)|map('string')|map('center', 9999)) }}",
    "{{ [1]|batch(30000000, 0)|list }}",
    "{{ [1]|batch(linecount=30000000)|list }}",
    "{{ []|slice(900000000)|list }}",
    "{{ range(9999)|list|tojson(indent=100000000) }}",
    "{{ [[[[1]]]]|tojson(indent=9000000) }}",
    "{{ ('http://a.bc ' * 8000)|urlize(rel='x' * 9999) }}",
    "{{ ('http://a.bc ' * 800000)|urlize }}",
    "{{ ('<!--' * 999999)|striptags }}",
    "{{ 'a'|indent(999999999, first=true) }}",
    "{{ ('a\n' * 999999)|indent('x' * 999) }}",
    "{{ ('a ' * 999999)|wordwrap(1, wrapstring='x' * 9999) }}",
    "{{ 5|round(-999999999) }}",
    "{{ 5.5|round(999999999, 'ceil') }}",
    "{{ (1).to_bytes(1000000000, 'big') }}",
    "{{ 'a'.encode().ljust(999999999) }}",
    "{{ ('a' * 999999).translate({97: 'b' * 99999}) }}",
    "{{ ('\t' * 99999).expandtabs(99999) }}",
    "{{ ('<' * 9999999)|e }}",
    "{{ ('é' * 9999999)|urlencode }}",
    "{% filter center(999999999) %}x{% endfilter %}",
    "{{ range(99999)|map('center', 9999999)|list }}",
    "{{ ([range(9999)|list] * 99999)|sum(start=[])|length }}",
    "{{ cycler(*([1] * 99999)) }}",
    NEST + "{% for i in range(40) %}{% set n.a = [n.a, n.a] %}{% endfor %}{{ n.a }}",
    NEST + "{% for i in range(40) %}{% set n.a = (n.a, n.a) %}{% endfor %}{{ n.a == n.a }}",
    NEST + "{% for i in range(40) %}{% set n.a = dict(a=n.a, b=n.a) %}{% endfor %}{{ n.a }}",
    NEST + "{% for i in range(40) %}{% set n.a = {'a': n.a, 'b': n.a} %}{% endfor %}{{ n.a }}",
    NEST + "{% for i in range(200) %}{% set n.a = [n.a] %}{% endfor %}{{ n.a|tojson }}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    NEST + "{% for i in range(99999) %}{% set n.a = n.a + [('x' * 9999999)[1:]] %}{% endfor %}",
    NEST + "{% for i in range(99999) %}{% set n.a = n.a + [('x' * 999999)|upper] %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
]


@pytest.mark.parametrize("source", LARGE)
def test_a_template_without_end_is_an_error_at_once(source: str) -> None:
    """One line of a task file cannot take gigabytes; the error names the file's place."""
    began = time.perf_counter()
    with pytest.raises(PromptError, match=r"tasks/x/task.yaml, prompts.p.user: .*more than"):
        Template(source, "tasks/x/task.yaml, prompts.p.user").render({"q": "x"})
    assert time.perf_counter() - began < 5


def test_expressions_and_templates_of_other_tools_are_bounded_too() -> None:
    """A target expression and a template of lm-evaluation-harness go through the same sandbox."""
    with pytest.raises(PromptError, match="more than"):
        evaluate_column("{{ 'a' * 10 ** 9 }}", {}, "task.yaml, target")
    with pytest.raises(PromptError, match="more than"):
        compile_template("{{ 'a' * 10 ** 9 }}", "x.yaml")({})


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a ~ b }}|{{ 3 * 4 }}|{{ '%s %03d' % (a, 7) }}", "1é|12|1 007"),
        ("{{ 'ab' * 3 }}|{{ 2 ** 10 }}|{{ [1] * 2 }}|{{ a + 2 }}", "ababab|1024|[1, 1]|3"),
        ("{{ 'x'|center(5) }}|{{ 'x'.rjust(3) }}|{{ '{:>4}'.format(a) }}", "  x  |  x|   1"),
        ("{{ 'a-b'.replace('-', '+') }}|{{ ', '.join(c) }}|{{ 1 ~ none }}", "a+b|x, y|1None"),
    ],
)
def test_what_is_small_is_rendered_as_ever(source: str, text: str) -> None:
    """The bounds change no text that fits."""
    assert sandbox_environment().from_string(source).render(a=1, b="é", c=["x", "y"]) == text


def test_the_longest_text_is_allowed() -> None:
    """A long document of the data is put in whole."""
    document = "x" * (MOST_CHARACTERS - 10)
    assert Template("{{ d }}", "t").render({"d": document}) == document


@pytest.mark.parametrize(
    "expression",
    [
        "q|map(attribute='b')|list",
        "q|map(attribute='b')|first",
        "q|groupby('b')|list",
        "q|groupby('a.c')|list",
        "q|sort(attribute='b')",
        "q|sort(attribute='a,b')",
        "(q|max(attribute='b')).a",
        "(q|min(attribute='b')).a",
        "q|unique(attribute='b')|list",
        "missing|items|list",
        "[missing]",
        "{'x': [missing]}",
        "[missing]|string",
        "[missing]|pprint",
        "'%s'|format([missing])",
        "'%s' % ([missing],)",
        "[missing] ~ ''",
        "'{}'.format([missing])",
    ],
)
def test_what_is_missing_is_an_error_wherever_it_comes_from(expression: str) -> None:
    """Undefined names are errors behind attributes and inside of lists too, in prompts and in targets."""
    fields = {"q": [{"a": 1}]}
    with pytest.raises(PromptError, match=r"undefined|no attribute"):
        Template(f"{{{{ {expression} }}}}", "t").render(fields)
    with pytest.raises(PromptError, match=r"undefined|no attribute"):
        evaluate_column(f"{{{{ {expression} }}}}", fields, "t")


@pytest.mark.parametrize(
    "expression",
    [
        "q|map(attribute='b', default=0)|list",
        "q|map(attribute='a')|list",
        "q|sort(attribute='a')|length",
        "q|groupby('a')|map(attribute='grouper')|list",
        "q|groupby('b', default=0)|map(attribute='grouper')|list",
        "q|selectattr('b', 'defined')|list|length",
        "(missing|default('x')) ~ [1, none] ~ {'a': (1,)}",
        "d[1:3] ~ d[:-1] ~ d[::-1] ~ d[0]",
        "1 < 2 and d == 'abcd' and [1] == [1]",
        "'%s of %r' % (d, d) ~ ('%5s|'|format(d)) ~ '{:>6}'.format(d)",
        "q|tojson(indent=1)",
        "d|batch(3)|list",
        "d|batch(linecount=3, fill_with='x')|list",
        "d|list|slice(slices=3)|list",
        "d|indent(2, first=true) ~ (d|center(8)) ~ (d|wordwrap(2))",
        "['b', 'a']|sort|join('-') ~ (d|map('upper')|join)",
        "(1.25|round(1)) ~ (d|replace('a', 'x', 1)) ~ (d|e) ~ (q|pprint)",
        "'http://a.bc <b>x</b>'|urlize ~ ('<b>x</b>'|striptags) ~ ('é /'|urlencode) ~ ({'a': 1}|xmlattr)",
        "q|items|list if false else {'b': 1, 'a': 2}|items|list ~ ({'b': 1}|dictsort)",
        "[3, 1]|max ~ ([3, 1]|min) ~ ([3, 1]|sum) ~ ([1, 1]|unique|list) ~ ('a b'.split())",
    ],
)
def test_filters_give_what_jinja_gives(expression: str) -> None:
    """To be counted changes no value."""
    fields = {"q": [{"a": 1}, {"a": 1, "b": 2}], "d": "abcd"}
    source = f"{{{{ {expression} }}}}"
    plain = sandbox.SandboxedEnvironment(undefined=jinja2.StrictUndefined)
    assert Template(source, "t").render(fields) == plain.from_string(source).render(fields)


def test_loops_know_their_length_and_end() -> None:
    """A counted loop has its variables, its else and its condition."""
    source = (
        "{% for a, b in q.items() if b != 2 %}{{ loop.index }}/{{ loop.length }}{{ a }}"
        "{{ ',' if not loop.last }}"
        "{% endfor %}{% for x in [] %}{% else %}-{% endfor %}{% for x in q|map('upper') %}{{ x }}{% endfor %}"
        "{% for x in [[1, [2]]] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}"
    )
    assert Template(source, "t").render({"q": {"a": 1, "b": 2, "c": 3}}) == "1/2a,2/2c-ABC12"


def test_templates_are_not_random() -> None:
    """The same sample gives the same prompt: there is no text that is made up."""
    with pytest.raises(PromptError, match="'lipsum' is undefined"):
        Template("{{ lipsum(n=1) }}", "t").render({})


def test_a_large_error_is_no_defect() -> None:
    """`'%2000000000d'|format(1)` names its place: constants are not folded before they are counted."""
    with pytest.raises(PromptError, match=r"task.yaml, target: .*more than"):
        evaluate_column("{{ '%2000000000d'|format(1) }}", {}, "task.yaml, target")
    with pytest.raises(PromptError, match=r"x.yaml: .*more than"):
        compile_template("{{ '%2000000000d'|format(1) }}", "x.yaml")({})
