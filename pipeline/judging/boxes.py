"""What the boxes of a detector say about a requirement, with what other judges say of the crop of each.

Each box is one instance. Detector and other judges are asked about it apart, and combined by the route of the kind:
where they disagree, the result is near one half, and so unsure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from models.english import RELATIONS, number, plural
from models.protocols import UNCLEAR, Box, Detection
from pipeline.brief import Requirement

POSSIBLE = 0.1  # boxes of a lower score are not looked at
_SEEN = 0.5  # an instance of at least this probability is there


@dataclass(frozen=True, slots=True)
class Finding:
    """What the judges found about one requirement: the probability that it is met, what they saw, in words, and the
    names of the models that said so. `box`: where in the picture the fault is, if there is one and it has a place."""

    probability: float
    saw: str = ""
    by: str = ""
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Instance:
    """One box. `there`: the probability that what the detector named is there; `clear`: that it is a whole thing;
    `holds`: by the id of a requirement, that the attribute is its."""

    seen: Detection
    there: float
    clear: float = 1.0
    holds: Mapping[str, float] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.seen.label


@dataclass(frozen=True, slots=True)
class Boxes:
    """Everything that was seen in one image. `calibrated`: the detector's scores are probabilities."""

    instances: tuple[Instance, ...]
    calibrated: bool = True

    def about(self, r: Requirement) -> Finding | None:
        """The finding about a requirement; None for kinds that boxes say nothing of."""
        mine = self.of(r.subject)
        if r.kind == "count":
            count = exactly if self.calibrated else between
            probability = count(int(r.value), [i.there for i in mine])
            return Finding(probability, self.counted(r.subject), box=_one_too_many(int(r.value), mine))
        if r.kind in ("object", "absence"):  # a judge of absences asks, too, whether the object is there
            surest = max(mine, key=lambda i: i.there, default=None)
            box = surest.seen.box if surest and r.kind == "absence" else None
            return Finding(surest.there if surest else 0.0, self.counted(r.subject), box=box)
        if r.kind == "attribute":
            return self._attribute(r, mine)
        if r.kind == "relation":
            return self._relation(r, mine)
        if r.kind == "style":
            return self._style(r.value)
        return None

    def of(self, name: str) -> list[Instance]:
        return [i for i in self.instances if i.label == name]

    def counted(self, name: str) -> str:
        """How many of a thing are seen, in words."""
        count = sum(i.there >= _SEEN for i in self.of(name))
        return f"{number(count)} {name if count == 1 else plural(name)} seen"

    def _attribute(self, r: Requirement, mine: Sequence[Instance]) -> Finding:
        """All instances must have the attribute."""
        shown = [i for i in mine if i.there >= _SEEN] or list(mine)
        if not shown:
            return Finding(0.0, self.counted(r.subject))
        each = [i.holds.get(r.id, 0.5) for i in shown]
        right = sum(p >= _SEEN for p in each)
        saw = f"{right} of {len(each)} {r.value}" if len(each) > 1 else ""
        return Finding(min(each), saw, box=shown[each.index(min(each))].seen.box)

    def _relation(self, r: Requirement, mine: Sequence[Instance]) -> Finding:
        best, saw = 0.0, f"{self.counted(r.subject)}, {self.counted(r.other)}"
        for a in mine:
            for b in self.of(r.other):
                both = min(a.there, b.there)
                where = direction(a.seen.box, b.seen.box)
                if both >= _SEEN:
                    saw = f"it is {RELATIONS[where]} the {r.other}"
                best = max(best, both if where == r.value else 0.0)
        return Finding(best, saw)

    def _style(self, name: str) -> Finding | None:
        """All instances must have the style; None where the detector tells none of that name."""
        told = [p for i in self.instances if (p := i.seen.styles.get(name)) is not None]
        return Finding(min(told)) if told else None

    def nothing_else(self, asked: frozenset[str]) -> Finding:
        """Whether no other thing is there than those asked for."""
        extra = [i for i in self.instances if i.label not in asked and i.label != UNCLEAR]
        named = [f"a thing like {i.label}" if i.there < _SEEN else i.label for i in extra if i.there > 0.2]
        surest = max(extra, key=lambda i: i.there, default=None)
        return Finding(
            math.prod(1 - i.there for i in extra),
            f"also {', '.join(named)}" if named else "nothing else seen",
            box=surest.seen.box if surest else None,
        )

    def whole(self) -> Finding:
        """Whether everything is a whole thing: no smear, no half, no blend of two. Where the detector finds a thing
        unclear, the other judges may still know it."""
        doubts = [1 - i.clear for i in self.instances]
        smeared = sum(doubt >= _SEEN for doubt in doubts)
        saw = (
            f"{number(smeared)} unclear {'thing' if smeared == 1 else 'things'} seen"
            if smeared
            else "all is clear"
        )
        box = self.instances[doubts.index(max(doubts))].seen.box if doubts else None
        return Finding(1 - max(doubts, default=0.0), saw, box=box)


def _one_too_many(count: int, mine: Sequence[Instance]) -> Box | None:
    """The box of the least sure instance, where there are more than `count`."""
    shown = [i for i in mine if i.there >= _SEEN]
    return min(shown, key=lambda i: i.there).seen.box if len(shown) > count else None


def exactly(count: int, each: Sequence[float]) -> float:
    """P(exactly `count` are there), where each is there with its own probability, independently of the others."""
    chances = [1.0]
    for p in each:
        chances = [
            (chances[n] * (1 - p) if n < len(chances) else 0.0) + (chances[n - 1] * p if n else 0.0)
            for n in range(len(chances) + 1)
        ]
    return chances[count] if count < len(chances) else 0.0


def between(count: int, each: Sequence[float]) -> float:
    """How clearly `count` of the scores stand above the others: the lowest of them less the highest of the rest.

    This is P(exactly `count` are there) where all scores depend on one thing, such as how sure a detector ever is. The
    product of `exactly` would find nothing right that has many parts: twelve boxes of 0.6, all true, make 0.002."""
    sure = [1.0, *sorted(each, reverse=True), 0.0]
    return sure[count] - sure[count + 1] if count + 1 < len(sure) else 0.0


def direction(a: Box, b: Box) -> str:
    """Where the box `a` lies, seen from `b`: left, right, above or below, by the larger distance of the centres."""
    across = (a[0] + a[2] - b[0] - b[2]) / 2
    down = (a[1] + a[3] - b[1] - b[3]) / 2
    if abs(across) >= abs(down):
        return "left" if across < 0 else "right"
    return "above" if down < 0 else "below"
