"""The store: what was written is read again, whatever the order, the text, or the moment of death."""

from __future__ import annotations

import datetime
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from factories import make_cell, make_result, make_run
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core.errors import StoreError
from evalkit.core.records import (
    SCHEMA_VERSION,
    ImagePart,
    Loglikelihood,
    Message,
    Response,
    ResponseError,
    SampleResult,
    TextPart,
    Usage,
)
from evalkit.store.folders import (
    RunWriter,
    decode_run,
    encode_run,
    find_run,
    list_runs,
    load_run,
    write_private,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

RESPONSES = st.builds(
    Response,
    status=st.sampled_from(["ok", "refused", "truncated", "error"]),
    text=st.none() | TEXTS,
    reasoning=st.none() | TEXTS,
    loglikelihoods=st.lists(
        st.builds(Loglikelihood, NUMBERS, st.none() | st.integers(0, 10**6), st.none() | st.booleans()),
        max_size=3,
    ).map(tuple),
    finish_reason=st.none() | TEXTS,
    usage=st.builds(Usage, *[st.none() | st.integers(0, 10**9)] * 4),
    cost_usd=st.none() | NUMBERS,
    latency_s=st.none() | NUMBERS,
    retries=st.integers(0, 99),
    model_reported=st.none() | TEXTS,
    from_cache=st.booleans(),
    error=st.none() | st.builds(ResponseError, TEXTS, TEXTS),
    notes=st.lists(TEXTS, max_size=2).map(tuple),
)

CONTENTS = TEXTS | st.lists(st.builds(TextPart, TEXTS) | st.builds(ImagePart, TEXTS), max_size=3).map(tuple)

RESULTS = st.builds(
    SampleResult,
    sample_id=TEXTS,
    repeat=st.integers(0, 9),
    request_digest=TEXTS,
    messages=st.lists(
        st.builds(Message, st.sampled_from(["system", "user", "assistant"]), CONTENTS), max_size=3
    ).map(tuple),
    target=st.lists(TEXTS, max_size=3).map(tuple),
    choices=st.lists(TEXTS, max_size=3).map(tuple),
    response=RESPONSES,
    answer=st.none() | TEXTS,
    rule=st.none() | TEXTS,
    span=st.none() | st.tuples(st.integers(0, 99), st.integers(0, 99)),
    scores=st.dictionaries(TEXTS, st.none() | NUMBERS, max_size=3),
    stats=st.dictionaries(TEXTS, st.lists(NUMBERS, max_size=4).map(tuple), max_size=3),
    unscored_reason=st.none() | TEXTS,
    cluster=st.none() | TEXTS,
    metadata=st.dictionaries(TEXTS, st.none() | TEXTS | st.integers(-9, 9) | st.lists(TEXTS), max_size=2),
)


def write_cell(folder: Path, results: list[SampleResult], order: list[int] | None = None) -> Path:
    """A run folder with one cell, its results written in this order."""
    writer = RunWriter(folder)
    writer.write(make_run(folder.name, cells=(make_cell("cell"),)))
    cell = writer.cell("cell")
    for position in order or range(len(results)):
        cell.append(position, results[position])
    cell.close()
    return folder


def test_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """run.json gives back an equal Run, records in records and None included."""
    run = make_run(errors={"mock/fn": "gone"}, versions={"numpy": "2"}, limit=5)
    writer = RunWriter(tmp_path / run.id)
    writer.write(run)
    assert load_run(tmp_path / run.id).run == run


def test_run_is_found_by_its_file_too(tmp_path: Path) -> None:
    """The path of run.json is as good as that of its folder."""
    folder = write_cell(tmp_path / "r", [make_result()])
    assert load_run(folder / "run.json").folder == folder


@settings(max_examples=60, deadline=None)
@given(results=st.lists(RESULTS, max_size=4))
def test_results_are_read_as_they_were_written(tmp_path_factory: Any, results: list[SampleResult]) -> None:
    """Every field of every result survives the file."""
    folder = write_cell(tmp_path_factory.mktemp("store") / "run", results)
    assert list(load_run(folder).samples("cell")) == results


@pytest.mark.parametrize("seed", range(4))
def test_lines_stand_in_the_order_of_the_data(tmp_path: Path, seed: int) -> None:
    """Answers arrive in any order; the finished file has the order of the data, so two runs compare."""
    results = [make_result(f"s{n}", text="x" * (n % 7)) for n in range(200)]
    order = random.Random(seed).sample(range(200), 200)
    folder = write_cell(tmp_path / "run", results, order)
    assert [result.sample_id for result in load_run(folder).samples("cell")] == [f"s{n}" for n in range(200)]
    ordered = write_cell(tmp_path / "ordered", results)
    assert (folder / "samples/cell.jsonl").read_bytes() == (ordered / "samples/cell.jsonl").read_bytes()


def test_nothing_is_left_beside_the_files(tmp_path: Path) -> None:
    """Sorting and atomic replacement leave no temporary files."""
    folder = write_cell(tmp_path / "run", [make_result(f"s{n}") for n in range(3)], [2, 0, 1])
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == ["run.json", "samples/cell.jsonl"]


def test_torn_last_line_is_dropped_and_said(tmp_path: Path) -> None:
    """A line cut in the middle by a dying process costs that line, and the reader is told."""
    folder = write_cell(tmp_path / "run", [make_result(f"s{n}") for n in range(3)])
    file = folder / "samples/cell.jsonl"
    file.write_bytes(file.read_bytes()[:-20])
    stored = load_run(folder)
    assert [result.sample_id for result in stored.samples("cell")] == ["s0", "s1"]
    assert stored.notes == ["cell.jsonl: the last line was torn and is left out"]


def test_whole_last_line_without_line_feed_is_kept(tmp_path: Path) -> None:
    """A result that lacks nothing but its line feed is a result."""
    folder = write_cell(tmp_path / "run", [make_result(f"s{n}") for n in range(3)])
    file = folder / "samples/cell.jsonl"
    file.write_bytes(file.read_bytes()[:-1])
    stored = load_run(folder)
    assert len(list(stored.samples("cell"))) == 3
    assert stored.notes == []


@pytest.mark.parametrize("broken", [b'{"sample_id": "s1", "rep\n', b"{}\n", b"\n", b"\xff\n", b"[1]\n"])
def test_broken_line_in_the_middle_is_an_error_with_file_and_line(tmp_path: Path, broken: bytes) -> None:
    """A damaged file is never read as if it were shorter; the message is one line long."""
    folder = write_cell(tmp_path / "run", [make_result(f"s{n}") for n in range(3)])
    file = folder / "samples/cell.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + broken + lines[2])
    with pytest.raises(StoreError) as caught:
        list(load_run(folder).samples("cell"))
    assert f"{file}, line 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_samples_file_names_run_and_cell(tmp_path: Path) -> None:
    """A run without the samples of a cell says which run and which cell."""
    folder = write_cell(tmp_path / "run", [make_result()])
    with pytest.raises(StoreError, match=r"other\.jsonl is missing: the run run has no samples of other"):
        list(load_run(folder).samples("other"))


WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from factories import make_result, make_run
from evalkit.store.folders import RunWriter

writer = RunWriter(Path(sys.argv[1]))
cell = writer.cell("cell")
for number in itertools.count():
    cell.append(number, make_result(f"s{number}", text="x" * 3000))
    if number % 50 == 0:
        writer.write(make_run(Path(sys.argv[1]).name, status="running", duration_s=float(number)))
    if number == 400:
        print("ready", flush=True)
"""


def test_killed_process_leaves_a_readable_run(tmp_path: Path) -> None:
    """After `kill -9` in the middle of writing, run.json is whole and so is every line but the last."""
    folder = tmp_path / "run"
    tests = str(Path(__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOREVER, str(folder), tests], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    stored = load_run(folder)
    assert stored.run.status == "running"
    results = list(stored.samples("cell"))
    assert len(results) > 300
    assert [result.sample_id for result in results] == [f"s{n}" for n in range(len(results))]
    assert all(result.answer == "x" * 3000 for result in results)


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A run of a newer evalkit is not half understood; the cure is named."""
    folder = write_cell(tmp_path / "run", [])
    content = json.loads((folder / "run.json").read_text())
    content["schema"] = SCHEMA_VERSION + 1
    (folder / "run.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match=f"has schema {SCHEMA_VERSION + 1}, .* upgrade evalkit"):
        load_run(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[]", "is not a run"),
        (b"{}", "is not a run"),
        (b'{"schema": "1"}', "is not a run"),
        (b'{"schema": 1}', "id: Field required"),
    ],
)
def test_file_that_is_no_run_is_named(content: bytes, message: str) -> None:
    """Any other file in the place of run.json is an error that names the file and the trouble."""
    with pytest.raises(StoreError, match=message) as caught:
        decode_run(content, "here/run.json")
    assert str(caught.value).startswith("here/run.json")


def test_wrong_field_of_a_run_is_named() -> None:
    """A value of the wrong type is named by its place."""
    content = json.loads(encode_run(make_run()))
    content["cells"][0]["counts"]["scored"] = "many"
    with pytest.raises(StoreError, match=r"cells\.0\.counts\.scored"):
        decode_run(json.dumps(content).encode(), "run.json")


def test_missing_folder_is_an_error_with_its_path(tmp_path: Path) -> None:
    """A path without a run says so."""
    with pytest.raises(StoreError, match=r"no run at .*nowhere.*run\.json cannot be read"):
        load_run(tmp_path / "nowhere")


def test_run_folders_are_private_to_the_user(tmp_path: Path) -> None:
    """Prompts and answers may be confidential: folders are 0700, files 0600, also once they were sorted."""
    folder = write_cell(tmp_path / "run", [make_result(f"s{n}") for n in range(3)], [2, 0, 1])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]}
    assert modes == {"run": 0o700, "samples": 0o700, "run.json": 0o600, "cell.jsonl": 0o600}


