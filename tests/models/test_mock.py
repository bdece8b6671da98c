"""Mock models: a function becomes a model, and `mock/...` names do what they say."""

from __future__ import annotations

import asyncio

import pytest

from evalkit.core.errors import CallError, ModelError
from evalkit.core.records import Loglikelihood, Message, Request, Response, TaskView
from evalkit.models.mock import ERROR_ACTIONS, MOCKS, MockModel, make_mock
from evalkit.models.protocol import Model, ModelBase

ASK = Request("generate", "mock/fn", messages=(Message("system", "Be kind."), Message("user", "Hello?")))
RANK = Request("loglikelihood", "mock/fn", messages=(Message("user", "2+2="),), continuations=("4", "5"))
ROLL = Request("rolling", "mock/fn", text="All of it.")
LIKELIHOODS = ("generate", "loglikelihood", "rolling")


def generate(model: Model, request: Request = ASK) -> Response:
    return asyncio.run(model.generate(request))


def test_a_function_that_returns_text_is_a_model():
    """A text becomes an ok response with that text."""
    response = generate(MockModel(lambda request: request.messages[-1].text.upper()))
    assert (response.status, response.text) == ("ok", "HELLO?")


def test_an_async_function_is_awaited():
    """An async function works as a plain one does."""

    async def answer(request: Request) -> str:
        await asyncio.sleep(0)
        return "later"

    assert generate(MockModel(answer)).text == "later"


def test_a_response_passes_unchanged():
    """A Response is handed on as it is."""
    response = Response("truncated", text="cut", finish_reason="length")
    assert generate(MockModel(lambda request: response)) is response


@pytest.mark.parametrize("how", ["return", "raise"])
def test_an_exception_is_raised(how):
    """An exception that the function returns or raises is the outcome of the call."""
    error = CallError("slow down", kind="rate_limit", action="retry", retry_after=2.0)

    def fail(request: Request) -> CallError:
        if how == "raise":
            raise error
        return error

    with pytest.raises(CallError) as caught:
        generate(MockModel(fail))
    assert caught.value is error


def test_numbers_become_loglikelihoods():
    """One number per continuation, in order; a Loglikelihood keeps what else it says."""
    model = MockModel(lambda request: [-1, Loglikelihood(-2.5, 1, True)], capabilities=LIKELIHOODS)
    response = asyncio.run(model.loglikelihood(RANK))
    assert response.loglikelihoods == (Loglikelihood(-1.0), Loglikelihood(-2.5, 1, True))
    assert response.text is None


def test_one_number_answers_a_rolling_request():
    """A rolling request has one loglikelihood."""
    model = MockModel(lambda request: -12.5, capabilities=LIKELIHOODS)
    assert asyncio.run(model.loglikelihood(ROLL)).loglikelihoods == (Loglikelihood(-12.5),)


@pytest.mark.parametrize("reply", [[-1.0], [-1.0, "x"], [-1.0, float("nan")], [True, -1.0]])
def test_wrong_loglikelihoods_are_a_typed_error(reply):
    """Too few numbers, or something that is no number, names the model and the fault."""
    model = MockModel(lambda request: reply, name="mock/odd", capabilities=LIKELIHOODS)
    with pytest.raises(ModelError, match="mock/odd"):
        asyncio.run(model.loglikelihood(RANK))


def test_a_function_that_returns_nothing_is_a_typed_error():
    """None is not an answer: the message says what may be returned."""
    with pytest.raises(ModelError, match="NoneType"):
        generate(MockModel(lambda request: None))  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("request_", [RANK, ROLL])
def test_what_a_model_cannot_do_stops_it(request_):
    """A mock without likelihoods says so in the way that stops the model, not the sample."""
    with pytest.raises(CallError) as caught:
        asyncio.run(MockModel(lambda request: "x").loglikelihood(request_))
    assert (caught.value.kind, caught.value.action) == ("unsupported", "stop_model")


def test_the_base_can_do_nothing():
    """A model without methods of its own refuses each kind of request."""
    base = ModelBase()
    for call in (base.generate(ASK), base.loglikelihood(RANK)):
        with pytest.raises(CallError, match="cannot"):
            asyncio.run(call)


def test_a_mock_follows_the_protocol():
    """A mock is a Model, binds to itself and is not cached."""
    model = MockModel(lambda request: "x")
    view = TaskView("t", "en", "generate", (), {}, (), ())
    assert isinstance(model, Model)
    assert model.bind(view) is model
    assert not model.cacheable
    asyncio.run(model.aclose())


def test_an_unknown_capability_is_a_typed_error():
    """A misspelt capability is named, with the nearest known one."""
    with pytest.raises(ModelError, match="'loglikelihood'"):
        MockModel(lambda request: "x", capabilities=["loglikelihoods"])


def test_echo_repeats_the_last_user_message():
    """mock/echo answers with what the user said last."""
    assert generate(make_mock("mock/echo")).text == "Hello?"


def test_fixed_keeps_colons():
    """mock/fixed:TEXT answers everything after the first colon."""
    assert generate(make_mock("mock/fixed:a: b")).text == "a: b"


def test_delay_waits():
    """mock/delay:MS takes at least that long."""

    async def timed() -> tuple[float, Response]:
        loop = asyncio.get_running_loop()
        before = loop.time()
        response = await make_mock("mock/delay:20:late").generate(ASK)
        return loop.time() - before, response

    seconds, response = asyncio.run(timed())
    assert seconds >= 0.019
    assert response.text == "late"


@pytest.mark.parametrize("status", ["refused", "truncated"])
def test_statuses(status):
    """mock/refused and mock/truncated answer with that status and the text given."""
    response = generate(make_mock(f"mock/{status}:I am"))
    assert (response.status, response.text) == (status, "I am")


@pytest.mark.parametrize("kind", sorted(ERROR_ACTIONS))
def test_errors_carry_their_action(kind):
    """mock/error:KIND raises the kind with the action that belongs to it."""
    with pytest.raises(CallError) as caught:
        generate(make_mock(f"mock/error:{kind}"))
    assert (caught.value.kind, caught.value.action) == (kind, ERROR_ACTIONS[kind])


@pytest.mark.parametrize(
    "name", ["mock/ecko", "mock/fixed", "mock/delay:soon", "mock/delay:٣", "mock/error:oops", "mock/"]
)
def test_a_wrong_mock_is_a_typed_error(name):
    """An unknown mock, or a wrong setting of one, raises ModelError before any call."""
    with pytest.raises(ModelError, match="mock/"):
        make_mock(name)


def test_every_listed_mock_can_be_made():
    """The list that the command line shows is the list of what exists."""
    for name in MOCKS:
        make_mock(name.replace("TEXT", "x").replace("MS", "5").replace("KIND", "server"))
