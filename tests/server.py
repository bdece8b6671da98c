"""A small OpenAI-compatible server on a real socket of 127.0.0.1, for tests and benchmarks.

    with serve({"2+2?": "4"}) as server:          # or a function: Call -> str | Reply
        ... server.url ...                          # http://127.0.0.1:PORT/v1
        server.calls, server.peak                   # what was asked, most requests at once

Endpoints: /v1/chat/completions, /v1/completions (echo, logprobs), /v1/embeddings, /v1/models; /v1/messages
(Anthropic), /api/embed, /api/chat and /api/tags (Ollama), .../models/NAME:generateContent (Gemini). It runs
in a thread with a loop of its own; `python tests/server.py` runs it alone, for measurements.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import unquote

import dialects
from dialects import Call, Handler, Logprob, Reply, flat_logprob, words

__all__ = ["Call", "Fault", "Reply", "Server", "closed_port", "serve", "words"]

# fmt: off
Fault = Literal[
    "429", "429-date", "500", "503", "401", "403", "404", "400", "context", "policy", "quota", "reset",
    "hang", "trickle", "truncated", "not-json", "empty-choices", "null-content", "redirect",
]
# fmt: on
"""What can go wrong with one call, on purpose."""


Faults = Callable[[Call], "Fault | None"] | Sequence["Fault | None"]


class Server:
    """A running server; `serve` makes one."""

    def __init__(
        self,
        handler: Handler | Mapping[str, str],
        *,
        latency: float | Callable[[Call], float],
        faults: Faults,
        models: Sequence[str],
        key: str | None,
        echo: bool,
        logprob: Logprob,
        tokenize: Callable[[str], list[str]],
        bos: str | None,
        retry_after: str,
        rpm: float | None,
        keep: bool,
        embed: Callable[[str], list[float]],
    ) -> None:
        table = handler if isinstance(handler, Mapping) else None
        self.handler: Handler = (lambda call: table[call.prompt]) if table is not None else handler  # type: ignore[assignment]
        self.latency = latency
        self.faults = faults
        self.models = list(models)
        self.key = key
        self.echo = echo
        self.logprob = logprob
        self.tokenize = tokenize
        self.bos = bos
        self.retry_after = retry_after
        self.rpm = rpm
        self.keep = keep
        self.embed = embed
        self.calls: list[Call] = []
        """Calls to the endpoints that answer, in order of arrival."""
        self.paths: list[str] = []
        """Every path asked for, /models included."""
        self.n_calls = 0
        self.now = 0
        self.peak = 0
        """Most calls at one time."""
        self.connections = 0
        """Connections opened so far."""
        self.port = 0
        self._allowance = 1.0
        self._allowed_at = 0.0

    @property
    def address(self) -> str:
        """http://127.0.0.1:PORT"""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address with /v1: what goes into `api_base`."""
        return f"{self.address}/v1"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Nothing; serves one connection until it is closed."""
        self.connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection stays open after one request."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return False
        lines = head.decode("latin-1").split("\r\n")
        method, target, _ = lines[0].split(" ", 2)
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:] if x)
        }
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        path = target.partition("?")[0]
        self.paths.append(path)
        sent_key = headers.get("authorization", "").removeprefix("Bearer ") or headers.get("x-api-key", "")
        denied = self.key is not None and sent_key != self.key
        if method == "GET":
            if denied:
                return await _send(
                    writer, 401, dialects.error(f"Incorrect API key provided: {sent_key}", "invalid_api_key")
                )
            return await _send(writer, *self._listing(path))
        call = Call(path, headers, json.loads(raw) if raw else {}, self.n_calls)
        self.n_calls += 1
        if self.keep:
            self.calls.append(call)
        self.now += 1
        self.peak = max(self.peak, self.now)
        try:
            if denied:
                return await _send(
                    writer, 401, dialects.error(f"Incorrect API key provided: {sent_key}", "invalid_api_key")
                )
            wait = self.latency(call) if callable(self.latency) else self.latency
            if wait:
                await asyncio.sleep(wait)
            fault = self._fault(call) or self._over_limit()
            if fault is not None:
                return await self._fail(writer, fault, call)
            return await _send(writer, *self._answer(call))
        finally:
            self.now -= 1

    def _listing(self, path: str) -> tuple[int, Any]:
        """(status, document) of a GET."""
        if path == "/v1/models" and self.models:
            return 200, {"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]}
        if path.startswith("/v1/models/") and self.models:
            name = unquote(path.removeprefix("/v1/models/"))
            if name in self.models:
                return 200, {"id": name, "object": "model"}
            return 404, dialects.error(f"The model '{name}' does not exist", "model_not_found")
        if path == "/api/tags" and self.models:
            return 200, {"models": [{"name": name} for name in self.models]}
        return 404, dialects.error("Not Found", None)

    def _fault(self, call: Call) -> Fault | None:
        """The fault planned for this call; None for most."""
        if callable(self.faults):
            return self.faults(call)
        return self.faults[call.index] if call.index < len(self.faults) else None

    def _over_limit(self) -> Fault | None:
        """429 when the bucket of `rpm` is empty; it holds a second's worth, at least one."""
        if self.rpm is None:
            return None
        now = asyncio.get_running_loop().time()
        rate = self.rpm / 60
        full = max(1.0, rate)
        self._allowance = min(full, self._allowance + (now - self._allowed_at) * rate)
        self._allowed_at = now
        if self._allowance < 1:
            self.retry_after = f"{max(0.05, (1 - self._allowance) / rate):.3f}"
            return "429"
        self._allowance -= 1
        return None

    async def _fail(self, writer: asyncio.StreamWriter, fault: Fault, call: Call) -> bool:
        """Whether the connection stays open after a fault."""
        planned: dict[str, tuple[int, Any]] = {
            "401": (
                401,
                dialects.error("Incorrect API key provided: sk-wrong-0123456789.", "invalid_api_key"),
            ),
            "403": (403, dialects.error("You may not use this model", "forbidden")),
            "404": (
                404,
                dialects.error(f"The model `{call.body.get('model')}` does not exist", "model_not_found"),
            ),
            "400": (400, dialects.error("temperature must be below 2", "invalid_value")),
            "500": (500, dialects.error("internal error", "server_error")),
            "503": (503, dialects.error("overloaded", "overloaded")),
            "quota": (429, dialects.error("You exceeded your current quota", "insufficient_quota")),
            "policy": (
                400,
                dialects.error("rejected as a result of our safety system", "content_policy_violation"),
            ),
            "context": (
                400,
                dialects.error(
                    "This model's maximum context length is 8192 tokens.", "context_length_exceeded"
                ),
            ),
            "empty-choices": (200, {"id": "x", "object": "chat.completion", "model": "m", "choices": []}),
            "null-content": (200, dialects.chat(call, Reply(None))),
        }
        if fault == "429":
            return await _send(
                writer,
                429,
                dialects.error("slow down", "rate_limit_exceeded"),
                {"retry-after": self.retry_after},
            )
        if fault == "429-date":
            date = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
            return await _send(writer, 429, dialects.error("slow down", "rate_limit_exceeded"), date)
        if fault in planned:
            return await _send(writer, *planned[fault])
        if fault == "redirect":
            return await _send(writer, 307, {}, {"location": "http://127.0.0.1:9/elsewhere"})
        if fault == "not-json":
            return await _send(
                writer, 200, b"<html><body>Bad gateway</body></html>", {"content-type": "text/html"}
            )
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "trickle":
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n"
            )
            for _ in range(1000):
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        if fault == "truncated":
            writer.write(
                b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5000\r\n\r\n{"id":'
            )
            await writer.drain()
            return False
        writer.transport.abort()  # reset
        return False

    def _answer(self, call: Call) -> tuple[int, Any]:
        """(status, document) of a call that works."""
        if call.path in ("/v1/embeddings", "/api/embed"):
            return dialects.embeddings(call, self.embed)
        if call.path == "/v1/completions":
            return 200, dialects.completion(
                call,
                self.handler,
                echo=self.echo,
                logprob=self.logprob,
                tokenize=self.tokenize,
                bos=self.bos,
            )
        reply = self.handler(call)
        reply = Reply(reply) if isinstance(reply, str) else reply
        if call.path.endswith("/v1/messages"):
            return 200, dialects.anthropic(call, reply)
        if call.path == "/api/chat":
            return 200, dialects.ollama(call, reply)
        if call.path.endswith(":generateContent"):
            return 200, dialects.gemini(reply)
        if call.path.endswith("/chat/completions"):
            return 200, dialects.chat(call, reply)
        return 404, dialects.error(f"no route {call.path}", None)


_REASONS = {
    200: "OK",
    307: "Temporary Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    429: "Too Many Requests",
}


async def _send(
    writer: asyncio.StreamWriter, status: int, document: Any, headers: Mapping[str, str] | None = None
) -> bool:
    """True, after the document has been sent: the connection stays open."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    fields = {"content-type": "application/json", **(headers or {}), "content-length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}\r\n{head}\r\n".encode() + body)
    await writer.drain()
    return True


@contextlib.contextmanager
def serve(
    handler: Handler | Mapping[str, str] = lambda call: "ok",
    *,
    latency: float | Callable[[Call], float] = 0.0,
    faults: Faults = (),
    models: Sequence[str] = ("gpt-4", "llama3"),
    key: str | None = None,
    echo: bool = True,
    logprob: Logprob = flat_logprob,
    tokenize: Callable[[str], list[str]] = words,
    bos: str | None = None,
    retry_after: str = "0.05",
    rpm: float | None = None,
    keep: bool = True,
    port: int = 0,
    embed: Callable[[str], list[float]] = dialects.embed_words,
) -> Iterator[Server]:
    """A server that answers until the block ends.

    `handler` is a table prompt -> answer or a function; `faults` a list by call index or a function; `key`
    the only API key that is let in; `embed` makes the vector of a text;
    `echo=False` ignores echo, like llama.cpp; `bos` goes before each prompt.
    """
    server = Server(
        handler,
        latency=latency,
        faults=faults,
        models=models,
        key=key,
        echo=echo,
        logprob=logprob,
        tokenize=tokenize,
        bos=bos,
        retry_after=retry_after,
        rpm=rpm,
        keep=keep,
        embed=embed,
    )
    started = threading.Event()
    stop: list[Callable[[], None]] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        stop.append(lambda: loop.call_soon_threadsafe(done.set))
        tasks: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = loop.create_task(server.connected(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        listener = await asyncio.start_server(connected, "127.0.0.1", port, limit=2**24, backlog=2048)
        server.port = listener.sockets[0].getsockname()[1]
        started.set()
        await done.wait()
        listener.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="test-server", daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the test server did not start")
    try:
        yield server
    finally:
        stop[0]()
        thread.join(10)


def closed_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main() -> None:
    """Nothing; serves until interrupted, for benchmarks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--rpm", type=float, default=math.inf)
    given = parser.parse_args()
    rpm = None if math.isinf(given.rpm) else given.rpm
    with serve(
        lambda call: "The answer is 42.", latency=given.latency, rpm=rpm, keep=False, port=given.port
    ) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
