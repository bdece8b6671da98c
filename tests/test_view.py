"""`evalkit view`: the same pages as elsewhere, live, and for nobody but who knows the address."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from factories import write_task

import evalkit
from evalkit.comparing.arena import Battle, rate
from evalkit.core.errors import UsageError
from evalkit.pages import report
from evalkit.pages.view import ViewServer, make_server
from evalkit.pages.view.folder import RunFolder
from evalkit.store.folders import load_run


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    home = tmp_path_factory.mktemp("view")
    write_task(home / "tasks/sums")
    before = os.getcwd()
    os.chdir(home)
    try:
        evalkit.run(models=["baseline/oracle"], tasks=["sums"], name="one")
    finally:
        os.chdir(before)
    return home / "reports"


@pytest.fixture
def server(reports: Path) -> Iterator[ViewServer]:
    """A server of the folder, listening."""
    server = make_server(RunFolder(reports))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    server: ViewServer, path: str, method: str = "GET", **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Status, headers and body of a request as it stands, without a client's corrections."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": f"127.0.0.1:{server.server_port}"} | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    content = reply.status, reply.headers, reply.read()
    connection.close()
    return content


def run_name(reports: Path) -> str:
    """The name of the finished run."""
    return next(reports.iterdir()).name


def test_report_is_the_page_that_is_written_elsewhere(server: ViewServer, reports: Path) -> None:
    """Byte for byte what `evalkit report` writes: there is no second implementation."""
    status, headers, body = ask(server, f"/{server.secret}/{run_name(reports)}/report.html")
    assert status == 200
    assert body.decode() == report.render(load_run(reports / run_name(reports)))
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Refresh"] is None


def test_list_leads_to_runs_and_leaderboard(server: ViewServer, reports: Path) -> None:
    """The first page links every run and the board; it looks again by itself."""
    status, headers, body = ask(server, f"/{server.secret}/")
    assert status == 200
    assert f'href="{run_name(reports)}/report.html"'.encode() in body
    assert b'href="leaderboard.html"' in body
    assert headers["Refresh"] == "5"
    assert ask(server, f"/{server.secret}/leaderboard.html")[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/x/", "/{secret}/", "/{secret}!/", "//{secret}/", "/leaderboard.html", "/favicon.ico"]
)
def test_without_the_secret_nothing_is_told(server: ViewServer, path: str) -> None:
    """A wrong or missing secret is refused, and the answer holds nothing of the runs."""
    status, _, body = ask(server, path.format(secret=server.secret[:-1]))
    assert status == 403
    assert b"one" not in body.split()


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "", "[::1]:{port}"]
)
def test_another_host_is_refused(server: ViewServer, host: str) -> None:
    """A name that was made to lead to 127.0.0.1 is not this server, even with the secret."""
    host = host.format(port=server.server_port)
    assert ask(server, f"/{server.secret}/", Host=host)[0] == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_another_origin_is_refused(server: ViewServer, origin: str) -> None:
    """A page of another site cannot read runs."""
    assert ask(server, f"/{server.secret}/", Origin=origin)[0] == 403
    own = f"http://127.0.0.1:{server.server_port}"
    assert ask(server, f"/{server.secret}/", Origin=own)[0] == 200


@pytest.mark.parametrize(
    "path",
    ["../evalkit.yaml", "%2e%2e/run.json", "..%2f..%2fetc/passwd", "{run}/run.json", "{run}/samples/",
     "/etc/passwd", "{run}/../{run}/report.html",
     "{run}%00/report.html", "nothing/report.html", "report.html"],
)  # fmt: skip
def test_only_pages_are_served(server: ViewServer, reports: Path, path: str) -> None:
    """No path leads to a file: only the names of runs and of pages are known."""
    status, _, body = ask(server, f"/{server.secret}/{path.format(run=run_name(reports))}")
    assert (status, body) == (404, b"There is no such page.")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(server: ViewServer, method: str) -> None:
    """Other methods than GET and HEAD are not there."""
    assert ask(server, f"/{server.secret}/", method)[0] == 501
    assert ask(server, f"/{server.secret}/", "HEAD")[2] == b""


def test_only_this_machine_is_listened_to(server: ViewServer) -> None:
    """The socket is bound to loopback; two servers have different secrets."""
    assert server.server_address[0] == "127.0.0.1"
    other = make_server(server.folder)
    other.server_close()
    assert other.secret != server.secret
    assert len(server.secret) >= 32
    with pytest.raises(UsageError, match="--port"):
        make_server(server.folder, server.server_port)


SLOW = """
import asyncio, evalkit
from pathlib import Path
from evalkit import MockModel

