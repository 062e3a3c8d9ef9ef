"""Answers of `easel` commands, run in a process of their own: the app never imports the model libraries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.errors import BriefError

ROOT = Path(__file__).parents[1]
_PATIENCE = 300  # seconds
_environment = dict(os.environ)


def keep_environment() -> None:
    """Run commands with the environment of this moment: ui/serve.py forbids downloads to its own process alone."""
    _environment.clear()
    _environment.update(os.environ)


def answer(*words: str) -> Any:
    """What `easel WORDS --json` prints. Raises BriefError without an answer, and for an error that the command
    names."""
    command = [sys.executable, "-m", "scripts.easel", *words, "--json"]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=_environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        said = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise BriefError(
            f"`easel {' '.join(words)}` gave no answer; run it in a console to see why"
        ) from None
    if isinstance(said, dict) and "error" in said:
        raise BriefError(said["error"])
    return said
