"""Passages that embeddings find: what is asked, what it costs, and what becomes of failures."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from factories import make_task, write_task
from served import set_keys
from server import Call, Fault, Server, serve

import evalkit
from evalkit.core.errors import TaskError
from evalkit.core.records import Request, Response, ResponseError, SampleResult, Usage
from evalkit.models.embeddings import read_vector, write_vector
from evalkit.models.mock import MockModel
from evalkit.running.preparation import estimate_costs, prepare
from evalkit.running.request import RunRequest
from evalkit.running.rescoring.rescore import rescore
from evalkit.store.folders import StoredRun
from evalkit.tasks.retrieval import Document, EmbeddingIndex, Hits

DOCUMENTS = [
    {"id": "lamp", "text": "The red lamp costs 12 euros."},
    {"id": "chair", "text": "The green chair costs 30 euros."},
    {"id": "none", "text": "Nothing of the kind."},
]
QUESTIONS = [
    {"id": "1", "question": "What does the red lamp cost", "answer": "12", "relevant": ["lamp"]},
    {"id": "2", "question": "What does the green chair cost", "answer": "30", "relevant": ["chair"]},
]
WORDS = 28
"""Of all documents and questions; the server counts a word as a token."""
PRICE = 2e-8
"""Dollars a token of text-embedding-3-small, in LiteLLM's map."""


def read_price(request: Request) -> Response:
    """A model that reads the price off the first passage."""
    found = re.search(r"costs (\d+)", request.messages[-1].text)
    return Response(text=found[1] if found else "?", usage=Usage(10, 1), cost_usd=0.5)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A workspace whose task finds its passages by the embeddings of this server."""
    set_keys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_documents(tmp_path)
    with serve(models=["text-embedding-3-small", "own-embedder"]) as running:
        write_alias(tmp_path, running)
        yield running


def write_documents(folder: Path) -> None:
    """The task `prices` in a workspace."""
    solver = {"name": "rag", "top_k": 1, "retriever": "embedding", "embedding": "embedder"}
    place = write_task(
        folder / "tasks" / "prices",
        QUESTIONS,
        name="prices",
        documents="documents.jsonl",
        prompts={"dense": {"user": "{{ passages }}\n\nQ: {{ question }}", "solver": solver}},
        metrics=["exact_match", {"name": "recall@1", "column": "relevant"}],
    )
    lines = (json.dumps(row) for row in DOCUMENTS)
    (place.parent / "documents.jsonl").write_text("\n".join(lines))


def write_alias(folder: Path, server: Server, route: str = "openai/text-embedding-3-small") -> None:
    """What `embedder` means."""
    (folder / "evalkit.yaml").write_text(
        f"models: {{embedder: {{model: {route}, api_base: '{server.url}', api_key_env: TEST_KEY}}}}\n"
    )


def results(run: StoredRun) -> list[SampleResult]:
    """All results of the only cell."""
    return list(run.samples(run.run.cells[0].slug))


def test_the_nearest_passage_stands_in_the_prompt_and_is_paid_for_once(server: Server) -> None:
    """Prompt, step and retrieval metric tell what was found; the cost holds the embeddings; a second run asks
    nothing."""
    model = MockModel(read_price, name="reader")
    first = evalkit.run(models=[model], tasks=["prices"])
    cell = first.run.cells[0]
    assert cell.metrics["exact_match"].value == cell.metrics["recall@1"].value == 1.0
    one = results(first)[0]
    assert one.messages[-1].text == "[1] The red lamp costs 12 euros.\n\nQ: What does the red lamp cost"
    assert one.response.steps[0].found == ("lamp",)
    asked = sorted(call.body["input"][0] for call in server.calls[:3])
    assert asked == sorted(row["text"] for row in DOCUMENTS)
    assert cell.cost_usd == pytest.approx(2 * 0.5 + WORDS * PRICE)
    assert cell.usage.input == 20
    again = evalkit.run(models=[model], tasks=["prices"])
    assert len(server.calls) == 5
    assert [each.messages for each in results(again)] == [each.messages for each in results(first)]
    assert again.run.cells[0].cost_usd == pytest.approx(2 * 0.5)


def test_an_unknown_price_makes_the_cost_unknown(server: Server, tmp_path: Path) -> None:
    """What the embeddings cost is part of the whole, so that without it there is no whole."""
    write_alias(tmp_path, server, "openai/own-embedder")
    run = evalkit.run(models=[MockModel(read_price, name="reader")], tasks=["prices"])
    assert run.run.cells[0].metrics["exact_match"].value == 1.0
    assert run.run.cells[0].cost_usd is None


def test_without_embeddings_a_sample_is_unscored_and_the_model_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that the embedding model refuses fails its own sample only, and says whose failure it was."""
    set_keys(monkeypatch)
    monkeypatch.chdir(tmp_path)
    write_documents(tmp_path)

    def refuse_chairs(call: Call) -> Fault | None:
        return "400" if call.body["input"] == ["What does the green chair cost"] else None

    with serve(faults=refuse_chairs, models=["text-embedding-3-small"]) as server:
        write_alias(tmp_path, server)
        model = MockModel(read_price, name="reader")
        run = evalkit.run(models=[model], tasks=["prices"])
    assert run.run.status == "incomplete"
    good, bad = results(run)
    assert (good.scores["exact_match"], good.unscored_reason) == (1.0, None)
    assert bad.unscored_reason == "bad_request"
    assert bad.response.error is not None
    assert "the embedding model embedder failed" in bad.response.error.message
    assert (run.run.cells[0].counts.scored, run.run.cells[0].counts.errors) == (1, 1)


