"""Pictures of a leaderboard of real recorded outputs: docs/recorded.png, and its arena in docs/arena.png.

    python docs/make_recorded_board.py DATA [FOLDER]

DATA is a folder of benchmark data with published system outputs (see tests/realdata): WMT22 German-English
systems, GSM8K answers of Abel, SQuAD predictions, AlpacaEval answers, and AlpacaEval's annotations of
alpaca-7b and claude-2 against text_davinci_003. They are not redistributed here: only the pictures are
kept. Its numbers are those that tests/realdata compares with the published ones. Needs Chromium.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import evalkit
from evalkit.comparing.arena import rate, read_battles
from evalkit.pages import leaderboard

HERE = Path(__file__).resolve().parent
TASKS = HERE.parent / "tests/realdata/tasks"


def main() -> None:
    data = Path(sys.argv[1]).resolve()
    pictures = Path(sys.argv[2] if len(sys.argv) > 2 else HERE).resolve()
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
    chat = [file.stem for file in sorted((data / "alpaca_eval/outputs").glob("*.json"))]
    chat.remove("text_davinci_003")  # the reference
    for name in chat:
        aliases[name] = {
            "model": f"replay/{data}/alpaca_eval/outputs/{name}.json",
            "options": {"input": "instruction"},
        }
    Path("evalkit.yaml").write_text(json.dumps({"models": aliases}))
    groups = [
        ("wmt22_de_en_recorded", "wmt22_de-en/src.de", systems),
        ("gsm8k_recorded", "gsm8k/test.jsonl", [name for name in aliases if name.startswith("abel")]),
        ("squad_v1_recorded", "squad_v1.1/dev.json", [name for name in aliases if name.startswith("squad")]),
        ("alpaca_recorded", "alpaca_eval/outputs/text_davinci_003.json", chat),
    ]
    runs = [
        evalkit.run(models=names, tasks=[task], data={task: data / file}, include_path=[TASKS], trust=True)
        for task, file, names in groups
    ]
    files = sorted((data / "alpaca_eval/judge_v1").glob("*.json"))
    ratings = rate([battle for file in files for battle in read_battles(file)])
    Path("ratings.json").write_text(json.dumps(ratings.as_dict()))
    page = leaderboard.write(runs, "board", samples=False, arena=leaderboard.read_arena(Path("ratings.json")))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": 1280, "height": 860})
        tab.goto(page.resolve().as_uri())
        tab.wait_for_timeout(500)
        tab.screenshot(path=pictures / "recorded.png")
        tab.locator("#panel-arena").screenshot(path=pictures / "arena.png")
        browser.close()


if __name__ == "__main__":
    main()
