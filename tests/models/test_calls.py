"""The error map: every exception of LiteLLM has a meaning, and the wire is believed before the class."""

import inspect
from importlib.metadata import version

import pytest

from evalkit.core.errors import CallError
from evalkit.models import _litellm
from evalkit.models.calls import EXCEPTIONS, RefusedError, classify, retry_after
from evalkit.models.wire import Exchange, WireError

KINDS = {
    "rate_limit", "timeout", "connection", "server", "invalid_response", "bad_request", "context_length",
    "authentication", "permission", "not_found", "quota", "unsupported", "budget", "litellm",
}  # fmt: skip


def judged(error: BaseException, **exchange: object) -> tuple[str, str]:
    """(kind, action) of an exception, `refused` for a refusal."""
    found = classify(error, Exchange(**exchange), "m")  # type: ignore[arg-type]
    return ("refused", "") if isinstance(found, RefusedError) else (found.kind, found.action)


def test_every_exception_class_of_litellm_is_mapped():
    """A class that LiteLLM adds means what its base does, or must get its meaning here; never by accident."""
    exceptions = _litellm.load().exceptions
    classes = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value)
        and issubclass(value, BaseException)
        and value.__module__ == exceptions.__name__
    }
    strangers = {
        name
        for name in classes
        if not any(base.__name__ in EXCEPTIONS for base in getattr(exceptions, name).__mro__)
    }
    assert strangers == set()
    assert len(classes) > 20


def test_every_meaning_is_one_that_the_runner_knows():
    """Kinds are those of CallError; `refused` is a response."""
    assert {kind for kind, _ in EXCEPTIONS.values()} <= {*KINDS, "refused"}


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (400, "bad value", ("bad_request", "fail_sample")),
        (401, "no", ("authentication", "stop_model")),
        (402, "Insufficient Balance", ("quota", "stop_model")),
        (403, "no", ("permission", "stop_model")),
        (404, "no", ("not_found", "stop_model")),
        (408, "late", ("timeout", "retry")),
        (413, "large", ("context_length", "fail_sample")),
        (429, "slow down", ("rate_limit", "retry")),
        (429, '{"error": {"code": "insufficient_quota"}}', ("quota", "stop_model")),
        (429, '{"error": {"code": "1113", "message": "您的账户余额不足"}}', ("quota", "stop_model")),
        (429, "Too many tokens per minute", ("rate_limit", "retry")),
        (500, "oops", ("server", "retry")),
        (503, "busy", ("server", "retry")),
        (504, "late", ("timeout", "retry")),
        (529, "overloaded", ("server", "retry")),
        (400, "Model Not Exist", ("not_found", "stop_model")),
        (400, "prompt is too long: 250000 tokens", ("context_length", "fail_sample")),
        (400, "Range of input length should be [1, 30720]", ("context_length", "fail_sample")),
        (400, "Content Exists Risk", ("refused", "")),
        (400, '{"code":"DataInspectionFailed"}', ("refused", "")),
        (400, "系统检测到输入或生成内容可能包含不安全或敏感内容", ("refused", "")),
        (400, "filtered due to Azure OpenAI's content management policy", ("refused", "")),
        (200, "<html>", ("invalid_response", "retry")),
        (200, '{"error": {"code": 502, "message": "bad gateway"}}', ("server", "retry")),
        (200, '{"error": {"code": "429", "message": "slow down"}}', ("rate_limit", "retry")),
        (200, '{"error": {"code": 401, "message": "no"}}', ("authentication", "stop_model")),
        (200, '{"base_resp": {"status_msg": "insufficient balance"}}', ("quota", "stop_model")),
        (200, '{"error": {"message": "input was flagged by moderation"}}', ("refused", "")),
        (200, '{"choices": [{"text": "x"}]}', ("litellm", "retry")),
        (200, '{"candidates": [1]}', ("litellm", "retry")),
        (403, '{"error": "Content violates usage guidelines. Failed check: X"}', ("refused", "")),
        (429, "TPM: Limit 30000, Requested 31000", ("context_length", "fail_sample")),
        (429, "TPM: Limit 30000, Used 29000, Requested 2000", ("rate_limit", "retry")),
    ],
)
def test_the_reply_decides_whatever_litellm_makes_of_it(status: int, body: str, verdict: tuple[str, str]):
    """The same class of exception means what status and body say."""
    litellm = _litellm.load()
    error = litellm.exceptions.InternalServerError("dressed up", llm_provider="openai", model="m")
    assert judged(error, observed=True, sent=0.0, status=status, body=body.encode()) == verdict


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ("Missing credentials. Please pass an `api_key`", ("authentication", "stop_model")),
        ("Cannot connect to host 127.0.0.1:9", ("connection", "retry")),
        ("Unable to get json response - Expecting value", ("invalid_response", "retry")),
        ("anything else", ("server", "retry")),
    ],
)
def test_an_internal_server_error_without_a_reply_is_read(message: str, verdict: tuple[str, str]):
    """LiteLLM says 500 for a missing key and for a refused connection; its words tell them apart."""
    litellm = _litellm.load()
    assert judged(litellm.exceptions.InternalServerError(message, llm_provider="x", model="m")) == verdict