def test_existing_run_folder_is_never_written_into(tmp_path: Path) -> None:
    """A second run of the same name is refused, and the first stays as it is."""
    folder = write_cell(tmp_path / "run", [make_result()])
    before = (folder / "run.json").read_bytes()
    with pytest.raises(StoreError, match=r"exists already; choose another"):
        RunWriter(folder)
    assert (folder / "run.json").read_bytes() == before


@pytest.mark.parametrize("place", ["file/below", "/proc/none/here"])
def test_place_that_cannot_be_written_is_an_error(tmp_path: Path, place: str) -> None:
    """A path below a file, or where nobody may write, is named in one message."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot create .*(below|here)"):
        RunWriter(tmp_path / place)


def test_samples_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """A file where the samples' folder should be is named."""
    writer = RunWriter(tmp_path / "run")
    (tmp_path / "run/samples").write_text("")
    with pytest.raises(StoreError, match=r"cannot write .*samples"):
        writer.cell("cell")


def test_full_disk_is_an_error_with_the_file(tmp_path: Path) -> None:
    """What the operating system refuses to write is a StoreError, not a traceback."""
    writer = RunWriter(tmp_path / "run")
    (tmp_path / "run/samples").mkdir()
    (tmp_path / "run/samples/cell.jsonl").symlink_to("/dev/full")
    cell = writer.cell("cell")
    cell.append(0, make_result())
    with pytest.raises(StoreError, match=r"cannot write .*cell\.jsonl: No space left"):
        cell.flush()
    with pytest.raises(StoreError):
        cell.close()


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "\u202egnp.exe",
        "a\u2028b\u2029c",
        "line\nline\r\nline",
        "\x1b[31mred",
        "😀" * 9,
        "x" * 2**20,
        "",
    ],
    ids=["nul", "rtl", "separators", "lines", "escape", "astral", "megabyte", "empty"],
)
def test_hostile_texts_survive(tmp_path: Path, text: str) -> None:
    """Whatever a model wrote stands on one line and is read again, character for character."""
    result = make_result(text, text, metadata={text[:9]: text})
    folder = write_cell(tmp_path / "run", [result, make_result()])
    assert next(load_run(folder).samples("cell")) == result
    assert (folder / "samples/cell.jsonl").read_bytes().count(b"\n") == 2


