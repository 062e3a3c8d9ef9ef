"""The step that makes pictures, by the loop: each is a run of its own, with its record in the store."""

from __future__ import annotations

import io
from collections.abc import Sequence
from uuid import uuid4

import numpy as np
from PIL import Image

from models.image.cutout import cut_out, ground
from pipeline.brief import Brief, Reading
from pipeline.calls.load import load
from pipeline.calls.record import Call, Paid
from pipeline.errors import EaselError
from pipeline.events import Attempt, Outcome, Started
from pipeline.files import link
from pipeline.judging.verdict import CheckOutcome
from pipeline.pieces.record import Made, PartCheck, Picture, Pictures
from pipeline.pieces.subjects import OWN_STYLE, briefs_of_things, left_out
from pipeline.pieces.totals import models_in, summed
from pipeline.pieces.work import Failed, Making, Products, Rounds, Work
from pipeline.pieces.workflow import ImageStep
from pipeline.reading.requirements import read
from pipeline.work.play import Undelivered, play
from pipeline.work.row import Row, Unstarted

_OUTCOMES: dict[str, CheckOutcome] = {"accepted": "pass", "needs_review": "unchecked"}
_NEW_SEED = 1_000_003  # what a picture that is made again adds to its seed


def make_pictures(work: Work, name: str, products: Products, rounds: Rounds) -> Making:
    """See StepMaker. Raises EaselError where models cannot be loaded, Failed where nothing was painted."""
    step = work.workflow.steps[name]
    assert isinstance(step, ImageStep)
    seed = (work.seed + _NEW_SEED * len(rounds)) % 2**63
    briefs, left, calls = _briefs(work, step, seed)
    rows = [Row(number, brief, work.preset, run=uuid4().hex) for number, brief in enumerate(briefs, 1)]
    paid = [Paid(tokens=sum(call.tokens for call in calls), seconds=sum(call.seconds for call in calls))]
    readings: dict[int, Reading] = {}
    pictures: list[Picture] = []
    checks = (
        [PartCheck(step=name, name="left out", outcome="unchecked", reason=", ".join(left))] if left else []
    )
    files: list[str] = []
    happening = play(
        rows, work.store, stop=work.stop, pool=work.pool, on_step=work.on_step, on_loaded=work.on_loaded
    )
    for happened in happening:
        yield happened
        if isinstance(happened, Unstarted):
            raise EaselError(happened.why)
        if isinstance(happened, Undelivered):
            continue
        row, event = happened
        if isinstance(event, Started | Attempt):
            calls += event.calls
        if isinstance(event, Started):
            readings[row.line] = event.reading
        elif isinstance(event, Outcome):
            paid.append(event.paid or Paid())
            file = f"{name}.png" if len(rows) == 1 else f"{name}-{row.line}.png"
            picture = _kept(work, step, file, row, event, readings[row.line])
            checks += _checks(name, step, event, picture)
            if picture:
                pictures.append(picture)
                files += [picture.file, f"painted/{file}"]
    pictures, checks = without_spares(pictures, checks)
    if not pictures:
        raise Failed(checks[-1].reason if checks else "stopped before a picture was painted")
    return Made(
        step=name, kind=step.kind, product=Pictures(each=tuple(pictures)), checks=tuple(checks), files=tuple(files),
        models=models_in(calls), paid=summed(paid),
    )  # fmt: skip


def without_spares(pictures: list[Picture], checks: list[PartCheck]) -> tuple[list[Picture], list[PartCheck]]:
    """The pictures without those that failed in a style which the brief does not name, where the same thing was
    accepted in another. Their checks then say so, and pass."""
    good = {_thing(picture) for picture in pictures if picture.status == "accepted"}
    spare = {
        picture.file: picture.reason
        for picture in pictures
        if picture.status != "accepted"
        and _thing(picture) in good
        and any(r.id == OWN_STYLE for r in picture.requirements)
    }
    said = [
        PartCheck(
            step=check.step, name=check.name, outcome="pass",
            reason=f"not used, since another style was accepted ({spare[check.name]})",
        )
        if check.name in spare
        else check
        for check in checks
        if check.name.partition(":")[0] not in spare or check.name in spare
    ]  # fmt: skip
    return [picture for picture in pictures if picture.file not in spare], said


def _thing(picture: Picture) -> str:
    return next((r.subject for r in picture.requirements if r.kind in ("object", "count")), "")


def _briefs(work: Work, step: ImageStep, seed: int) -> tuple[list[Brief], list[str], list[Call]]:
    """What is painted: the brief, or every thing in it; what that leaves out; and the calls that read it. Raises
    ModelError, and Failed where it names no thing."""
    brief = Brief(text=work.brief, seed=seed, width=step.width, height=step.height)
    if step.each == "brief":
        return [brief], [], []
    models = load(work.preset, work.store.results, work.pool)
    text = models.text if work.preset.loop.reader == "model" else None
    made = read([brief], text, models.range, work.preset.loop.prompting, work.stop, models.marker)
    briefs = briefs_of_things(made.each[0], step, models.range, seed)
    if not briefs:
        raise Failed(
            "the brief names no thing; say what is to be shown, for example: a panda, a fox and an owl"
        )
    return briefs, left_out(made.each[0], step), list(made.calls[0])


def _kept(
    work: Work, step: ImageStep, file: str, row: Row, outcome: Outcome, reading: Reading
) -> Picture | None:
    """The best picture of a run, written into the folder of the piece; None where nothing was painted."""
    if outcome.best is None:
        return None
    run = work.store.runs.get(row.id)
    assert run is not None
    prompt, image = outcome.best.plan.prompt, outcome.best.image
    painted = work.folder.path / "painted"
    painted.mkdir(exist_ok=True)
    link(painted / file, work.store.out / run.folder / "attempts" / f"{outcome.best.id}.png")
    cut = cut_out(image) if step.cut_out else None
    shown = cut.crop(cut.getbbox()) if cut else image
    work.folder.write(file, as_png(shown))
    colour = ground(np.asarray(image.convert("RGB")))
    return Picture(
        file=file, run=run.folder, status=outcome.status, reason=outcome.reason, seed=outcome.best.plan.seed,
        prompt=prompt.text, chosen=prompt.chosen, requirements=reading.requirements, width=shown.width,
        height=shown.height, cut=cut is not None,
        ground=None if colour is None else (int(colour[0]), int(colour[1]), int(colour[2])),
    )  # fmt: skip


def _checks(name: str, step: ImageStep, outcome: Outcome, picture: Picture | None) -> Sequence[PartCheck]:
    found = _OUTCOMES.get(outcome.status, "fail")
    label = "picture" if picture is None else picture.file
    checks = [PartCheck(step=name, name=label, outcome=found, reason=outcome.reason)]
    if picture and step.cut_out and not picture.cut and not step.whole:
        checks.append(
            PartCheck(
                step=name, name=f"{label}: cut out", outcome="fail", mends=(name,),
                reason="its ground is not plain, so the thing cannot be cut out",
            )
        )  # fmt: skip
    return checks


def as_png(image: Image.Image, dpi: int | None = None) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **({"dpi": (dpi, dpi)} if dpi else {}))
    return buffer.getvalue()