def test_a_broken_connection_is_seen_through_the_wrapping():
    """The wire's own error, deep in the chain, decides."""
    dressed = RuntimeError("litellm.InternalServerError: status 500")
    dressed.__context__ = ValueError("in between")
    dressed.__context__.__cause__ = WireError("connection refused", "connection")
    assert judged(dressed) == ("connection", "retry")


@pytest.mark.parametrize(
    ("headers", "words", "seconds"),
    [
        ({"Retry-After": "7"}, "", 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, "", 0.25),
        ({"llm_provider-retry-after": "3"}, "", 3.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, "", 0.0),
        ({"retry-after": "soon"}, "", None),
        ({}, '"retryDelay": "17s"', 17.0),
        ({}, "Please try again in 1.2s.", 1.2),
        ({}, "Please try again in 20ms.", 0.02),
        ({}, "Please try again in 1m30s.", 90.0),
        ({}, "", None),
    ],
)
def test_the_wait_is_taken_from_where_each_provider_puts_it(headers, words: str, seconds: float | None):
    """Seconds, milliseconds, a date, Google's retryDelay, OpenAI's sentence."""
    assert retry_after(headers, words) == (None if seconds is None else pytest.approx(seconds))


def test_a_message_is_one_short_line_without_prefixes():
    """LiteLLM's prefixes and tracebacks are left out."""
    litellm = _litellm.load()
    error = litellm.exceptions.BadRequestError(
        "OpenAIException - bad\nvalue Traceback (most recent call last): secret",
        model="m",
        llm_provider="openai",
    )
    found = classify(error, Exchange(), "gpt")
    assert isinstance(found, CallError)
    assert str(found) == "gpt: bad request: bad value"


@pytest.mark.parametrize("kind", [TypeError, AttributeError, KeyError, ImportError, AssertionError])
def test_a_fault_of_litellms_own_is_told_as_its_own(kind: type[Exception]):
    """Not as the server's bad request: with its version and the class that was raised."""
    litellm = _litellm.load()
    for exchange, phrase in (
        (Exchange(observed=True), "failed before anything was sent"),
        (
            Exchange(observed=True, sent=1.0, status=200, body=b'{"choices": [1]}'),
            "could not read the server's answer",
        ),
        (Exchange(), "failed"),
    ):
        error = litellm.exceptions.APIConnectionError("dressed up", llm_provider="groq", model="m")
        error.__context__ = kind("no attribute 'service_tier'")
        found = classify(error, exchange, "m")
        assert isinstance(found, CallError)
        assert found.kind == "litellm"
        assert f"LiteLLM {version('litellm')} itself {phrase} ({kind.__name__}): " in str(found)
        assert "bad request" not in str(found)


@pytest.mark.parametrize("name", ["BadRequestError", "APIConnectionError", "InternalServerError"])
def test_what_litellm_says_before_anything_is_sent_is_its_own(name: str):
    """The server never saw the request."""
    error = getattr(_litellm.load().exceptions, name)("what", llm_provider="x", model="m")
    found = classify(error, Exchange(observed=True), "m")
    assert isinstance(found, CallError)
    assert (found.kind, found.action) == ("litellm", "fail_sample")
    assert f"({name})" in str(found)


@pytest.mark.parametrize(
    ("words", "cure"),
    [
        (
            "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate",
            "export SSL_CERT",
        ),
        (
            "certificate verify failed: unable to get local issuer certificate (_ssl.c:1006)",
            "export SSL_CERT_FILE",
        ),
        ("Hostname mismatch, certificate is not valid for 'llm.internal'", "correct api_base"),
        ("[SSL: WRONG_VERSION_NUMBER] wrong version number", "write http://"),
    ],
)
def test_a_certificate_that_is_refused_names_the_cure(words: str, cure: str):
    """Whoever runs a server behind his company's authority learns which variable to set."""
    error = RuntimeError("dressed up")
    error.__cause__ = WireError(f"https://x: cannot connect: {words}", "connection")
    found = classify(error, Exchange(), "m")
    assert isinstance(found, CallError)
    assert found.kind == "connection"
    assert "SSL_CERT_FILE" in str(found)
    assert cure in str(found)


def test_other_connections_have_no_such_cure():
    """A refused connection is no matter of certificates."""
    found = classify(WireError("https://x: connection refused", "connection"), Exchange(), "m")
    assert "SSL" not in str(found)


def test_a_message_can_be_written():
    """Half of a surrogate pair in an error document stops nothing."""
    found = classify(
        RuntimeError("x"), Exchange(observed=True, sent=0.0, status=400, body=b'{"message": "a\\ud83d"}'), "m"
    )
    assert str(found) == "m: bad request (HTTP 400): a\ufffd"
