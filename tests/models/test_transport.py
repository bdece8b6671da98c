"""The transport under LiteLLM: every request arrives whole, every failure is a reply that we know again."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any

import pytest
from server import closed_port

from evalkit.models.transport import Tap, current_tap, http_client
from evalkit.models.wire import Exchange, Recorded, Wire, current_exchange

PACKAGES = [name for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> ModuleType:
    """httpx, and httpx2 where OpenAI's SDK brings it."""
    return importlib.import_module(request.param)


Heard = list[tuple[str, str, dict[str, str], bytes]]


async def listen(heard: Heard, answer: bytes) -> asyncio.Server:
    """A server that notes (method, path, headers, body) and says always the same."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in rest if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        heard.append((*first.split(" ")[:2], headers, body))  # type: ignore[arg-type]
        writer.write(answer)
        await writer.drain()
        writer.close()

    return await asyncio.start_server(one, "127.0.0.1", 0)


def through(
    package: ModuleType,
    call: Callable[[Any, str], Awaitable[Any]],
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    tap: Tap | None = None,
) -> tuple[Any, Heard, Exchange]:
    """(what `call` returns of a client and the server's address, what the server heard, the exchange)."""
    heard: Heard = []
    exchange = Exchange(True)

    async def work() -> Any:
        server = await listen(heard, answer)
        wire = Wire("test")
        current_exchange.set(exchange)
        current_tap.set(tap)
        try:
            return await call(
                http_client(wire, package), f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            )
        finally:
            await wire.aclose()
            server.close()

    return asyncio.run(work()), heard, exchange


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"])
def test_every_method_passes(package: ModuleType, method: str) -> None:
    """Method, path with query, headers and body arrive as they were given."""

    async def call(client: Any, url: str) -> Any:
        body = None if method in ("GET", "HEAD") else b"\x00body"
        return await client.request(method, f"{url}/a/b?x=1&y=%20", headers={"X-Own": "1"}, content=body)

    length = 0 if method == "HEAD" else 2
    answer = f"HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{'ok' * (length // 2)}".encode()
    response, heard, exchange = through(package, call, answer)
    assert response.status_code == 200
    ((said, path, headers, body),) = heard
    assert (said, path, headers["x-own"]) == (method, "/a/b?x=1&y=%20", "1")
    assert body == (b"" if method in ("GET", "HEAD") else b"\x00body")
    assert exchange.answered


def test_files_arrive_byte_for_byte(package: ModuleType) -> None:
    """A multipart upload, as files and sound are sent."""
    sound = bytes(range(256)) * 300

    async def call(client: Any, url: str) -> Any:
        return await client.post(url, data={"model": "w"}, files={"file": ("a.wav", sound, "audio/wav")})

    _, heard, _ = through(package, call)
    ((_, _, headers, body),) = heard
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert sound in body
    assert b'name="model"' in body


def test_a_streamed_body_is_sent_whole(package: ModuleType) -> None:
    """A body whose length nobody knows beforehand."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(50):
            yield f"{number},".encode()

    async def call(client: Any, url: str) -> Any:
        return await client.post(url, content=pieces())

    _, heard, _ = through(package, call)
    assert heard[0][3] == "".join(f"{number}," for number in range(50)).encode()


def test_an_event_stream_is_read_line_by_line(package: ModuleType) -> None:
    """A reply that comes in events can be iterated over, as LiteLLM does."""
    events = b"".join(b"data: %d\n\n" % number for number in range(20))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"

    async def call(client: Any, url: str) -> list[str]:
        async with client.stream("POST", url, json={"stream": True}) as response:
            return [line async for line in response.aiter_lines() if line]

    lines, _, exchange = through(package, call, head + events)
    assert lines == [f"data: {number}" for number in range(20)]
    assert exchange.reply_body == events


def test_a_compressed_reply_is_read(package: ModuleType) -> None:
    """What the wire has decompressed is not decompressed again."""
    import gzip

    packed = gzip.compress(b'{"a": 1}')
    head = (f"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {len(packed)}\r\n\r\n").encode()

    async def call(client: Any, url: str) -> Any:
        return (await client.get(url)).json()

    document, _, _ = through(package, call, head + packed)
    assert document == {"a": 1}


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf", b"nonsense\r\n\r\n"]
)
def test_a_broken_connection_is_a_reply_and_a_fault(package: ModuleType, answer: bytes) -> None:
    """Nothing is raised into the client; one request went out; the exchange knows why."""

    async def call(client: Any, url: str) -> Any:
        return await client.post(url, json={})

    response, heard, exchange = through(package, call, answer)
    assert response.status_code == 503
    assert len(heard) == 1
    assert exchange.fault is not None
    assert exchange.fault.kind == "connection"
    assert not exchange.answered


def test_a_closed_port_is_a_reply_and_a_fault(package: ModuleType) -> None:
    """Not an exception that makes LiteLLM send again, past the transport."""

    async def call(client: Any, url: str) -> Any:
        return await client.post(f"http://127.0.0.1:{closed_port()}/v1", json={})

    response, heard, exchange = through(package, call)
    assert (response.status_code, heard) == (503, [])
    assert exchange.fault is not None
    assert "connection refused" in str(exchange.fault)


def test_the_requests_own_timeout_holds(package: ModuleType) -> None:
    """httpx does not enforce it over a transport that is not its own: we do."""

    async def call(_: Any, __: str) -> Any:
        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        wire = Wire("test")
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            return await http_client(wire, package).post(url, json={}, timeout=0.2)
        finally:
            await wire.aclose()
            server.close()

    response, _, exchange = through(package, call)
    assert response.status_code == 503
    assert exchange.fault is not None
    assert exchange.fault.kind == "timeout"
    assert "0.2 s" in str(exchange.fault)


def test_a_redirect_is_not_followed(package: ModuleType) -> None:
    """The key would go to another host."""

    async def call(client: Any, url: str) -> Any:
        return await client.post(url, json={}, headers={"Authorization": "Bearer k"})

    moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/other\r\ncontent-length: 0\r\n\r\n"
    response, heard, exchange = through(package, call, moved)
    assert (response.status_code, len(heard)) == (503, 1)
    assert exchange.fault is not None
    assert exchange.fault.kind == "redirect"


def test_a_kept_reply_is_given_without_the_network(package: ModuleType) -> None:
    """The tap's reply comes back, and what was to be sent is noted."""
    kept = Recorded(200, {"content-type": "application/json", "content-encoding": "br"}, b'{"b": 2}')
    tap = Tap(replay=kept)

    async def call(client: Any, url: str) -> Any:
        return (await client.post(f"{url}/x", json={"a": 1})).json()

    document, heard, _ = through(package, call, tap=tap)
    assert (document, heard, tap.n_requests) == ({"b": 2}, [], 1)
    assert tap.request is not None
    assert json.loads(tap.request[2]) == {"a": 1}
    assert "host" not in {name.lower() for name in tap.request[1]}


def test_closing_the_client_leaves_the_wire_open(package: ModuleType) -> None:
    """LiteLLM may close a client at any time: the next call still works."""

    async def call(client: Any, url: str) -> Any:
        wire_client = client
        await wire_client.__aenter__()
        await wire_client.aclose()
        return None

    async def both(client: Any, url: str) -> Any:
        await call(client, url)
        wire = Wire("test")
        try:
            first = http_client(wire, package)
            await first.get(url)
            await first.aclose()
            return (await http_client(wire, package).get(url)).status_code
        finally:
            await wire.aclose()

    status, _, _ = through(package, both)
    assert status == 200


def test_a_fault_of_ours_is_noted_as_ours(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM would tell it as the server's error 500."""

    async def broken(*_: Any, **__: Any) -> Any:
        raise TypeError("our own")

    monkeypatch.setattr(Wire, "send", broken)

    async def call(client: Any, url: str) -> Any:
        return await client.post(url, json={})

    response, _, exchange = through(package, call)
    assert response.status_code == 503
    assert isinstance(exchange.broken, TypeError)
    assert exchange.fault is None
