"""Words of a piece that the user wrote themselves."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from pipeline.errors import BriefError
from pipeline.pieces.workflow import TextStep, Workflow

_MOST = 2_000  # characters


def given_words(workflow: Workflow, said: Sequence[str]) -> dict[str, str]:
    """`FIELD=TEXT` by field. Raises BriefError for a field that the workflow has not, and for what is no text."""
    known = [field for step in workflow.steps.values() if isinstance(step, TextStep) for field in step.fields]
    found: dict[str, str] = {}
    for one in said:
        field, equals, text = one.partition("=")
        if not equals:
            raise BriefError(
                f"--words {one[:60]}: write it as FIELD=TEXT, for example headline='Fresh apples'"
            )
        if field not in known:
            close = get_close_matches(field, known, 1)
            advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"
            raise BriefError(f"--words {field[:60]}: {workflow.name} has no such field; {advice}")
        text = " ".join(text.split())
        if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
            raise BriefError(f"--words {field}: it holds binary data; give it as plain text")
        if len(text) > _MOST:
            raise BriefError(f"--words {field}: {len(text):,} characters; shorten it to {_MOST:,}")
        found[field] = text
    return found
