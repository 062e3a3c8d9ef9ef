"""Words of a piece that the user wrote themselves."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from pipeline.errors import BriefError
from pipeline.pieces.word_checks import fault_of_form
from pipeline.pieces.workflow import TextField, TextStep, Workflow

_TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)


def given_words(workflow: Workflow, said: Sequence[str]) -> dict[str, str]:
    """`FIELD=TEXT` by field. Raises BriefError for a field that the workflow has not, for what is no plain text, and
    for a text of a form that the field cannot have, so that nothing is painted in vain."""
    known: dict[str, TextField] = {
        field: wanted
        for step in workflow.steps.values()
        if isinstance(step, TextStep)
        for field, wanted in step.fields.items()
    }
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
        if _TAG.search(text):
            raise BriefError(
                f"--words {field}: it holds HTML; give it as plain text, for example Sale & more"
            )
        if fault := fault_of_form(field, text, known[field]):
            raise BriefError(f"--words {field}: {fault[1]}")
        found[field] = text
    return found
