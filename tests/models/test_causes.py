"""What servers say of a call that they do not answer: status, words and waits, as providers write them."""

from __future__ import annotations

import pytest

from evalkit.models.causes import by_words, error_in, retry_after, verdict_of

TOO_LARGE = [
    "Request too large for gpt-4o in organization org-k1 on tokens per min (TPM): Limit 30000, Requested "
    "31000. The input or output tokens must be reduced in order to run successfully.",  # OpenAI
    "Request too large for model `llama-3.1-8b-instant` in organization `org_01` service tier `on_demand` on "
    "tokens per minute (TPM): Limit 6000, Requested 7,012, please reduce your message size.",  # Groq
    "Rate limit reached for x-2 on tokens per day (TPD): Limit 500k, Used 10, Requested 501k.",
    "The request of 130000 tokens exceeds the limit of 120000 tokens per minute",
    '{"error": {"message": "too many tokens", "limit": 4000, "requested": 4001}}',
    "tokens in request: 5000 > 4096",
    "This request is too large for your tier's tokens per minute; reduce the prompt length",
    "Requested 2_000 tokens but at most the maximum of 1_999 is allowed in 60 seconds",
]
ORDINARY = [
    "Rate limit reached for gpt-4o in organization org-7 on tokens per min (TPM): Limit 30000, Used 29000, "
    "Requested 2000. Please try again in 2s.",
    "Rate limit reached for gpt-4o-mini on requests per min (RPM): Limit 3, Used 3, Requested 1.",
    "Limit: 60 requests per minute. Requests in the last minute: 75. Too many tokens are not the cause.",
    "This request would exceed your organization's rate limit of 40,000 input tokens per minute",  # Anthropic
    "Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI "
    "S0 pricing tier. Please retry after 7 seconds.",  # Azure
    "Quota exceeded for metric: free_tier_input_token_count, limit: 250000. Please retry in 17.5s",
    "Requested 2000 tokens; rate limit, try again in 7s",
    "Limit 30k, Used 29k, Requested 2000 tokens",
    "too many requests, maximum 10 concurrent",
    "Limit 2000, Requested 2000 tokens",
]


@pytest.mark.parametrize("words", TOO_LARGE)
def test_a_request_above_the_whole_limit_is_too_long(words: str) -> None:
    """No wait makes room for it: the sample fails at once."""
    assert verdict_of(429, words) == ("context_length", "fail_sample")


@pytest.mark.parametrize("words", ORDINARY)
def test_an_ordinary_rate_limit_is_waited_for(words: str) -> None:
    """There will be room for it."""
    assert verdict_of(429, words) == ("rate_limit", "retry")


@pytest.mark.parametrize("words", ["limit: 0, model: gemini-2.5-pro", "TPM: Limit 0, Requested 12 tokens"])
def test_a_limit_of_nothing_is_no_rate_limit(words: str) -> None:
    """The account may not use the model: nobody waits for that to change."""
    assert verdict_of(429, words) == ("quota", "stop_model")


@pytest.mark.parametrize(
    "words",
    [
        # xAI, HTTP 403
        '{"code": "The caller does not have permission to execute the specified operation", "error": '
        '"Content violates usage guidelines. Team: 1, API key ID: 2, Failed check: SAFETY_CHECK_TYPE_BIO"}',
        "x requires moderation on A. Your input was flagged for: violence",  # OpenRouter, HTTP 403
        "Input was blocked by your organization's guardrail",
        "The prompt violates our acceptable use policy",
        "您的输入违反了相关法规，请修改后重试",
        "This prompt was blocked",
    ],
)
@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_prompt_turned_away_for_what_it_says_is_refused(status: int, words: str) -> None:
    """Whatever the status: it is the answer to this prompt."""
    assert verdict_of(status, words)[0] == "refused"


@pytest.mark.parametrize(
    "words",
    [
        "Your account has been deactivated for violating our usage policies",
        "Your organization was suspended: violation of the content policy",
        "Access to this API key was revoked after repeated policy violations",
        "Request blocked. We can't connect to the server for this app or website at this time.",  # CloudFront
        "You may not use this model",
        "账号已被封禁：违规",
    ],
)
def test_a_shut_account_is_no_refusal(words: str) -> None:
    """No prompt of it will be answered: scoring them as refused would be wrong."""
    assert verdict_of(403, words) == ("permission", "stop_model")


@pytest.mark.parametrize(
    ("headers", "words", "seconds"),
    [
        ({"Retry-After": "3600"}, "", 3600.0),
        ({"retry-after": "inf"}, "", None),
        ({"retry-after": "nan"}, "", None),
        ({"retry-after": "-5"}, "", 0.0),
        ({"retry-after-ms": "soon", "retry-after": "2"}, "", 2.0),
        ({}, "Please try again in 14m24.5s. Need more tokens?", 864.5),
        ({}, "try again in 1h2m3s", 3723.0),
        ({}, "Please retry after 7 seconds.", 7.0),
        ({}, "Please retry after 2 hours, 30 minutes.", 9000.0),
        ({}, "Please retry in 17.5s", 17.5),
        ({}, "Try again in 250 milliseconds", 0.25),
        ({}, "try again in a moment", None),
        ({"retry-after": "Wed, 99 Foo 2015"}, "", None),
    ],
)
def test_a_wait_is_read_wherever_it_stands(
    headers: dict[str, str], words: str, seconds: float | None
) -> None:
    """Headers and sentences; what is no finite time is no time."""
    assert retry_after(headers, words) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"error": {"code": 429, "message": "slow"}}', (429, "slow")),
        (b'{"error": {"code": "503", "message": "busy"}}', (503, "busy")),
        (b'{"error": "gone"}', (None, "gone")),
        (b'[{"error": {"code": 400, "message": "Gemini lists"}}]', (400, "Gemini lists")),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', (None, "field required")),
        (b'{"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}',
         (None, "insufficient balance")),
        (b'{"code": 1301, "msg": "\xe6\x95\x8f\xe6\x84\x9f"}', (None, "敏感")),
        (b'{"message": "\\ud800"}', (None, "\ud800")),
        (b'{"choices": []}', None),
        (b"<html>", None),
        (b"7", None),
    ],
)  # fmt: skip
def test_an_error_document_is_read_in_every_form(body: bytes, found: object) -> None:
    """Providers name the same thing differently."""
    assert error_in(body) == found


def test_words_that_tell_nothing_leave_it_to_the_status() -> None:
    """None, so that the caller looks further."""
    assert by_words(400, "temperature must be below 2") is None
