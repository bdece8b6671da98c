"""Makes the generated files that the repository keeps: reports/example, leaderboard, and their figures.

    make examples

CI runs it and compares: the same code and data give the same bytes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TASKS = (
    "sentiment_zh",
    "topic_zh",
    "everyday_choice_en",
    "reading_en",
    "summarisation_zh",
    "translation_en_zh",
    "language_modelling_en",
)
EPOCH = "1767225600"  # 2026-01-01, the date that the example shows


def main() -> None:
    """Run the baselines on a choice of tasks and write the pages."""
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    os.chdir(ROOT)
    from evalkit import api
    from evalkit.pages import leaderboard
    from evalkit.running import preparation, session
    from evalkit.running.request import RunRequest
    from evalkit.store.folders import load_run

    with tempfile.TemporaryDirectory() as folder:
        prepared = preparation.prepare(RunRequest(tasks=TASKS, out=Path(folder), name="example"))
        stored = session.carry_out(prepared, command=f"evalkit run --tasks {','.join(TASKS)}")
        api.write_pages(stored, prepared.workspace, with_leaderboard=False)
        target = ROOT / "reports" / "example"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(stored.folder, target)
    leaderboard.write([load_run(target)], ROOT / "leaderboard")
    for file in (*target.rglob("*"), *(ROOT / "leaderboard").rglob("*")):
        file.chmod(0o755 if file.is_dir() else 0o644)  # these files are meant for everybody


if __name__ == "__main__":
    main()