def test_metadata_that_json_has_no_form_for_is_kept_as_text(tmp_path: Path) -> None:
    """A time stamp of a parquet file, or a decimal of a hook, does not end the run."""
    from decimal import Decimal

    import pandas

    metadata = {
        "when": pandas.Timestamp("2026-01-02"),
        "price": Decimal("1.5"),
        "day": datetime.date(2026, 1, 2),
    }
    folder = write_cell(tmp_path / "run", [make_result(metadata=metadata)])
    read = next(load_run(folder).samples("cell")).metadata
    assert read == {"when": "2026-01-02 00:00:00", "price": "1.5", "day": "2026-01-02"}


def test_run_is_replaced_atomically(tmp_path: Path) -> None:
    """A reader that holds the old run.json open still sees the whole old one."""
    writer = RunWriter(tmp_path / "run")
    writer.write(make_run(status="running"))
    with (tmp_path / "run/run.json").open("rb") as old:
        writer.write(make_run(status="complete"))
        assert decode_run(old.read(), "run.json").status == "running"
    assert load_run(tmp_path / "run").run.status == "complete"


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    """A folder with three runs; the newest by time is not the last by name."""
    for name, created in [
        ("20260101-000000", "2026-01-01T00:00:00Z"),
        ("20260101-000000-gate", "2026-03-01T00:00:00Z"),
        ("20260201-000000", "2026-02-01T00:00:00Z"),
    ]:
        RunWriter(tmp_path / "reports" / name).write(make_run(name, created=created))
    (tmp_path / "reports/notes").mkdir()
    (tmp_path / "reports/notes/readme.txt").write_text("no run")
    return tmp_path / "reports"


