"""The pages of a run that goes on, in a real browser: loaded again and again, and nothing is lost."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from pathlib import Path

import orjson
import pytest
from page_runs import TASKS, build_run
from playwright.sync_api import expect, sync_playwright

from evalkit.pages.view import make_server
from evalkit.pages.view.folder import RunFolder
from evalkit.store.folders import RUN_FILE, encode_run

pytestmark = pytest.mark.browser

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def test_what_one_looks_at_stays_while_the_page_is_loaded_again(tmp_path: Path) -> None:
    """The sample that is open, what was typed and where, and what was unfolded."""
    run = build_run(tmp_path, tasks=TASKS[:1], n=12)
    running = dataclasses.replace(run.run, status="running")
    (run.folder / RUN_FILE).write_bytes(encode_run(running))
    assert orjson.loads((run.folder / RUN_FILE).read_bytes())["status"] == "running"
    server = make_server(RunFolder(tmp_path, "en"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page(locale="en-US")
            again = "() => { const was = window.seen; window.seen = true; return !was; }"
            page.goto(server.address)
            expect(page.locator(".chip.live")).to_have_text("running")
            page.locator("tbody a").first.click()
            page.locator("main details").last.evaluate("details => { details.open = true; }")
            page.evaluate("window.seen = true")
            page.wait_for_function(again, timeout=30_000)
            expect(page.locator("main details").last).to_have_attribute("open", "")
            page.locator("td.score a").first.click()
            page.locator("#find").fill("baker")
            page.wait_for_function(again, timeout=30_000)
            expect(page.locator("#find")).to_be_focused()
            page.keyboard.type("y")
            expect(page.locator("#find")).to_have_value("bakery")
            browser.close()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
