"""A server that answers with the bytes that it is told to, for replies that no library would write."""

from __future__ import annotations

import contextlib
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["OddServer", "chat", "odd"]

Answer = Callable[[Any], "bytes | tuple[int, bytes]"]
"""The request's body -> the reply's, with its status where that is not 200."""


class OddServer(http.server.ThreadingHTTPServer):
    """A running server; `odd` makes one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.calls: list[Any] = []
        """The bodies of all calls, in order of arrival."""

    @property
    def url(self) -> str:
        """What goes into `api_base`."""
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: OddServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
        self.server.calls.append(body)
        answer = self.server.answer(body)
        status, content = answer if isinstance(answer, tuple) else (200, answer)
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def chat(content: Any, usage: Any = None, **choice: Any) -> bytes:
    """A chat completion in OpenAI's form."""
    message = {"role": "assistant", "content": content}
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m-served",
        "service_tier": "default",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", **choice}],
        "usage": usage,
    }
    return json.dumps(document).encode()


@contextlib.contextmanager
def odd(answer: Answer) -> Iterator[OddServer]:
    """A server that answers so until the block ends."""
    server = OddServer(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
