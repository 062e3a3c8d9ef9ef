"""Which judges of a preset answer which kind of requirement, and how their answers are combined.

What the judges of each stage can tell:

| stage    | kinds                                                                                                 |
| -------- | ----------------------------------------------------------------------------------------------------- |
| scorer   | object, count, attribute, relation, absence, background, style                                        |
| detector | object, count, attribute, relation, absence; one that tells all (`kind: grid`) also style, nothing    |
|          | else, intact                                                                                          |
| vlm      | all kinds but technical, other and intact                                                             |
| ocr      | text, and the absence of text                                                                         |

Technical requirements are checked by pixels, `other` ones by a person. A kind without a route goes to a person.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from models.load import stage_of
from models.specs import DetectorSpec, Spec, Stage
from pipeline.brief import Kind, Record

# What a judge checks: the kinds of requirement, and what every picture must be.
Judged = Literal[Kind, "intact", "nothing else"]
How = Literal["mean", "agree", "all", "first"]

_SEEN: frozenset[Judged] = frozenset(
    ("object", "count", "attribute", "relation", "absence", "background", "style")
)
_CAN: dict[Stage, frozenset[Judged]] = {
    "scorer": _SEEN,
    "detector": _SEEN - {"background", "style"},
    "vlm": _SEEN | {"action", "setting", "text", "statement", "nothing else"},
    "ocr": frozenset(("text", "absence")),
}
_TELLS_ALL: frozenset[Judged] = frozenset(("style", "nothing else", "intact"))

_CLIP = 0.002  # probabilities are held so far from 0 and 1 where odds are computed
_SURE = 0.8  # a judge is sure from this probability on, and up to 1 minus it


class Route(Record):
    """Which judges answer one kind, by name, and how their answers are combined. Without a judge a person decides.

    | how     | the combined probability                                                                     |
    | ------- | -------------------------------------------------------------------------------------------- |
    | `mean`  | that of the mean of the log odds                                                             |
    | `agree` | of the least sure judge, where all lie on the same side of one half; else one half: unsure   |
    | `all`   | the lowest: every judge must find the requirement met                                        |
    | `first` | of the first judge that is sure (up to 0.2, from 0.8); where none is, the mean               |

    With `escalate` a judge is asked only about the checks that those before it leave open (unsure, or unchecked), and
    the answers of those who were asked are combined. None: as `judge.escalate` says.

    In a preset `[detector, vlm]` is short for `{ask: [detector, vlm]}`, and `vlm` for `[vlm]`."""

    ask: tuple[str, ...] = ()
    how: How = "mean"
    escalate: bool | None = Field(default=None, exclude_if=lambda escalate: escalate is None)

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, data: Any) -> Any:
        return {"ask": [data] if isinstance(data, str) else data} if isinstance(data, list | str) else data

    @field_validator("ask")
    @classmethod
    def _each_once(cls, ask: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(ask)) < len(ask):
            raise ValueError("names a judge twice; it has one answer")
        return ask


def combined(how: How, probabilities: Sequence[float | None]) -> float | None:
    """The probability from those of several judges, as the table of `Route` says; None stands for a judge that was not
    asked or cannot tell."""
    known = [p for p in probabilities if p is not None]
    if len(known) < 2:
        return known[0] if known else None
    if how == "all":
        return min(known)
    if how == "agree":
        if min(known) >= 0.5:
            return min(known)
        return max(known) if max(known) <= 0.5 else 0.5
    if how == "first" and (sure := [p for p in known if is_sure(p)]):
        return sure[0]
    odds = [math.log(p / (1 - p)) for p in map(clipped, known)]
    return 1 / (1 + math.exp(-sum(odds) / len(odds)))


def is_sure(p: float) -> bool:
    """Whether a judge that gives this probability is asked alone, where the route asks the first that is sure."""
    return not 1 - _SURE < p < _SURE


def clipped(p: float) -> float:
    """The probability, held a little away from 0 and 1."""
    return min(max(p, _CLIP), 1 - _CLIP)


def can_judge(spec: Spec) -> frozenset[Judged]:
    """What a judge with this spec can tell."""
    more = _TELLS_ALL if isinstance(spec, DetectorSpec) and spec.tells_all else frozenset()
    return _CAN[stage_of(spec)] | more


def routes(
    judges: Mapping[str, Spec], chosen: Mapping[Judged, Route], escalate: bool = False
) -> dict[Judged, Route]:
    """The route of each kind that a judge answers: those that the preset has chosen, for other kinds the defaults.
    `escalate`: whether the routes that do not say it themselves ask their judges one after another."""
    found = {**defaults(judges), **chosen}
    return {
        kind: route.model_copy(update={"escalate": escalate})
        if escalate and route.escalate is None
        else route
        for kind, route in found.items()
        if route.ask
    }


def levels(all_routes: Mapping[Judged, Route]) -> Iterator[dict[Judged, Route]]:
    """The routes as far as each level of judges goes: at the first one those that escalate ask their first judge only,
    at the last one all do. One level where none escalates."""
    deepest = max((len(route.ask) for route in all_routes.values() if route.escalate), default=1)
    for level in range(1, deepest + 1):
        yield {
            kind: route.model_copy(update={"ask": route.ask[:level], "escalate": None})
            if route.escalate
            else route
            for kind, route in all_routes.items()
        }


def defaults(judges: Mapping[str, Spec]) -> dict[Judged, Route]:
    """The routes that follow from which judges there are; of several judges of one stage the first is asked.

    | kind                       | with a detector                                         | without one   |
    | -------------------------- | ------------------------------------------------------- | ------------- |
    | object, attribute          | mean of boxes, and vlm or scorer on their crops         | vlm or scorer |
    | count                      | boxes; where there is a vlm, both must agree            | vlm or scorer |
    | relation                   | boxes; where they are unsure, the vlm                   | vlm or scorer |
    | absence                    | all of detector, vlm and ocr; detector and scorer: mean | as with one   |
    | background                 | vlm; where it is unsure or missing, the scorer          | as with one   |
    | style                      | as background; scorer and a detector that tells all: mean | as with one |
    | action, setting, statement | vlm                                                     | vlm           |
    | text                       | ocr or vlm                                              | ocr or vlm    |
    | nothing else               | a detector that tells all, or the vlm                   | vlm           |
    | intact                     | a detector that tells all                               | –             |

    Where there is a vlm, the scorer confirms no boxes: what an uncalibrated CLIP says of what is true may be anything
    from 0.001 to 0.4, so its mean with a box would be that the thing is not there.
    """
    first: dict[Stage, str] = {}
    for name, spec in judges.items():
        first.setdefault(stage_of(spec), name)
    detector, scorer, vlm, ocr = (first.get(stage) for stage in ("detector", "scorer", "vlm", "ocr"))
    eye = vlm or scorer
    tells_all = detector if detector and "intact" in can_judge(judges[detector]) else None

    def route(how: How, *names: str | None) -> Route:
        return Route(ask=tuple(name for name in names if name), how=how)

    second = vlm if detector else eye  # whoever counts and places things beside the boxes
    return {
        "object": route("mean", detector, eye),
        "count": route("agree", detector, second),
        "attribute": route("mean", detector, eye),
        "relation": route("first", detector, second),
        "absence": route("all" if vlm or ocr else "mean", detector, eye, ocr),
        "style": route("first", vlm, scorer) if vlm else route("mean", tells_all, scorer),
        "background": route("first", vlm, scorer) if vlm else route("mean", scorer),
        "action": route("mean", vlm),
        "setting": route("mean", vlm),
        "statement": route("mean", vlm),
        "text": route("mean", ocr or vlm),
        "nothing else": route("mean", tells_all or vlm),
        "intact": route("mean", tells_all),
    }


def fault(judges: Mapping[str, Spec], chosen: Mapping[Judged, Route]) -> tuple[tuple[str, ...], str] | None:
    """The first thing that is wrong with the routes of a preset: its keys, and what is wrong."""
    for kind, route in chosen.items():
        for name in route.ask:
            place = ("judge", "routes", kind)
            if name not in judges:
                return place, f"there is no judge {name!r}; the preset has {', '.join(judges)}"
            if kind not in (able := can_judge(judges[name])):
                return place, f"{name} cannot tell it; it can tell {', '.join(sorted(able))}"
    asked = {name for route in routes(judges, chosen).values() for name in route.ask}
    for name in judges:
        if name not in asked:
            return ("judges", name), "no route asks this judge; name it in judge.routes, or take it out"
    return None
