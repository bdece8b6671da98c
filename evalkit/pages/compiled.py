"""Page templates as Python's byte code, kept beside the user's other caches: to compile them takes 0.3 s.

What a `__pycache__` is to modules: our own templates alone, checked against their source, in a folder that
nobody else can write to.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from evalkit.core.project import cache_folder

__all__ = ["compiled_templates"]


class _Compiled(jinja2.FileSystemBytecodeCache):
    """A folder of byte code; one that cannot be written any more is no error."""

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Nothing; keeps what was compiled, where there is room."""
        with contextlib.suppress(OSError):
            super().dump_bytecode(bucket)


def compiled_templates(folder: Path | None = None) -> jinja2.BytecodeCache | None:
    """The byte code of templates in `folder` (the user's cache); None where it is not the user's alone."""
    folder = folder or Path(cache_folder()) / "pages"
    if sys.platform == "win32":
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except OSError:
        return None
    ours = found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return _Compiled(str(folder)) if ours and os.access(folder, os.W_OK) else None
