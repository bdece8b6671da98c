"""The cache: what was paid for is on the disk when `put` returns, whoever dies, and no key is ever shown."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from factories import make_request
from hypothesis import given, settings
from hypothesis import strategies as st
from test_store import RESPONSES

from evalkit.core.errors import CacheError
from evalkit.core.records import Response, Usage
from evalkit.store.cache import Cache, cache_key, cache_url

IDENTITY = {"route": "mock/fn"}


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    """A new cache in a file."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}")
    yield cache
    cache.close()


def put(cache: Cache, *pairs: tuple[str, Response]) -> None:
    """Keep responses under these keys, all at once."""

    async def work() -> None:
        await asyncio.gather(*(cache.put(key, make_request(key), response) for key, response in pairs))

    asyncio.run(work())


def rows(file: Path) -> dict[str, bytes]:
    """What another reader finds in the file."""
    with sqlite3.connect(file) as connection:
        found = dict(connection.execute("select key, response from responses").fetchall())
    connection.close()
    return found


@settings(max_examples=8, deadline=None)
@given(responses=st.lists(RESPONSES, min_size=8, max_size=16))
def test_what_was_put_is_got(tmp_path_factory: pytest.TempPathFactory, responses: list[Response]) -> None:
    """Every field of a response survives, but that it now comes from the cache; errors are not kept."""
    cache = Cache(f"sqlite:///{tmp_path_factory.mktemp('cache') / 'cache.db'}")
    pairs = {f"k{n}": response for n, response in enumerate(responses)}
    put(cache, *pairs.items())
    assert cache.get_many(list(pairs)) == {
        key: dataclasses.replace(response, from_cache=True)
        for key, response in pairs.items()
        if response.status != "error" and not response.from_cache
    }
    cache.close()


def test_failed_calls_are_never_kept(cache: Cache) -> None:
    """An outage is asked again, not remembered; a refusal that was paid for is an answer."""
    put(cache, *((status, Response(status, text="t")) for status in ("ok", "refused", "truncated", "error")))
    assert set(cache.get_many(["ok", "refused", "truncated", "error"])) == {"ok", "refused", "truncated"}


def test_unknown_keys_are_left_out(cache: Cache) -> None:
    """Only what is there is found, also when more keys are asked for than one query takes."""
    put(cache, *((f"k{n}", Response(text=str(n))) for n in range(0, 1500, 2)))
    found = cache.get_many([f"k{n}" for n in range(1500)])
    assert {key: response.text for key, response in found.items()} == {
        f"k{n}": str(n) for n in range(0, 1500, 2)
    }
    assert cache.get_many([]) == {}


def test_unknown_usage_stays_unknown(cache: Cache) -> None:
    """Tokens that nobody counted do not come back as zero."""
    put(cache, ("k", Response(text="", usage=Usage(input=0, output=None))))
    response = cache.get_many(["k"])["k"]
    assert (response.text, response.usage.input, response.usage.output, response.cost_usd) == (
        "",
        0,
        None,
        None,
    )


def test_a_thousand_puts_are_durable_in_few_commits(tmp_path: Path, cache: Cache) -> None:
    """A thousand answers at once are on the disk when their `put` returns, in a small part of the commits."""
    commits = 0

    def count(_: object) -> None:
        nonlocal commits
        commits += 1

    sa.event.listen(cache._engine, "commit", count)
    started = time.monotonic()
    put(cache, *((f"k{n}", Response(text=str(n))) for n in range(1000)))
    assert len(rows(tmp_path / "cache.db")) == 1000
    assert commits < 100
    assert time.monotonic() - started < 5


def test_put_returns_only_when_the_answer_is_on_the_disk(tmp_path: Path, cache: Cache) -> None:
    """Another process sees the entry as soon as `put` has returned, each time."""
    file = tmp_path / "cache.db"

    async def work() -> None:
        for n in range(20):
            await cache.put(f"k{n}", make_request(), Response(text=str(n)))
            assert f"k{n}" in rows(file)

    asyncio.run(work())


PUT_FOREVER = """
import asyncio, itertools, sys
sys.path.insert(0, sys.argv[2])
from factories import make_request
from evalkit.store.cache import Cache
from evalkit.core.records import Response

async def work():
    cache = Cache("sqlite:///" + sys.argv[1])
    async def lane(name):
        for n in itertools.count():
            key = f"{name}-{n}"
            await cache.put(key, make_request(), Response(text=key * 100))
            print(key, flush=True)
    await asyncio.gather(*(lane(name) for name in "abcdefgh"))

asyncio.run(work())
"""


