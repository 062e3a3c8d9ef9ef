"""Editing the requirements of a brief. What the user types into the list is read by the same rules as a brief."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from models.english import singular
from pipeline.brief import BEYOND_THINGS, Brief, Reading, Record, Requirement
from pipeline.config import Preset, data_file
from pipeline.range import load_range
from pipeline.reading.finding import Found
from pipeline.reading.requirements import Reach
from pipeline.reading.requirements import in_words as listed
from pipeline.reading.rules import found_in, numbered
from pipeline.work.row import Row
from ui import presets

BY_RULES = "the rules"


class Draft(Record):
    """The content of the requirements panel. `job`: the open job in which the text model reads the brief; `before`: the
    list that the user had edited when the brief changed."""

    text: str = ""
    preset: str = "mini"
    reading: Reading = Reading(requirements=(), reader=BY_RULES)
    edited: bool = False
    job: str | None = None
    before: tuple[Requirement, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the list is what will be checked: the user has edited it, or the text model has read the brief."""
        return self.edited or self.reading.reader != BY_RULES


class Edit(Record):
    """One edit of the list. `op`: `must` (toggles must-have), `drop`, `edit`, `add`, or `back` (to the list
    before the brief changed); `id`: of the requirement."""

    op: Literal["must", "drop", "edit", "add", "back"]
    id: str = ""
    text: str = ""


@lru_cache(maxsize=16)
def reach(preset: str) -> Reach:
    """What the preset's image model draws, and what its judges check."""
    return reach_of(presets.named(preset))


def reach_of(found: Preset) -> Reach:
    drawable = load_range(data_file(found.range, found.base)) if found.range else None
    return Reach(drawable, found.checked)


def blocked(rows: Sequence[Row]) -> dict[int, str]:
    """Line → why no picture can meet its brief, of the rows of a file of which the rules know that already."""
    reaches: dict[int, Reach] = {}
    found = {}
    for row in rows:
        by = reaches.setdefault(id(row.preset), reach_of(row.preset))
        reading = by.reading(row.brief, found_in(row.brief.wanted, by.drawable), BY_RULES)
        if reading.blocked:
            found[row.line] = reading.blocked
    return found


def quick(text: str, preset: str) -> Draft:
    """A draft by the rules alone, without a model."""
    if not text.strip():
        return Draft(text=text, preset=preset)
    by = reach(preset)
    brief = Brief(text=text)
    reading = by.reading(brief, found_in(brief.wanted, by.drawable), BY_RULES)
    return Draft(text=text, preset=preset, reading=reading)


def anew(draft: Draft, text: str, preset: str) -> Draft:
    """A draft of a changed brief. What the user had edited is not thrown away, so that they can go back to it."""
    before = draft.reading.requirements if draft.edited else draft.before
    return quick(text, preset).model_copy(update={"before": before})


def edited(draft: Draft, *edits: Edit) -> Draft:
    """The draft after edits of the list that it shows: their ids are those of that list."""
    # With the ids that the user saw; what an edit adds has none.
    wants = [(want.id, want) for want in draft.reading.requirements]
    for edit in edits:
        at = next((i for i, (id, _) in enumerate(wants) if id and id == edit.id), len(wants))
        old = wants[at][1] if at < len(wants) else None
        if edit.op == "must" and old is not None:
            wants[at] = (edit.id, old.model_copy(update={"must": not old.must}))
        elif edit.op == "back":
            wants = [(want.id, want) for want in draft.before]
        elif edit.op == "drop":
            del wants[at : at + 1]
        elif edit.op in ("add", "edit"):
            others = [want for _, want in wants if want is not old]
            fresh = in_words(edit.text, draft.preset, old, others)
            wants[at : at + 1] = [(edit.id if i == 0 else "", want) for i, want in enumerate(fresh)]
    made = renumbered([want for _, want in wants])
    by = reach(draft.preset)
    reading = Reading(requirements=by.flagged(made), reader="you")
    return draft.model_copy(update={"reading": reading, "edited": True, "job": None, "before": ()})


def in_words(
    text: str, preset: str, old: Requirement | None, others: Sequence[Requirement] = ()
) -> list[Requirement]:
    """The requirements that are found in `text` (see reading.requirements.in_words). If it replaces `old`, only one of
    the same kind is taken, where there is one. Those in `others` are left out."""
    text = " ".join(text.split())[:200]
    if not text:
        return []
    by = reach(preset)
    found = list(numbered(reworded(old, text) or listed(text, by.drawable, by.checked)))
    if old is not None:
        same = [want for want in found if want.kind == old.kind]
        found = [want.model_copy(update={"must": old.must}) for want in same[:1] or found]
    have = {key(want) for want in others}
    return [want for want in found if key(want) not in have]


_DOES = re.compile(r"(?:the )?(.+?) (?:is|are) (.+)$")


def reworded(old: Requirement | None, text: str) -> list[Found]:
    """The finding of a requirement that no rule reads, after its words were changed; nothing for other kinds."""
    if old is None or old.kind not in BEYOND_THINGS:
        return []
    if old.kind == "action":
        does = _DOES.match(text)
        return [Found("action", singular(does[1]), does[2])] if does else []
    quoted = re.search(r"“(.+)”", text) if old.kind == "text" else None
    return [Found(old.kind, value=quoted[1] if quoted else text)]


def key(want: Requirement) -> tuple[str, str, str, str]:
    return (want.kind, want.subject, want.value, want.other)


def renumbered(wants: Sequence[Requirement]) -> list[Requirement]:
    """The requirements with new ids, r1, r2, …."""
    return [want.model_copy(update={"id": f"r{i}"}) for i, want in enumerate(wants, 1)]
