"""The state of one brief in the loop: its attempts, its budget, its best candidate, and what it does next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from models.protocols import Edits, OnStep, Step, Stopped
from pipeline.budget import Budget, Painter
from pipeline.calls.load import rung_name
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome, Started, Status, degraded_in
from pipeline.judging.feedback import START, Action, Repair, fallen, repair
from pipeline.judging.verdict import ALWAYS, Verdict, unmeasured
from pipeline.painting.image import Candidate, Plan
from pipeline.painting.prompt import Prompt, own_words
from pipeline.stopping import Stop


@dataclass(eq=False)
class Track:
    """The state of a brief that was started. Its next attempt depends only on this state."""

    started: Started
    budget: Budget
    preset: Preset
    edits: Edits | None = None  # how the painter edits pictures
    attempts: list[Attempt] = field(default_factory=list)
    next: Repair = START
    outcome: Outcome | None = None
    best: tuple[Candidate, Verdict] | None = None
    attempt: Budget = field(init=False)  # of the current attempt
    calls: list[Call] = field(default_factory=list)  # of the current attempt
    room: int = 0  # images that the current attempt may paint
    useless: set[Action] = field(default_factory=set)  # repairs that would give no new picture
    painted: set[tuple[object, ...]] = field(default_factory=set)  # keys of the plans that were painted
    degraded: dict[str, None] = field(default_factory=dict)  # an ordered set: each use of a fallback, and why
    level: Painter = 0  # the largest painter that got the brief
    pictures: Counter[Painter] = field(default_factory=Counter)  # that each painter made

    def __post_init__(self) -> None:
        self.begin()
        if not self._seeds_differ:
            self.useless.add("reseed")
        if own_words(self.started.given, self.started.reading.requirements) is None:
            self.useless.add("own words")
        if self.edits is None or not self.preset.loop.edit:
            self.useless.add("edit")
        if not self.preset.image.escalate:
            self.useless.add("other painter")
        if reason := self.started.reading.degraded:
            self.degraded[reason] = None

    @property
    def _seeds_differ(self) -> bool:
        """Whether another seed may give another picture of the same words: by itself, or because it chooses another
        background or style."""
        said = {r.kind for r in self.started.reading.requirements}
        return self.preset.image.seeds_differ or not {"background", "style"} <= said

    def begin(self) -> Budget:
        """Open a budget for the next attempt."""
        self.attempt = self.budget.open("attempt", self.preset.loop.attempt)
        return self.attempt

    @property
    def steps(self) -> int:
        """Denoising steps that each image of the next attempt takes."""
        return self.preset.painters[self.painter].steps * (2 if self.next.action == "guide" else 1)

    @property
    def painter(self) -> Painter:
        """Who paints the next attempt."""
        return self.level if self.next.action == "other painter" else 0

    @property
    def same_weights(self) -> bool:
        """Whether who paints the next attempt draws what the usual painter draws."""
        painter, usual = self.preset.painters[self.painter], self.preset.image
        return (painter.kind, painter.model) == (usual.kind, usual.model)

    @property
    def prompt(self) -> Prompt:
        """The prompt of the best picture, without what the seed chose; of an edit, the one that it was painted with
        before."""
        assert self.best is not None
        plans = {c.id: c.plan for attempt in self.attempts for c in attempt.candidates}
        plan = self.best[0].plan
        while plan.edit is not None:
            plan = plans[plan.edit.candidate]
        return plan.prompt.written

    def charge(self, calls: Sequence[Call]) -> None:
        """Record calls of the current attempt, and charge them to its budget."""
        self.calls += calls
        self.attempt.charge(calls, self.painter)

    def add(self, candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> Attempt:
        """End the current attempt: update the best candidate, then end the brief or choose the next repair."""
        number, change = len(self.attempts) + 1, self.next
        self.pictures[self.painter] += len(candidates)
        self.degraded |= dict.fromkeys(degraded_in(candidates, verdicts))
        undone: dict[str, None] = {}  # an ordered set: what edits made worse
        before = self.best
        for pair in zip(candidates, verdicts, strict=True):
            if before and change.action == "edit" and pair[1].gate != "pass":
                worse = fallen(before[1].checks, pair[1].checks, change.failed)
                undone |= dict.fromkeys(worse)
                if worse:
                    continue
            if self.best is None or _rank(pair[1]) > _rank(self.best[1]):
                self.best = pair
        assert self.best is not None
        if change.action == "reseed" and all(map(self._seen, candidates)):
            self.useless.add("reseed")  # the seed changes nothing in these words
        follow: Repair | None = None
        gate = self.best[1].gate
        if gate == "pass":
            self.close("accepted", "every must-have passes")
        elif gate == "unchecked" and not self._offers_more(len(candidates)):
            self.close("needs_review", self._left_to_people())
        else:
            follow = self._choose([a.change.action for a in self.attempts] + [change.action])
            if follow and undone and self.best is before:
                follow = self.next = self._after_rollback(follow, undone)
            if follow and (lacks := self.begin().lacks(self.steps, self.painter)):
                follow = None
                self.exhaust(lacks)
        attempt = Attempt(
            brief=self.started.brief, number=number, change=change, candidates=tuple(candidates),
            verdicts=tuple(verdicts), calls=tuple(self.calls), next=follow,
        )  # fmt: skip
        self.calls = []
        self.attempts.append(attempt)
        return attempt

    def _seen(self, candidate: Candidate) -> bool:
        """Whether an earlier attempt painted the same picture, to the pixel."""
        pixels = candidate.image.tobytes()
        return any(pixels == old.image.tobytes() for attempt in self.attempts for old in attempt.candidates)

    def _offers_more(self, painted: int) -> bool:
        """Whether to paint another picture although nothing fails: what is open was never measured, and a person is to
        choose among a few. `painted`: in the present attempt."""
        assert self.best is not None
        before = sum(len(attempt.candidates) for attempt in self.attempts)
        return bool(self._unmeasured) and before + painted < self.preset.loop.images_unmeasured

    @property
    def _unmeasured(self) -> str:
        """What is missing before the judges may decide the must-haves of the best candidate; empty where nothing is."""
        assert self.best is not None
        must = {r.id for r in self.started.reading.requirements if r.must} | set(ALWAYS)
        return unmeasured([check for check in self.best[1].checks if check.requirement in must])

    def _left_to_people(self) -> str:
        """Why a person must decide on the best candidate."""
        assert self.best is not None
        open_ = self._open("unchecked", "unsure", measured=True)
        return "; ".join(filter(None, (self._unmeasured, open_ and f"a person must check: {open_}")))

    def _choose(self, actions: Sequence[Action]) -> Repair | None:
        """Choose the next repair after these actions; the brief ends where there is none."""
        assert self.best is not None
        useless, painters = self.useless, self.preset.painters
        larger, now = self._hand_up()
        if self.budget.lacks(painters[larger].steps, larger):
            useless = useless | {"other painter"}
        name = rung_name(painters[larger], painters[0])
        follow = repair(self.started.reading.requirements, self.best[1], actions, useless, name, now)
        if follow is None:
            self.exhaust("nothing is left to try that would give another picture")
            return None
        self.next = follow
        if follow.action == "other painter":
            self.level = larger
        return follow

    def _hand_up(self) -> tuple[Painter, bool]:
        """The larger painter that is next, and whether it gets the brief now: after as many failed pictures as the
        preset says, or because the budget has no more pictures left than there are larger painters. A brief that was
        handed up stays there."""
        top, after = len(self.preset.painters) - 1, self.preset.loop.escalate_after
        if not top:
            return 0, False
        here = self.level
        larger = min(here + 1, top) if not here or self.pictures[here] >= (after or 1) else here
        steps = max(spec.steps for spec in self.preset.painters)
        left = max(1, top - here)
        few = self.budget.room(left + 1, steps, larger) <= left
        return larger, bool(here or few or (after and self.pictures[0] >= after))

    def _after_rollback(self, follow: Repair, undone: Collection[str]) -> Repair:
        """The repair that follows an edit that was undone, with the reason why it was."""
        texts = {r.id: r.text for r in self.started.reading.requirements} | ALWAYS
        worse = ", ".join(texts[id] for id in undone)
        return follow.model_copy(
            update={"reason": f"the edit is undone, because it harmed: {worse}; {follow.reason}"}
        )

    def goes_on_without(self, failure: str) -> bool:
        """Whether another repair follows although nothing could be painted: an edit or a larger painter may fail where
        the usual painter does not."""
        if self.next.action not in ("edit", "other painter"):
            return False
        self.degraded[f"{self.next.action}, {failure}"] = None
        self.give_up_repair()
        return True

    def new(self, plans: Sequence[Plan]) -> list[Plan]:
        """Those of the plans that give a picture that was not painted yet, each once. They count as painted."""
        found = []
        for plan in plans:
            painter = self.preset.painters[plan.other_painter]
            key = (plan if painter.seeds_differ else plan.model_copy(update={"seed": 0})).key
            if key not in self.painted:
                self.painted.add(key)
                found.append(plan)
        if any(plan.prompt.origin == "user" for plan in found):
            self.useless.add("own words")
        return found

    def give_up_repair(self) -> None:
        """Choose another repair, because the present one would give no new picture."""
        if self.painter and self.level < len(self.preset.painters) - 1:
            self.pictures[self.level] += self.preset.loop.escalate_after or 1  # it has nothing more to give
        else:
            self.useless.add(self.next.action)
        self._choose([a.change.action for a in self.attempts])

    def close_attempt(self) -> Attempt | None:
        """End the attempt under way without a candidate. None where it made no call."""
        if not self.calls:
            return None
        attempt = Attempt(
            brief=self.started.brief, number=len(self.attempts) + 1, change=self.next, candidates=(),
            verdicts=(), calls=tuple(self.calls),
        )  # fmt: skip
        self.attempts.append(attempt)
        self.calls = []
        return attempt

    def exhaust(self, why: str) -> Outcome:
        """End the brief at a limit: exhausted, or needs_review if no judge objects to the best picture."""
        if self.best is None:
            return self.close("exhausted", f"{why}; nothing was painted")
        if self.best[1].gate == "unchecked":
            return self.close("needs_review", self._left_to_people())
        if self.best[1].gate == "unsure":
            return self.close("needs_review", f"{why}; the judge is unsure of: {self._open('unsure')}")
        return self.close("exhausted", f"{why}; still missing: {self._open('fail', 'unsure')}")

    def stop(self) -> Outcome:
        """End the brief because it was stopped, by the clock or by the user."""
        self.attempt.settle()
        if why := self.attempt.over_time():
            return self.exhaust(why)
        return self.close("exhausted", "stopped by the user before the budget was spent")

    def close(self, status: Status, reason: str) -> Outcome:
        """End the brief with this outcome."""
        best, verdict = self.best or (None, None)
        used = self.budget.used
        self.outcome = Outcome(
            brief=self.started.brief, status=status, reason=reason, best=best, verdict=verdict,
            images=used.images, seconds=self.budget.seconds, tokens=used.tokens,
            image_steps=used.image_steps, joules=used.joules, measured=used.measured, money=used.money,
            degraded=tuple(self.degraded),
        )  # fmt: skip
        return self.outcome

    def _open(self, *outcomes: str, measured: bool = False) -> str:
        """The must-haves of the best candidate that have one of these outcomes, in words. `measured`: without those
        that only lack a measurement."""
        assert self.best is not None
        text = {r.id: r.text for r in self.started.reading.requirements if r.must} | ALWAYS
        checks = self.best[1].checks
        return ", ".join(
            text[c.requirement]
            for c in checks
            if c.outcome in outcomes and c.requirement in text and not (measured and c.missing)
        )


def _rank(verdict: Verdict) -> tuple[int, float]:
    """A key that orders verdicts from worst to best."""
    return ("fail", "unsure", "unchecked", "pass").index(verdict.gate), verdict.score


def allot(wave: Sequence[Track], images: int) -> None:
    """Set how many images each open brief of a wave may paint now, at most `images`, and reserve budget for them. End
    the briefs whose budget has no room for one image."""
    for track in wave:
        if track.outcome is not None:
            continue
        steps, painter = track.steps, track.painter
        track.room = track.begin().room(images, steps, painter)
        if not track.room:
            track.exhaust(track.attempt.lacks(steps, painter) or "the budget is spent")
            continue
        painted = track.room * steps
        expected = {
            what: track.attempt.expected(what, painted, painter) for what in ("seconds", "joules", "money")
        }
        track.attempt.promise(images=track.room, image_steps=painted, **expected)


def watched(wave: Sequence[Track], on_step: OnStep | None, stop: Stop) -> OnStep:
    """A step callback that raises Stopped when a stop asks for it, or when no brief of the wave has time left."""

    def step(done: Step) -> None:
        if on_step is not None:
            on_step(done)
        stop.after_step(done)
        if all(track.attempt.late for track in wave):
            raise Stopped

    return step
