"""A brief → one brief for every thing that it names: a thing alone on a plain ground, in each style that the painter
has where the brief names none."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.brief import Brief, Reading, Requirement
from pipeline.painting.prompt import describe
from pipeline.pieces.words import OWN_GROUND
from pipeline.pieces.workflow import ImageStep
from pipeline.range import Range

_OF_THING = ("object", "count", "attribute", "action")
_OF_ALL = ("style", "absence")
OWN_STYLE = "style"  # the id of a style that the brief does not name
_WHITE = "white"  # where the painter may be asked for any ground
# Few things have parts in these colours, so that a thing on such a ground can be cut out whole.
_GROUNDS = ("blue", "purple", "green", "pink", "yellow")


def things_of(reading: Reading) -> list[str]:
    """The things that a brief names, in its order."""
    return list(dict.fromkeys(r.subject for r in reading.requirements if r.kind in ("object", "count")))


def left_out(reading: Reading, step: ImageStep) -> list[str]:
    """What the brief asks for and no picture of a thing alone can show, in words: the things for which there is no
    room, and wants that are about the whole, such as its background."""
    kept = {*_OF_THING, *_OF_ALL}
    return [
        *(f"{thing} (`most` is {step.most})" for thing in things_of(reading)[step.most :]),
        *(r.text for r in reading.requirements if r.kind not in kept or r.flag == "contradiction"),
    ]


def briefs_of_things(reading: Reading, step: ImageStep, drawable: Range | None, seed: int) -> list[Brief]:
    """At most `step.most` briefs: all things in the first style, then all in the next one; none where the brief names
    no thing."""
    wants = [r for r in reading.requirements if r.flag != "contradiction"]
    things = things_of(reading)
    said = [r for r in wants if r.kind == "style"]
    ruled_out = [r for r in wants if r.kind == "absence"]
    known = list((drawable.styles if drawable else None) or ()) if not said else []
    looks = [[_style(name)] for name in known] or [said]
    listed = [
        _brief(thing, [*_about(thing, wants), *look, *ruled_out], step, drawable, seed)
        for look in looks
        for thing in things
    ]
    return listed[: step.most]


def _about(thing: str, wants: Sequence[Requirement]) -> list[Requirement]:
    return [r for r in wants if r.kind in _OF_THING and r.subject == thing]


def _style(name: str) -> Requirement:
    return Requirement(id=OWN_STYLE, kind="style", value=name, text=f"{name} style")


def _brief(
    thing: str, wants: Sequence[Requirement], step: ImageStep, drawable: Range | None, seed: int
) -> Brief:
    shown = {thing, *(r.value for r in wants if r.kind == "attribute")}
    grounds = drawable.grounds if drawable else {}
    ground = next(
        (
            name
            for name in (*_GROUNDS, *grounds)
            if name in grounds and not shown & {name, *grounds.get(name, ())}
        ),
        _WHITE,
    )
    background = Requirement(
        id=OWN_GROUND, kind="background", value=ground, text=f"the background is {ground}"
    )
    plain = (*(r.model_copy(update={"flag": None, "note": ""}) for r in wants), background)
    return Brief(text=describe(plain), seed=seed, width=step.width, height=step.height, requirements=plain)
