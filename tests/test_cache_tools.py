"""What a user can do with a cache: ask it why, prune it, hand it on; and what it says when it is foreign."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from factories import make_request

import evalkit
from evalkit import MockModel
from evalkit.cli.cache import cache as cache_command
from evalkit.core.errors import CacheError
from evalkit.core.records import Request, Response, digest
from evalkit.store.cache import Cache, cache_key
from evalkit.store.cache.explanation import explain_request, find_request
from evalkit.store.cache.transfer import Imported, export_entries, import_entries

IDENTITY = {"route": "mock/fn", "api_base": "http://a/v1"}


def fill(url: str, *requests: Request, status: str = "ok") -> Cache:
    """A cache that holds answers to these requests."""
    cache = Cache(url)

    async def work() -> None:
        for request in requests:
            response = Response(status, text="42")  # type: ignore[arg-type]
            await cache.put(cache_key(request, IDENTITY), request, response, identity=IDENTITY)

    asyncio.run(work())
    return cache


def url(path: Path) -> str:
    """The address of a cache in a file."""
    return f"sqlite:///{path}"


def test_a_hit_says_since_when(tmp_path: Path) -> None:
    """A request that is answered shows its key, its parts and the entry's time and status."""
    request = make_request("6 x 7?", params={"temperature": 0})
    cache = fill(url(tmp_path / "c.db"), request, status="truncated")
    told = explain_request(cache, request, IDENTITY)
    cache.close()
    assert told.hit
    assert (told.key, told.status) == (cache_key(request, IDENTITY), "truncated")
    assert told.question["params"] == {"temperature": 0}
    assert told.question["identity"] == IDENTITY


@pytest.mark.parametrize(
    ("asked", "identity", "part", "values"),
    [
        ({"params": {"temperature": 1}}, IDENTITY, "params.temperature", ("1", "0")),
        ({"params": {"temperature": 0, "seed": 3}}, IDENTITY, "params.seed", ("3", '"(none)"')),
        ({"repeat": 1}, IDENTITY, "repeat", ("1", "0")),
        (
            {},
            {**IDENTITY, "api_base": "http://b/v1"},
            "identity.api_base",
            ('"http://b/v1"', '"http://a/v1"'),
        ),
        ({"text": "6 x 8?"}, IDENTITY, "messages[0].content", ('"6 x 8?"', '"6 x 7?"')),
    ],
)
def test_a_miss_says_what_differs(
    tmp_path: Path, asked: dict[str, object], identity: dict[str, str], part: str, values: tuple[str, str]
) -> None:
    """The nearest entry comes first, with the one part of the key in which it is another."""
    kept = make_request("6 x 7?", params={"temperature": 0})
    cache = fill(url(tmp_path / "c.db"), make_request("far away", params={"top_p": 1}), kept)
    given = {"params": {"temperature": 0}, "text": "6 x 7?", **asked}
    told = explain_request(cache, make_request(given.pop("text"), **given), identity)  # type: ignore[arg-type]
    cache.close()
    assert not told.hit
    (difference,) = told.neighbours[0].differences
    assert (difference.part, (difference.asked, difference.kept)) == (part, values)


TASK = """
name: sums
language: en
data: {file: samples.jsonl}
target: answer
prompts: {direct: "{{ question }}"}
metrics: [exact_match]
"""


def test_explain_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample's id is enough: the request is taken from the latest run."""
    folder = tmp_path / "tasks" / "sums"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    (folder / "samples.jsonl").write_text(json.dumps({"id": "s1", "question": "6x7", "answer": "42"}) + "\n")
    monkeypatch.chdir(tmp_path)
    model = MockModel(lambda request: "42", "mock/echo", cacheable=True, identity={"route": "mock/echo"})
    evalkit.run(models=[model], tasks=["sums"])
    found = CliRunner().invoke(cache_command, ["explain", "s1"], standalone_mode=False)
    assert found.exception is None
    assert "mock/echo, sample s1, repeat 0: HIT, kept since" in found.output
    assert '"content":"6x7"' in found.output
    CliRunner().invoke(cache_command, ["prune", "--model", "mock/echo", "--yes"], standalone_mode=False)
    found = CliRunner().invoke(cache_command, ["explain", "s1"], standalone_mode=False)
    assert "MISS" in found.output
    assert "the cache holds nothing of this model" in found.output