async def answer(request):
    while not Path("go").exists() and int(request.sample_id[1:]) >= 3:
        await asyncio.sleep(0.05)
    return "0"

evalkit.run(models=[MockModel(answer, name="slow")], tasks=["sums"], name="live", max_connections=2)
"""


@pytest.mark.browser
def test_run_is_seen_while_it_goes_on(tmp_path: Path) -> None:
    """The command prints its address; a browser sees the first answers of a run, and later all of them."""
    from playwright.sync_api import sync_playwright

    write_task(tmp_path / "tasks/sums")
    (tmp_path / "reports").mkdir()
    command = [sys.executable, "-m", "evalkit", "view", "--no-open"]
    view = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run = subprocess.Popen([sys.executable, "-c", SLOW], cwd=tmp_path)
    try:
        assert view.stdout is not None
        address = view.stdout.readline().strip()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page()
            problems: list[str] = []
            page.on("console", lambda message: problems.append(message.text))
            page.goto(address)
            page.get_by_role("link", name="live").wait_for(timeout=60_000)
            page.get_by_text("running").wait_for(timeout=60_000)
            page.get_by_role("link", name="live").click()
            page.get_by_text("slow").first.wait_for(timeout=60_000)
            page.go_back()
            (tmp_path / "go").touch()
            page.get_by_text("complete", exact=True).wait_for(timeout=60_000)
            assert problems == []
            browser.close()
        assert run.wait(60) == 0
        view.send_signal(signal.SIGINT)
        assert view.wait(20) == 0
    finally:
        for process in (view, run):
            if process.poll() is None:
                process.kill()
            process.wait()
        for stream in (view.stdout, view.stderr):
            if stream is not None:
                stream.close()


def test_run_in_progress_is_reloaded(tmp_path: Path) -> None:
    """A report of a run that goes on is asked for again by the browser; its record is kept up meanwhile."""
    write_task(tmp_path / "tasks/sums")
    run = subprocess.Popen([sys.executable, "-c", SLOW], cwd=tmp_path)
    try:
        pages = RunFolder(tmp_path / "reports")
        deadline = time.monotonic() + 60
        shown = None
        while shown is None or "slow" not in shown.html:
            assert time.monotonic() < deadline
            time.sleep(0.2)
            names = [
                folder.name for folder in (tmp_path / "reports").glob("*") if (folder / "run.json").exists()
            ]
            shown = pages.page(names[0], "report.html") if names else None
        assert shown.going_on
        (tmp_path / "go").touch()
        assert run.wait(60) == 0
        final = pages.page(names[0], "report.html")
        assert final is not None
        assert not final.going_on
    finally:
        if run.poll() is None:
            run.kill()
        run.wait()


def test_ratings_of_an_arena_appear_when_they_are_made(reports: Path, tmp_path: Path) -> None:
    """The leaderboard shows the workspace's ratings as soon as there are any."""
    pages = RunFolder(reports, workspace=tmp_path)
    before = pages.page("", "leaderboard.html")
    battles = [Battle(f"p{n}", "baseline/oracle", "other", float(n % 3 > 0), judge="j") for n in range(30)]
    (tmp_path / "arena").mkdir()
    (tmp_path / "arena" / "ratings.json").write_text(json.dumps(rate(battles).as_dict()))
    after = pages.page("", "leaderboard.html")
    assert before is not None
    assert after is not None
    assert 'id="panel-arena"' not in before.html
    assert 'id="panel-arena"' in after.html
