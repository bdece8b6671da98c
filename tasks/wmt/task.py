"""WMT's test sets through sacrebleu, which fetches, checks and caches them; or local files."""

import json

from evalkit.tasks.data import read_rows


def load_samples(path):
    """source and references of each segment.

    The path is one of `sets/*.json`, which name a test set of sacrebleu; a file of sources `src.de`, beside
    which the references `ref.A.en`, `ref.B.en`, ... stand, or the folder that holds these; or any data file
    with the columns source and references.
    """
    if path.suffix == ".json" and "sacrebleu" in (wanted := json.loads(path.read_text(encoding="utf-8"))):
        from sacrebleu.utils import get_reference_files, get_source_file

        name, pair = wanted["sacrebleu"], wanted["pair"]
        yield from _parallel(get_source_file(name, pair), get_reference_files(name, pair))
    elif path.is_dir() or path.name.startswith("src."):
        folder = path if path.is_dir() else path.parent
        sources = [path] if path.is_file() else sorted(folder.glob("src.*"))
        if len(sources) != 1:
            raise ValueError(f"{folder} must hold one file src.*, not {len(sources)}")
        yield from _parallel(sources[0], sorted(folder.glob("ref.*")))
    else:
        yield from read_rows(path)


def _parallel(source, references):
    columns = []
    for file in (source, *references):
        with open(file, encoding="utf-8", newline="\n") as lines:
            columns.append(lines.read().removesuffix("\n").split("\n"))
    for number, (text, *translations) in enumerate(zip(*columns, strict=True), start=1):
        yield {"id": str(number), "source": text, "references": translations}
