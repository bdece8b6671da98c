"""Prints the major version of the openai package that a folder's LiteLLM takes: 3 where it can, else 2.

python ci/openai_major.py FOLDER
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions, version

from packaging.requirements import Requirement


def main() -> None:
    """Print 3 when this environment's openai is in the range that the folder's LiteLLM names, else 2."""
    (litellm,) = [found for found in distributions(path=[sys.argv[1]]) if found.metadata["Name"] == "litellm"]
    (wanted,) = [
        one for one in map(Requirement, litellm.requires or []) if one.name == "openai" and one.marker is None
    ]
    print(3 if wanted.specifier.contains(version("openai")) else 2)


if __name__ == "__main__":
    main()
