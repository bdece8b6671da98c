"""What is sent for a set of parameters: one limit, and nothing dropped that is not said."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from evalkit.core.errors import CallError
from evalkit.models.lessons import learn, lessons_in
from evalkit.models.parameters import Plan, merge_parameters, output_limit, plan_parameters

LITELLM = SimpleNamespace(
    get_supported_openai_params=lambda **_: None,
    utils=SimpleNamespace(get_optional_params=lambda **given: given),
    exceptions=SimpleNamespace(UnsupportedParamsError=KeyError),
)
"""A LiteLLM that takes everything."""


def planned(chat: bool = True, **params: Any) -> Plan:
    """The plan for these parameters."""
    return plan_parameters(LITELLM, "x", "openai", params, chat=chat, where="m")


@pytest.mark.parametrize(
    ("layers", "merged"),
    [
        ([{"max_tokens": 64}, {"max_completion_tokens": 900}], {"max_completion_tokens": 900}),
        (
            [{"max_tokens": 64}, {"max_completion_tokens": 900}, {"max_tokens": 5}],
            {"max_completion_tokens": 5},
        ),
        ([{"max_completion_tokens": 900}, {"max_tokens": 5}], {"max_completion_tokens": 5}),
        ([{"max_tokens": 64}, {"max_tokens": 5, "max_completion_tokens": 6}], {"max_completion_tokens": 6}),
        ([{"max_tokens": 64}, {"seed": 1}], {"max_tokens": 64, "seed": 1}),
        ([], {}),
    ],
)
def test_an_answer_has_one_limit(layers: list[dict[str, Any]], merged: dict[str, Any]) -> None:
    """Under the name that any layer uses for it, with the value of the last one."""
    assert merge_parameters(*layers) == merged


def test_a_limit_of_completion_tokens_replaces_the_other() -> None:
    """Both together are refused by some servers; the note says what was not sent."""
    plan = planned(max_tokens=64, max_completion_tokens=900)
    assert plan.sent == {"max_completion_tokens": 900}
    assert plan.notes == ("max_tokens=64 was not sent: max_completion_tokens=900 stands in its place",)


def test_a_text_completion_keeps_its_limit() -> None:
    """It has the old name only; without a limit some servers write on and on."""
    plan = planned(chat=False, max_completion_tokens=7)
    assert plan.sent == {"max_tokens": 7}
    assert len(plan.notes) == 1


def test_the_limit_is_read_by_either_name() -> None:
    """For what a call may cost."""
    assert output_limit({"max_tokens": 7}) == output_limit({"max_completion_tokens": 7, "max_tokens": 2}) == 7
    assert output_limit({}) is output_limit({"max_tokens": "many"}) is None


def refusal(words: str, kind: str = "bad_request") -> CallError:
    """A failed call, as `classify` words it."""
    return CallError(f"m: bad request (HTTP 400): {words}", kind=kind, action="fail_sample")


LIMIT = "Unsupported parameter: 'max_tokens' is not supported here. Use 'max_completion_tokens' instead."
OTHER_LIMIT = "Unrecognized request argument supplied: max_completion_tokens"
REFUSALS = [
    (LIMIT, {"max_tokens": 64}, {"max_completion_tokens": 64}),
    (OTHER_LIMIT, {"max_completion_tokens": 9}, {"max_tokens": 9}),
    (
        "Unsupported value: 'temperature' does not support 0. Only the default (1) value is supported.",
        {"temperature": 0, "top_p": 1},
        {"top_p": 1},
    ),
    ("invalid temperature: only 1 is allowed for this model", {"temperature": 0.0}, {}),
    ("`temperature` and `top_p` cannot both be specified for this model.", {"temperature": 0, "top_p": 1},
     {"temperature": 0}),
    ("`temperature` is deprecated for this model.", {"temperature": 0}, {}),
    ("Unsupported parameter: 'stop' is not supported with this model.", {"stop": ["x"]}, {}),
    ("Unknown parameter: stop", {"stop": ["x"]}, {}),
    ("This model does not support logprobs.", {"logprobs": True, "top_logprobs": 5}, {}),
    ("presence_penalty is not supported", {"presence_penalty": 0.5}, {}),
    ("[{'loc': ['body', 'seed'], 'msg': 'Extra inputs are not permitted'}]", {"seed": 1}, {}),
    ("该模型不支持参数 top_k", {"top_k": 5}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("words", "sent", "left"), REFUSALS)
def test_a_refused_parameter_is_learnt_from_and_said(
    words: str, sent: dict[str, Any], left: dict[str, Any]
) -> None:
    """The next call is without it, or by its other name, and a note says so in the server's words."""
    plan = Plan(sent, ("x",), ("first",))
    found = learn(refusal(words), plan)
    assert found is not None
    assert (found.sent, found.stops) == (left, ("x",))
    assert found.notes[0] == "first"
    assert words[:60] in found.notes[1]
    assert lessons_in([plan, found, found]) == (found.notes[1],)
    assert learn(refusal(words), found) is None, "a second refusal of the same kind is the failure"


@pytest.mark.parametrize(
    "failure",
    [
        refusal("temperature must be between 0 and 2"),
        refusal("max_tokens is too large: 5000. This model supports at most 4096 completion tokens"),
        refusal("Unsupported parameter: 'tools' is not supported with this model."),
        refusal("Unsupported parameter: 'seed' is not supported"),  # which was not sent
        refusal("please stop: images are not supported"),
        refusal(LIMIT, kind="rate_limit"),
        CallError("m: temperature is not supported", kind="server", action="retry"),
    ],
)
def test_other_failures_teach_nothing(failure: CallError) -> None:
    """What was asked is not changed for a failure that is no refusal of a parameter."""
    plan = Plan({"temperature": 3, "max_tokens": 5000, "stop": ["x"], "tools": [1]}, (), ())
    assert learn(failure, plan) is None


def test_the_limits_name_is_not_changed_to_and_fro() -> None:
    """A server that takes neither name fails the call at its second refusal."""
    plan = learn(refusal(LIMIT), Plan({"max_tokens": 5}, (), ()))
    assert plan is not None
    assert learn(refusal(OTHER_LIMIT), plan) is None


def test_a_limit_that_litellm_renames_goes_past_it() -> None:
    """Some of LiteLLM's providers call it max_tokens whatever it was called."""
    renaming = SimpleNamespace(utils=SimpleNamespace(get_optional_params=lambda **_: {"max_tokens": 1}))
    plan = learn(refusal(LIMIT), Plan({"max_tokens": 5}, (), ()), litellm=renaming, provider="groq")
    assert plan is not None
    assert plan.sent == {"extra_body": {"max_completion_tokens": 5}}
