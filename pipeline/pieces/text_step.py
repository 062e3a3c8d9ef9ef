"""The step that writes words: the user's where they gave some, else the writer's, and each field is checked."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.calls.record import Call, Paid
from pipeline.pieces.record import Made, PartCheck, Pictures, Words
from pipeline.pieces.totals import models_in
from pipeline.pieces.word_checks import check_field
from pipeline.pieces.words import WORDINGS, Facts, facts_of
from pipeline.pieces.work import Making, Products, Rounds, Work, taken
from pipeline.pieces.workflow import FieldName, TextField, TextStep
from pipeline.pieces.writer import Tried, write, writer_of

USER, TEMPLATE, MODEL = "user", "template", "model"


def make_words(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker."""
    yield from ()
    step = work.workflow.steps[name]
    assert isinstance(step, TextStep)
    facts = facts_of(work.brief, taken(products, Pictures).each[0])
    fields = tightened(step.fields, rounds)
    theirs = {field: wanted for field, wanted in fields.items() if field not in work.given}
    by_model: dict[str, str] = {}
    tried: list[Tried] = []
    calls: list[Call] = []
    if step.writer == "model":
        stage = writer_of(work.preset, work.store.results, work.pool)
        by_model, tried, calls = write(stage, facts, theirs, step.tries, work.seed)
    texts: dict[str, str] = {}
    writers: dict[str, str] = {}
    checks: list[PartCheck] = []
    for field, wanted in fields.items():
        if field in work.given:
            writers[field], texts[field] = USER, work.given[field]
        elif field in by_model:
            writers[field], texts[field] = MODEL, by_model[field]
        else:
            writers[field], texts[field] = TEMPLATE, from_template(field, wanted, facts)
        found = check_field(name, field, texts[field], wanted, facts)
        checks += of_user(found) if writers[field] == USER else found
    words = Words(fields=texts, writer=writers, tried=tuple(tried))
    paid = Paid(tokens=sum(call.tokens for call in calls), seconds=sum(call.seconds for call in calls),
                joules=sum(call.joules for call in calls), money=sum(call.money for call in calls))  # fmt: skip
    return Made(
        step=name, kind=step.kind, product=words, checks=tuple(checks), models=models_in(calls), paid=paid
    )


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
    """Checks of what the user wrote: what it claims and names is theirs to say, and only they can mend it. But an
    alternative text that does not name what is shown goes to a person, since who needs it cannot see the picture."""
    return [check.model_copy(update={"mends": (), **_theirs(check)}) for check in checks]


def _theirs(check: PartCheck) -> dict[str, str]:
    what = check.name.rpartition(" ")[2]
    if check.field == "alt" and what == "names":
        return {"outcome": "unsure", "reason": f"{check.reason}; is it right?"}
    if what in ("claims", "names", "language", "reading"):
        return {"outcome": "pass", "reason": f"the user's words ({check.reason})"}
    return {}
