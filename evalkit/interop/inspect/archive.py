"""The two forms of an Inspect log as one: .json, and .eval, a zip whose members may be compressed by zstd."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalkit.core.errors import DataError
from evalkit.interop.files import LARGEST, check_list, check_object, parse, read_object

_ZSTD = 93
"""https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, 4.4.5; Python reads it from 3.14 on."""


def read_log(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    """The log without its samples, and the samples one by one, each with its place. Raises DataError."""
    if zipfile.is_zipfile(path):
        return _read_archive(path)
    content = read_object(path)
    samples = check_list(content.get("samples") or [], f"{path}: samples")
    places = ((f"{path}: samples[{n}]", sample) for n, sample in enumerate(samples))
    return content, ((where, check_object(sample, where)) for where, sample in places)


def _read_archive(path: Path) -> tuple[Mapping[str, Any], Iterator[tuple[str, Mapping[str, Any]]]]:
    with _opened(path) as archive:
        members = {info.filename: info for info in archive.infolist()}  # of one name the last counts
        if "header.json" in members:
            header = _member(path, archive, members["header.json"])
        elif "_journal/start.json" in members:  # the eval was killed, or is still going on
            header = {**_member(path, archive, members["_journal/start.json"]), "status": "started"}
        else:
            raise DataError(f"{path} is no Inspect log: it has neither header.json nor _journal/start.json")
    samples = [
        info for name, info in members.items() if name.startswith("samples/") and name.endswith(".json")
    ]
    return header, _samples(path, samples)


def _samples(path: Path, members: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The samples in turn: the archive's directory, as long as they are many, is read once for all."""
    with _opened(path) as archive:
        for info in members:
            yield f"{path}: {info.filename}", _member(path, archive, info)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is no archive that can be read: {error}") from error


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Mapping[str, Any]:
    where = f"{path}: {info.filename}"
    return check_object(parse(_content(path, archive, info, where), where), where)


def _content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> bytes:
    """The member's bytes, checked against its checksum."""
    if max(info.file_size, info.compress_size) > LARGEST:
        raise DataError(f"{where} has {info.file_size / 1024**3:.1f} GiB; at most 2 are read at once")
    try:
        if info.compress_type != _ZSTD:
            return archive.read(info)
        content = _inflate(_raw(path, info), info.file_size)
    except (OSError, ValueError, struct.error, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise DataError(f"{where} cannot be read: {error}") from error
    if zlib.crc32(content) != info.CRC:
        raise DataError(f"{where} is damaged: its checksum is another")
    return content


def _raw(path: Path, info: zipfile.ZipInfo) -> bytes:
    """The member as it lies in the file, behind its own header (APPNOTE 4.3.7)."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        name_length, extra_length = struct.unpack("<26xHH", file.read(30))
        file.seek(name_length + extra_length, 1)
        return file.read(info.compress_size)


def _inflate(content: bytes, size: int) -> bytes:
    """zstd by pyarrow, which evalkit has anyway: frames of several writes are read to their end."""
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(content), "zstd") as stream:
        found: bytes = stream.read(size)
    return found
