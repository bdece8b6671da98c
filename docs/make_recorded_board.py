"""The picture of a leaderboard of real recorded outputs: docs/recorded.png.

    python docs/make_recorded_board.py DATA [PICTURE]

DATA is a folder of benchmark data with published system outputs (see tests/realdata): WMT22 German-English
systems, GSM8K answers of Abel, SQuAD predictions. They are not redistributed here: only the picture is kept.
Its numbers are those that tests/realdata compares with the published ones. Needs Chromium.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import evalkit
from evalkit import leaderboard

HERE = Path(__file__).resolve().parent
TASKS = HERE.parent / "tests/realdata/tasks"


def main() -> None:
    data = Path(sys.argv[1]).resolve()
    picture = Path(sys.argv[2] if len(sys.argv) > 2 else HERE / "recorded.png").resolve()
    os.chdir(tempfile.mkdtemp())
    systems = sorted(file.name.split(".")[1] for file in (data / "wmt22_de-en").glob("hyp.*.en"))
    aliases = {}
    for system in systems:
        lines = (
            (data / f"wmt22_de-en/hyp.{system}.en").read_text(encoding="utf-8").removesuffix("\n").split("\n")
        )
        rows = [json.dumps({"id": number, "output": line}) for number, line in enumerate(lines, 1)]
        Path(f"{system}.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
        aliases[system] = {"model": f"replay/{Path(f'{system}.jsonl').resolve()}"}
    for size in ("7b", "70b"):
        aliases[f"abel-{size}"] = {"model": f"replay/{data}/gsm8k/outputs_abel-{size}-001.jsonl"}
    for name in ("bert_ensemble", "logistic_regression"):
        aliases[f"squad {name.replace('_', ' ')}"] = {
            "model": f"replay/{data}/squad_v1.1/predictions_{name}.json",
            "options": {"missing": "wrong"},
        }
    Path("evalkit.yaml").write_text(json.dumps({"models": aliases}))
    groups = [
        ("wmt22_de_en_recorded", "wmt22_de-en/src.de", systems),
        ("gsm8k_recorded", "gsm8k/test.jsonl", [name for name in aliases if name.startswith("abel")]),
        ("squad_v1_recorded", "squad_v1.1/dev.json", [name for name in aliases if name.startswith("squad")]),
    ]
    runs = [
        evalkit.run(models=names, tasks=[task], data={task: data / file}, include_path=[TASKS], trust=True)
        for task, file, names in groups
    ]
    page = leaderboard.write(runs, "board", samples=False)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 860})
        tab.goto(page.resolve().as_uri())
        tab.wait_for_timeout(500)
        tab.screenshot(path=picture)
        browser.close()
    print(picture)


if __name__ == "__main__":
    main()