def test_the_estimate_counts_embeddings_and_what_the_cache_knows_of_them(server: Server) -> None:
    """Three documents and two queries, each once however many models read the passages."""
    models = [MockModel(read_price, name=name) for name in ("one", "two")]
    before = estimate_costs(prepare(RunRequest(models=models, tasks=["prices"])))
    assert before is not None
    assert (before.n_requests, before.n_cached) == (5, 0)
    low, high = before.cost_usd
    assert low < WORDS * PRICE < high
    evalkit.run(models=models, tasks=["prices"])
    assert len(server.calls) == 5
    after = estimate_costs(prepare(RunRequest(models=models, tasks=["prices"])))
    assert after is not None
    assert "nothing to pay" in str(after)


def test_a_run_is_scored_again_without_a_call(server: Server) -> None:
    """The recorded prompts hold the passages; nothing is searched anew."""
    first = evalkit.run(models=[MockModel(read_price, name="reader")], tasks=["prices"])
    asked = len(server.calls)
    again = rescore(first).stored
    assert len(server.calls) == asked
    assert [each.messages for each in results(again)] == [each.messages for each in results(first)]
    assert again.run.cells[0].metrics["exact_match"].value == 1.0


def test_retriever_and_model_go_together(tmp_path: Path) -> None:
    """A retriever without its model is told with an example."""
    solver = {"name": "rag", "retriever": "embedding"}
    with pytest.raises(TaskError, match="openai/text-embedding-3-small"):
        make_task(tmp_path, QUESTIONS, prompts={"p": {"user": "x", "solver": solver}})


def vector(*values: float) -> Response:
    """What an embedding model says."""
    return Response(text=write_vector(values))


def test_equal_passages_keep_their_order_and_only_what_failed_is_asked_again() -> None:
    """Cosine does not see lengths; a document whose call failed is asked for with the next query."""
    said = {
        "a": [vector(2, 0)],
        "b": [Response("error", error=ResponseError("server", "down")), vector(1, 0)],
    }
    said |= {"c": [vector(0, 3)], "query": [vector(5, 0)] * 2, "long": [vector(1, 0, 0)]}
    asked: list[str] = []

    async def embed(text: str) -> Response:
        asked.append(text)
        return said[text].pop(0)

    async def search() -> list[Hits]:
        index = EmbeddingIndex([Document(name, name) for name in "abc"])
        return [await index.search(embed, query, 2) for query in ("query", "query", "long", " ")]

    failed, found, mismatched, empty = asyncio.run(search())
    assert failed.failed is not None
    assert asked == ["a", "b", "c", "b", "query", "long"]
    assert [(each.document.id, each.score) for each in found.passages] == [("a", 1.0), ("b", 1.0)]
    assert mismatched.failed is not None
    assert "3 dimensions" in mismatched.failed.error.message  # type: ignore[union-attr]
    assert empty == Hits()


def test_a_vector_comes_back_as_it_was_written() -> None:
    """32-bit floats, bit for bit."""
    values = np.random.default_rng(0).normal(size=300).astype(np.float32)
    assert (np.array(read_vector(write_vector([float(v) for v in values])), dtype=np.float32) == values).all()