def test_a_rolling_request_is_found_by_its_digest(tmp_path: Path) -> None:
    """A run does not hold the texts of rolling requests; the entry that answers one does."""
    request = Request("rolling", "mock/fn", text="很长的一段话")
    cache = fill(url(tmp_path / "c.db"), Request("rolling", "mock/fn", text="another"), request)
    found = find_request(cache, "mock/fn", request.digest)
    assert found is not None
    assert (found.digest, found.text) == (request.digest, request.text)
    assert explain_request(cache, found, IDENTITY).hit
    (difference,) = explain_request(cache, found, {**IDENTITY, "revision": "2"}).neighbours[0].differences
    assert difference.part == "identity.revision"
    assert find_request(cache, "mock/fn", "0" * 64) is None
    cache.close()


def test_prune_by_age_model_and_size(tmp_path: Path) -> None:
    """Only what is older, of the model, or beyond the size is deleted, the oldest first."""
    requests = [make_request(f"q{n}", model=f"mock/{'ab'[n % 2]}") for n in range(10)]
    cache = fill(url(tmp_path / "c.db"), *requests)
    with sqlite3.connect(tmp_path / "c.db") as connection:
        keys = [cache_key(request, IDENTITY) for request in requests]
        for n, key in enumerate(keys):
            connection.execute(
                "update responses set created = ? where key = ?", (f"2026-01-{n + 1:02d}", key)
            )
    connection.close()
    assert cache.prune(before="2026-01-04") == 3
    assert set(cache.get_many(keys)) == set(keys[3:])
    assert cache.prune(model="mock/a") == 3
    assert set(cache.get_many(keys)) == {keys[3], keys[5], keys[7], keys[9]}
    size = sum(len(row["request"]) + len(row["response"]) for row in cache.rows())
    assert cache.prune(max_bytes=size // 2) == 2
    assert set(cache.get_many(keys)) == {keys[7], keys[9]}
    cache.close()


def test_export_and_import_hand_everything_on(tmp_path: Path) -> None:
    """A cache filled from the file has the same rows; a second import adds nothing; the file is private."""
    requests = [make_request(f"问{n}") for n in range(700)]
    first = fill(url(tmp_path / "a.db"), *requests)
    file = tmp_path / "cache.jsonl"
    assert export_entries(first, file) == 700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    second = Cache(url(tmp_path / "b.db"))
    assert import_entries(second, file) == Imported(700, 700)
    assert import_entries(second, file) == Imported(700, 0)
    assert list(second.rows()) == list(first.rows())
    first.close()
    second.close()


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "{}",
        '{"key": "x", "model": "m", "created": "c", "status": "ok", "request": {}, "response": {}}',
    ],
)
def test_foreign_file_is_not_imported(tmp_path: Path, line: str) -> None:
    """A file of another kind is an error; an entry that is none is refused, and its line named."""
    file = tmp_path / "f.jsonl"
    cache = Cache(url(tmp_path / "c.db"))
    file.write_text(f"{line}\n")
    with pytest.raises(CacheError, match=r"f\.jsonl, line 1"):
        import_entries(cache, file)
    file.write_text('{"format": "evalkit-cache-1"}\n' + line + "\n")
    found = import_entries(cache, file)
    assert (found.n, found.new, found.refused) == (1, 0, 1)
    assert "f.jsonl, line 2" in found.reasons[0]
    cache.close()