def test_killed_process_leaves_every_answer_that_it_reported(tmp_path: Path) -> None:
    """After `kill -9`, every key whose `put` had returned is in the file, whole."""
    file, tests = tmp_path / "cache.db", str(Path(__file__).parent)
    reported = []
    with subprocess.Popen(
        [sys.executable, "-c", PUT_FOREVER, str(file), tests], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            reported.append(line.strip())
            if len(reported) == 200:
                process.send_signal(signal.SIGKILL)
                reported.extend(line.strip() for line in process.stdout if line.endswith("\n"))
    cache = Cache(f"sqlite:///{file}")
    found = cache.get_many(reported)
    cache.close()
    assert len(reported) >= 200
    assert {key: response.text for key, response in found.items()} == {key: key * 100 for key in reported}


PUT_SOME = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
from factories import make_request
from evalkit.store.cache import Cache
from evalkit.core.records import Response

name = sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
cache = Cache("sqlite:///" + sys.argv[1])

async def work():
    keys = [f"shared-{n}" for n in range(200)] + [f"{name}-{n}" for n in range(200)]
    await asyncio.gather(*(cache.put(key, make_request(), Response(text=name)) for key in keys))

asyncio.run(work())
cache.close()
"""


def test_processes_share_a_cache(tmp_path: Path) -> None:
    """Processes that open a new cache at one moment and write the same and other keys lose nothing."""
    file, tests = tmp_path / "cache.db", str(Path(__file__).parent)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PUT_SOME, str(file), name, tests],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in "abc"
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outcomes = [process.communicate("go\n") for process in processes]
    assert [error for _, error in outcomes] == ["", "", ""]
    assert len(rows(file)) == 200 + 3 * 200


def test_first_answer_stays(cache: Cache) -> None:
    """An answer that is there is what every later run gets."""
    put(cache, ("k", Response(text="first")))
    put(cache, ("k", Response(text="second")))
    assert cache.get_many(["k"])["k"].text == "first"


def test_fresh_answers_replace_the_old(tmp_path: Path) -> None:
    """With `replace_entries` the new answer takes the place of the old."""
    url = f"sqlite:///{tmp_path / 'cache.db'}"
    for text in ("first", "second"):
        cache = Cache(url, replace_entries=True)
        put(cache, ("k", Response(text=text)))
        cache.close()
    cache = Cache(url)
    assert cache.get_many(["k"])["k"].text == "second"
    cache.close()


def test_answer_from_the_cache_is_not_written_again(tmp_path: Path) -> None:
    """What came from the cache is no new answer, even when entries are replaced."""
    cache = Cache(f"sqlite:///{tmp_path / 'cache.db'}", replace_entries=True)
    put(cache, ("k", Response(text="first")))
    put(cache, ("k", Response(text="echo", from_cache=True)))
    assert cache.get_many(["k"])["k"].text == "first"
    cache.close()


def test_equal_keys_in_one_group_are_one_entry(tmp_path: Path) -> None:
    """The same key twice in one commit breaks no commit, replaced or not."""
    for replace_entries in (False, True):
        cache = Cache(f"sqlite:///{tmp_path / str(replace_entries)}", replace_entries=replace_entries)
        put(cache, *[("k", Response(text="same"))] * 50)
        assert cache.get_many(["k"])["k"].text == "same"
        cache.close()


def test_database_is_private_to_the_user(tmp_path: Path) -> None:
    """The folder is 0700 and the database with its journals 0600: answers may be confidential."""
    cache = Cache(f"sqlite:///{tmp_path / 'private/cache.db'}")
    put(cache, ("k", Response(text="t")))
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "private").iterdir()}
    assert stat.S_IMODE((tmp_path / "private").stat().st_mode) == 0o700
    assert files == {"cache.db": 0o600, "cache.db-wal": 0o600, "cache.db-shm": 0o600}
    cache.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_damaged_file_is_an_error_with_a_cure(tmp_path: Path, content: bytes) -> None:
    """A file that is no database, or a broken one, says what to do about it."""
    file = tmp_path / "cache.db"
    file.write_bytes(content)
    with pytest.raises(CacheError, match=r"cache sqlite:///.*cache\.db: .*; .*--cache"):
        Cache(f"sqlite:///{file}").close()


def test_file_damaged_in_the_middle_is_an_error_with_a_cure(tmp_path: Path) -> None:
    """Pages that were overwritten are found when they are read, and the cure is named."""
    file = tmp_path / "cache.db"
    cache = Cache(f"sqlite:///{file}")
    keys = [f"k{n}" for n in range(400)]
    put(cache, *((key, Response(text=key * 200)) for key in keys))
    cache.close()
    content = bytearray(file.read_bytes())
    for start in range(5 * 4096, len(content), 4096):
        content[start : start + 4096] = b"\xee" * len(content[start : start + 4096])
    file.write_bytes(content)
    cache = Cache(f"sqlite:///{file}")
    with pytest.raises(CacheError, match=r"the file is damaged: move it away"):
        cache.get_many(keys)
    with pytest.raises(CacheError, match=r"the file is damaged: move it away"):
        put(cache, *((f"new-{key}", Response(text=key * 200)) for key in keys))
    cache.close()


def test_entry_that_cannot_be_read_is_an_error_with_a_cure(tmp_path: Path, cache: Cache) -> None:
    """A foreign or damaged entry says how to replace it, in one line."""
    put(cache, ("k", Response(text="t")))
    with sqlite3.connect(tmp_path / "cache.db") as connection:
        connection.execute('update responses set response = \'{"status": "odd"}\'')
    connection.close()
    with pytest.raises(CacheError, match=r"an entry cannot be read .* --fresh") as caught:
        cache.get_many(["k"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["file/cache.db", "/proc/none/cache.db", "folder"])
def test_place_that_cannot_be_written_is_an_error_with_a_cure(tmp_path: Path, place: str) -> None:
    """A path below a file, in a folder where nobody writes, or of a folder, says what to do instead."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CacheError, match=r"; name another by --cache|; the place cannot be written"):
        Cache(f"sqlite:///{tmp_path / place}")


def test_failed_commit_reaches_everybody_who_waits(tmp_path: Path, cache: Cache) -> None:
    """When a commit fails, each waiting and each later `put` fails too, and nobody waits for ever."""
    with sqlite3.connect(tmp_path / "cache.db") as connection:
        connection.execute("drop table responses")
    connection.close()

    async def work() -> list[BaseException | None]:
        writes = (cache.put(f"k{n}", make_request(), Response(text="t")) for n in range(20))
        return await asyncio.gather(*writes, return_exceptions=True)

    outcomes = asyncio.run(asyncio.wait_for(work(), 10))
    assert {type(outcome) for outcome in outcomes} == {CacheError}
    with pytest.raises(CacheError, match=r"no such table"):
        put(cache, ("later", Response(text="t")))


def test_error_that_nobody_foresaw_reaches_who_waits(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of another kind in the writing thread is no silent death of that thread."""

    def fail(rows: object, replacing: bool) -> None:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(cache, "_commit", fail)
    with pytest.raises(CacheError, match=r"odd"):
        asyncio.run(asyncio.wait_for(cache.put("k", make_request(), Response(text="t")), 10))


def test_cancelled_run_keeps_what_was_on_its_way(tmp_path: Path, cache: Cache) -> None:
    """When the run is cancelled while answers are being written, they still get onto the disk."""
    release = threading.Event()
    commit = cache._commit

    def slow_commit(rows: object, replacing: bool) -> None:
        release.wait(5)
        commit(rows, replacing)  # type: ignore[arg-type]

    cache._commit = slow_commit  # type: ignore[method-assign]

    async def work() -> None:
        for n in range(3):
            task = asyncio.create_task(cache.put(f"k{n}", make_request(), Response(text="t")))
            await asyncio.sleep(0.01)
            task.cancel()

    asyncio.run(work())  # the loop is closed before anything is committed
    release.set()
    cache.close()
    assert set(rows(tmp_path / "cache.db")) == {"k0", "k1", "k2"}


def test_close_writes_what_is_queued(tmp_path: Path, cache: Cache) -> None:
    """Closing waits for the last group; closing twice is harmless."""
    put(cache, *((f"k{n}", Response(text="t")) for n in range(100)))
    cache.close()
    cache.close()
    assert len(rows(tmp_path / "cache.db")) == 100


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+nodriver://user:hunter2@127.0.0.1/db",
        "nodatabase://user:hunter2@127.0.0.1/db",
        "postgresql//user:hunter2@127.0.0.1/db",
        "postgresql://user:hunter2@127.0.0.1:port/db",
        "postgresql://user:x:hunter2@127.0.0.1:port/db",
        "postgresql://user:x@hunter2@127.0.0.1/db",
        "postgresql://user:x@y:hunter2@127.0.0.1/db",
        "nodatabase://127.0.0.1/db?password=hunter2",
        "://hunter2",
    ],
)
def test_password_is_never_shown(url: str) -> None:
    """No message holds a part of the password, however badly the URL is written."""
    with pytest.raises(CacheError) as caught:
        Cache(url)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(caught.value.__cause__) or caught.value.__cause__ is None


def test_missing_driver_names_the_extra() -> None:
    """PostgreSQL without its driver says what to install."""
    with pytest.raises(CacheError, match=r"pip install|name another by --cache"):
        Cache("postgresql+asyncpgx://user@127.0.0.1:1/db")


@pytest.mark.parametrize(
    ("place", "environment", "url"),
    [
        (None, None, "sqlite:////root/.evalkit/cache.db"),
        (None, "off", None),
        (None, "/elsewhere/c.db", "sqlite:////elsewhere/c.db"),
        (None, "postgresql://h/db", "postgresql://h/db"),
        ("off", "/elsewhere/c.db", None),
        ("here.db", "/elsewhere/c.db", "sqlite:///here.db"),
        ("postgresql://h/db", None, "postgresql://h/db"),
    ],
)
def test_cache_url(monkeypatch: pytest.MonkeyPatch, place: str, environment: str, url: str) -> None:
    """The option wins over the variable, the variable over the workspace's own; `off` means none."""
    if environment is not None:
        monkeypatch.setenv("EVALKIT_CACHE", environment)
    assert cache_url(place, Path("/root")) == url


@given(st.sampled_from(["api_base", "revision", "seed"]), st.text(max_size=5))
def test_key_depends_on_the_identity_of_the_model(field: str, value: str) -> None:
    """The same question to another host or revision is another entry; the same one is the same."""
    request = make_request()
    assert cache_key(request, {**IDENTITY, field: value}) != cache_key(request, IDENTITY)
    assert cache_key(request, {field: value, **IDENTITY}) == cache_key(request, {**IDENTITY, field: value})


def test_key_ignores_who_asks_and_keeps_the_repeat() -> None:
    """Two samples with one question share the answer; a second repeat is asked anew."""
    assert cache_key(make_request(sample_id="a"), IDENTITY) == cache_key(
        make_request(sample_id="b"), IDENTITY
    )
    assert cache_key(make_request(repeat=1), IDENTITY) != cache_key(make_request(repeat=0), IDENTITY)


def test_entry_tells_what_was_asked(tmp_path: Path, cache: Cache) -> None:
    """An entry holds model, time and question, so that a cache can be looked through and pruned."""
    put(cache, ("问题", Response(text="答案")))
    with sqlite3.connect(tmp_path / "cache.db") as connection:
        model, created, status, request = connection.execute(
            "select model, created, status, request from responses"
        ).fetchone()
    connection.close()
    assert (model, status) == ("mock/fn", "ok")
    assert created.endswith("+00:00")
    assert "问题".encode() in request


def test_a_cache_that_cannot_be_opened_leaves_no_connection(tmp_path: Path) -> None:
    """No database, one of a later evalkit, one that may only be read: its file is closed at once."""
    file = tmp_path / "cache.db"

    def held() -> list[str]:
        links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
        return [os.readlink(link) for link in links if link.is_symlink() and str(file) in os.readlink(link)]

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("this system does not list the open files of a process")
    file.write_bytes(b"no database" * 100)
    with pytest.raises(CacheError) as kept:
        Cache(f"sqlite:///{file}")
    assert held() == []
    file.unlink()
    Cache(f"sqlite:///{file}").close()
    readable = Cache(f"sqlite:///file:{file}?mode=ro&uri=true")
    with pytest.raises(CacheError) as also_kept:
        readable.look_up(["new"])
    readable.close()
    assert held() == []
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("update evalkit_cache set number = 99")
    with pytest.raises(CacheError) as kept_too:
        Cache(f"sqlite:///{file}")
    assert held() == []
    del kept, also_kept, kept_too  # until here their tracebacks held what the caches left
