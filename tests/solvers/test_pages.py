"""What was done between the calls is on the page, and gone from a redacted one."""

from __future__ import annotations

import orjson
from factories import make_cell, make_result
from shard_reader import read_shard

from evalkit.core.records import Response, Step, ToolCall
from evalkit.pages.redaction import redact_result
from evalkit.pages.shards import ShardCell, build_shard

STEP = Step("search", "s3cret query", "s3cret passage", "error", "s3cret detail", ("d1",), 1)
CALL = Response(text="x", tool_calls=(ToolCall("c", "search", '{"query": "s3cret"}'),))


def test_redacted_result_keeps_what_was_done_without_its_texts() -> None:
    """Queries, results, programs and arguments are texts of the data; that there was a step stays."""
    result = make_result(response=Response(text="s3cret", parts=(CALL,), steps=(STEP,)))
    redacted = redact_result(result)
    assert b"s3cret" not in orjson.dumps(redacted.response)
    (step,) = redacted.response.steps
    assert (step.action, step.status, step.found, step.after) == ("search", "error", ("d1",), 1)


def test_page_carries_what_was_done_in_its_place() -> None:
    """The browser is told each step with the number of calls before it, and how it ended."""
    result = make_result(response=Response(text="x", parts=(CALL, CALL), steps=(STEP,)))
    shard = build_shard("t/v", "t", "v", [ShardCell("m", "exact_match", make_cell().metrics, [result], 1)])
    (answer,) = read_shard(shard)["samples"][0]["answers"]
    assert len(answer["parts"]) == 2
    assert answer["done"] == [
        {
            "action": "search",
            "input": "s3cret query",
            "output": "s3cret passage",
            "status": "error",
            "detail": "s3cret detail",
            "after": 1,
        }
    ]
