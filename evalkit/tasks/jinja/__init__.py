"""Templates of task files: rendered in a sandbox, and counted."""

from __future__ import annotations

from evalkit.tasks.jinja.environment import check_defined, sandbox_environment
from evalkit.tasks.jinja.sizes import MOST_CHARACTERS

__all__ = ["MOST_CHARACTERS", "check_defined", "sandbox_environment"]