def altered(entry: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The entry with another value at a place."""
    entry = json.loads(json.dumps(entry))
    at = entry
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return entry


def signed(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with the digest of what it says now."""
    rest = {key: value for key, value in entry.items() if key != "digest"}
    return {**rest, "digest": digest(rest)}


ALTERED: list[tuple[tuple[str, ...], Any]] = [
    (("response", "text"), "another answer"),
    (("response", "usage"), {"input": 1, "output": 1}),
    (("created",), "2020-01-01"),
    (("digest",), "0" * 64),
    (("digest",), None),
]
MOVED: list[tuple[tuple[str, ...], Any]] = [
    (("key",), "0" * 64),
    (("key",), "../../x"),
    (("model",), "openai/gpt-9"),
    (("status",), "refused"),
    (("created",), "yesterday"),
    (("request", "model"), "openai/gpt-9"),
    (("request", "messages"), [{"role": "user", "content": "another question"}]),
    (("request", "params"), {"temperature": 1}),
    (("request", "repeat"), 1),
    (("request", "identity"), {"host": "elsewhere"}),
    (("request", "digest"), "0" * 64),
    (("request",), {}),
    (("request",), None),
    (("response", "status"), "error"),
    (("response",), []),
]


@pytest.mark.parametrize("version", [1, 2])
def test_what_was_altered_is_refused_and_counted(tmp_path: Path, version: int) -> None:
    """Keys are made again from their questions, with a new digest too; the entries that fit are taken."""
    first = fill(url(tmp_path / "a.db"), *(make_request(f"q{n}") for n in range(2)))
    export_entries(first, tmp_path / "a.jsonl")
    first.close()
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()[1:]]
    bad = [signed(altered(lines[0], place, value)) for place, value in MOVED]
    bad += [altered(lines[0], place, value) for place, value in ALTERED] if version == 2 else []
    rows = [{"format": f"evalkit-cache-{version}"}, *bad, lines[1]]
    file = tmp_path / "b.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "torn {")
    second = Cache(url(tmp_path / "b.db"))
    found = import_entries(second, file)
    assert (found.n, found.new, found.refused) == (len(bad) + 2, 1, len(bad) + 1)
    assert [row["key"] for row in second.rows()] == [lines[1]["key"]]
    assert len(found.reasons) == 5
    second.close()
    done = CliRunner().invoke(cache_command, ["import", str(file), "--cache", str(tmp_path / "c.db")])
    assert f"{len(bad) + 1} refused" in done.output


def test_newer_cache_is_refused(tmp_path: Path) -> None:
    """A cache of a later evalkit is left alone, with what to do."""
    Cache(url(tmp_path / "c.db")).close()
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("update evalkit_cache set number = 99")
    connection.close()
    with pytest.raises(CacheError, match=r"schema 99.* upgrade evalkit"):
        Cache(url(tmp_path / "c.db"))


def test_cache_without_version_is_read_on(tmp_path: Path) -> None:
    """The first evalkit's caches had no version: their answers still count."""
    request = make_request()
    fill(url(tmp_path / "c.db"), request).close()
    with sqlite3.connect(tmp_path / "c.db") as connection:
        connection.execute("drop table evalkit_cache")
    connection.close()
    cache = Cache(url(tmp_path / "c.db"))
    assert len(cache.get_many([cache_key(request, IDENTITY)])) == 1
    cache.close()


def test_full_disk_is_an_error_with_a_cure(tmp_path: Path) -> None:
    """When the database can grow no more, the run hears of it, and what was kept before is whole."""
    file = tmp_path / "c.db"
    cache = fill(url(file), make_request("before"))

    @sa.event.listens_for(cache._engine, "begin")
    def limit(connection: sa.Connection) -> None:
        connection.exec_driver_sql("PRAGMA max_page_count = 8")

    async def work() -> None:
        for n in range(200):
            request = make_request(f"{n}" * 2000)
            await cache.put(cache_key(request, IDENTITY), request, Response(text="t" * 2000))

    with pytest.raises(CacheError, match="the disk is full: make room and run again"):
        asyncio.run(work())
    kept = cache.get_many([cache_key(make_request("before"), IDENTITY)])
    cache.close()
    assert [response.text for response in kept.values()] == ["42"]


def test_retry_asks_refused_answers_again_and_keeps_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--retry refused asks just those; the new answers take their places."""
    folder = tmp_path / "tasks" / "sums"
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(TASK)
    rows = [{"id": f"s{n}", "question": f"q{n}", "answer": "42"} for n in range(6)]
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []
    shy = True

    def answer(request: Request) -> Response:
        asked.append(request.sample_id)
        refuses = shy and request.sample_id in ("s1", "s4")
        return Response("refused" if refuses else "ok", text="" if refuses else "42")

    def run(**options: object) -> int:
        asked.clear()
        model = MockModel(answer, "mock/m", cacheable=True, identity={"route": "mock/m"})
        stored = evalkit.run(models=[model], tasks=["sums"], **options)  # type: ignore[arg-type]
        return stored.run.cells[0].counts.refused

    assert (run(), len(asked)) == (2, 6)
    shy = False
    assert (run(), asked) == (2, [])
    assert (run(retry=["refused"]), sorted(asked)) == (0, ["s1", "s4"])
    assert (run(), asked) == (0, [])
