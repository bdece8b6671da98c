"""Templates of task files: rendered in a sandbox, and counted."""

from __future__ import annotations

from evalkit.jinja.environment import check_defined, sandbox_environment
from evalkit.jinja.sizes import MOST_CHARACTERS

__all__ = ["MOST_CHARACTERS", "check_defined", "sandbox_environment"]
