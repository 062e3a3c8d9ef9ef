"""The step that writes words: the user's where they gave some, else the writer's, and each field is checked."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.pieces.record import Made, PartCheck, Pictures, Words
from pipeline.pieces.word_checks import check_field
from pipeline.pieces.words import WORDINGS, Facts, facts_of
from pipeline.pieces.work import Making, Products, Rounds, Work, taken
from pipeline.pieces.workflow import FieldName, TextField, TextStep

USER, TEMPLATE = "user", "template"


def make_words(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker."""
    yield from ()
    step = work.workflow.steps[name]
    assert isinstance(step, TextStep)
    facts = facts_of(work.brief, taken(products, Pictures).each[0])
    fields = tightened(step.fields, rounds)
    texts: dict[str, str] = {}
    writers: dict[str, str] = {}
    checks: list[PartCheck] = []
    for field, wanted in fields.items():
        given = work.given.get(field)
        writers[field] = TEMPLATE if given is None else USER
        texts[field] = from_template(field, wanted, facts) if given is None else given
        found = check_field(name, field, texts[field], wanted, facts)
        checks += found if given is None else of_user(found)
    return Made(step=name, kind=step.kind, product=Words(fields=texts, writer=writers), checks=tuple(checks))


def tightened(fields: Mapping[FieldName, TextField], rounds: Rounds) -> dict[FieldName, TextField]:
    """The fields with the room that the page turned out to have for them."""
    rooms: dict[str, int] = {}
    for check in (check for failures in rounds for check in failures):
        if check.room is not None and check.field in fields:
            rooms[check.field] = min(check.room, rooms.get(check.field, check.room))
    return {
        field: wanted.model_copy(update={"most": max(1, min(wanted.most, rooms.get(field, wanted.most)))})
        for field, wanted in fields.items()
    }


def from_template(field: str, wanted: TextField, facts: Facts) -> str:
    """The fullest wording that passes; where none does, the shortest."""
    wordings = WORDINGS[field](facts)
    passing = (
        text
        for text in wordings
        if all(check.outcome == "pass" for check in check_field("", field, text, wanted, facts))
    )
    return next(passing, min(wordings, key=len))


def of_user(checks: list[PartCheck]) -> list[PartCheck]:
    """Checks of what the user wrote: what it claims and names is theirs to say, and only they can mend it."""
    theirs = ("claims", "names", "language", "reading")
    return [
        check.model_copy(
            update={"mends": ()}
            | (
                {"outcome": "pass", "reason": f"the user's words ({check.reason})"}
                if check.name.endswith(theirs)
                else {}
            )
        )
        for check in checks
    ]
