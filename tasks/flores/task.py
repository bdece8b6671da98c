"""FLORES as rows with one column a language: from the hub, or from the folder of the authors' archive."""

from evalkit.tasks.data import read_rows


def load_samples(path):
    """The sentences of a local file with the hub's columns, or of a folder with one file a language.

    In the archive these are devtest/eng_Latn.devtest, devtest/deu_Latn.devtest, ...; one stands for all.
    """
    if path.is_file() and path.suffix not in (".devtest", ".dev"):
        yield from read_rows(path)
        return
    folder = path.parent if path.is_file() else path / "devtest" if (path / "devtest").is_dir() else path
    files = sorted(file for file in folder.iterdir() if file.suffix in (".devtest", ".dev"))
    if not files:
        raise ValueError(f"{folder} holds no files such as eng_Latn.devtest")
    columns = {file.stem: file.read_text(encoding="utf-8").splitlines() for file in files}
    for number, texts in enumerate(zip(*columns.values(), strict=True), start=1):
        row = {f"sentence_{name}": text for name, text in zip(columns, texts, strict=True)}
        yield {"id": number, **row}