def test_list_runs_leaves_out_what_is_no_run(reports: Path) -> None:
    """Only folders with a run.json are runs; the order is that of the names."""
    names = [folder.name for folder in list_runs(reports)]
    assert names == ["20260101-000000", "20260101-000000-gate", "20260201-000000"]
    assert list_runs(reports / "nowhere") == []


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("20260201-000000", "20260201-000000"),
        ("202602", "20260201-000000"),
        ("20260101-000000-g", "20260101-000000-gate"),
        ("20260101-000000", "20260101-000000"),  # an id in full, although it is a prefix of another
        ("latest", "20260101-000000-gate"),  # by time, not by name
    ],
)
def test_find_run_by_id_prefix_and_latest(reports: Path, reference: str, found: str) -> None:
    """A run is named by its id, by the beginning of it, or as the latest."""
    assert find_run(reference, reports).run.id == found


def test_find_run_by_folder_and_file(reports: Path) -> None:
    """A path to the folder or to its run.json names a run anywhere."""
    for reference in (reports / "20260201-000000", reports / "20260201-000000/run.json"):
        assert find_run(str(reference), "elsewhere").run.id == "20260201-000000"


def test_find_run_refuses_an_ambiguous_prefix(reports: Path) -> None:
    """A prefix of several runs is not guessed at; all of them are listed."""
    with pytest.raises(StoreError, match=r"fits several runs: .*20260101-000000, 20260101-000000-gate"):
        find_run("20260101", reports)


@pytest.mark.parametrize("reference", ["2027", "x" * 5000, "nul\0", "../..", "[a-z]*"])
def test_find_run_lists_what_there_is(reports: Path, reference: str) -> None:
    """A reference that fits nothing, however odd, is answered with the runs there are."""
    with pytest.raises(StoreError, match=r"there are: 20260101-000000, "):
        find_run(reference, reports)


def test_find_run_knows_near_misses(reports: Path) -> None:
    """A slip in `latest` or in an id is answered with what was meant."""
    with pytest.raises(StoreError, match=r"Did you mean 'latest'\?"):
        find_run("lastest", reports)
    with pytest.raises(StoreError, match=r"Did you mean '20260201-000000'\?"):
        find_run("20260201-00000O", reports)


def test_find_run_without_any_run_says_how_to_make_one(tmp_path: Path) -> None:
    """`latest` in an empty folder names the command that makes a run."""
    with pytest.raises(StoreError, match=r"make one with: evalkit run"):
        find_run("latest", tmp_path)


def test_a_run_of_a_newer_schema_is_left_out_of_the_latest(reports: Path) -> None:
    """`latest` is the last run that can be read, with a note on the one that cannot."""
    folder = reports / "20990101-000000-newer"
    folder.mkdir()
    (folder / "run.json").write_text('{"schema": 99}')
    found = find_run("latest", reports)
    assert found.run.id == "20260101-000000-gate"
    assert [note for note in found.notes if "20990101-000000-newer" in note and "upgrade" in note]
    with pytest.raises(StoreError, match="upgrade"):
        find_run("20990101", reports)


def test_latest_where_no_run_can_be_read_says_why(tmp_path: Path) -> None:
    """The cause is named, not "there are none"."""
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "run.json").write_text('{"schema": 99}')
    with pytest.raises(StoreError, match="schema 99"):
        find_run("latest", tmp_path)


def test_a_run_is_read_alike_however_its_json_is_written() -> None:
    """A run.json in one line, or with its fields sorted, is the same run; NaN is no JSON."""
    run = make_run()
    plain = encode_run(run)
    assert decode_run(plain, "x") == run
    assert decode_run(json.dumps(json.loads(plain), sort_keys=True).encode(), "x") == run
    for broken in (plain.replace(b'"duration_s": ', b'"duration_s": NaN, "was": '), b'{"id": NaN}'):
        with pytest.raises(StoreError, match="is not JSON"):
            decode_run(broken, "x")


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As /dev/stdout and /dev/null are: a file in their place would be a trap for everybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[bytes] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_bytes()))
    reader.start()
    write_private(pipe, b"content")
    reader.join(10)
    assert heard == [b"content"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert [item.name for item in tmp_path.iterdir()] == ["pipe"]
