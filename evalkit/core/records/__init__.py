"""The records that the rooms hand to each other: frozen dataclasses, no behaviour beyond identity.

A sentence under every field gives its unit, its range, and what None means.

messages.py     what is said: messages, images, tools and their use
judgements.py   tokens, and what a judge said of an answer
requests.py     samples, and what a model is asked
responses.py    what it answers, and what became of the answer
runs.py         cells, their numbers, and the run that holds them
"""

from __future__ import annotations

from evalkit.core.records.judgements import Judgement, JudgeUse, Usage
from evalkit.core.records.messages import (
    ImagePart,
    Message,
    Role,
    Step,
    TextPart,
    ToolCall,
    ToolMessage,
    encode_message,
    flatten,
)
from evalkit.core.records.requests import Request, RequestKind, Sample, TaskView, digest
from evalkit.core.records.responses import (
    IMPOSSIBLE,
    Extraction,
    Loglikelihood,
    Response,
    ResponseError,
    ResponseStatus,
    SampleResult,
    Token,
)
from evalkit.core.records.runs import (
    SCHEMA_VERSION,
    STOPPED_EARLY,
    CellResult,
    Counts,
    GroupResult,
    Latency,
    MetricValue,
    ModelFacts,
    ModelInfo,
    Run,
    RunStatus,
    Scale,
    TaskGroup,
    TaskInfo,
    known_n,
)

__all__ = [
    "IMPOSSIBLE",
    "SCHEMA_VERSION",
    "STOPPED_EARLY",
    "CellResult",
    "Counts",
    "Extraction",
    "GroupResult",
    "ImagePart",
    "JudgeUse",
    "Judgement",
    "Latency",
    "Loglikelihood",
    "Message",
    "MetricValue",
    "ModelFacts",
    "ModelInfo",
    "Request",
    "RequestKind",
    "Response",
    "ResponseError",
    "ResponseStatus",
    "Role",
    "Run",
    "RunStatus",
    "Sample",
    "SampleResult",
    "Scale",
    "Step",
    "TaskGroup",
    "TaskInfo",
    "TaskView",
    "TextPart",
    "Token",
    "ToolCall",
    "ToolMessage",
    "Usage",
    "digest",
    "encode_message",
    "flatten",
    "known_n",
]
