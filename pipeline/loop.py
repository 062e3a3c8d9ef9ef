"""The loop: briefs in, attempts out, until each brief is met or its budget is spent.

    Brief → requirements → Prompt → Candidate → Verdict ─ pass → Outcome
                             ↑                     │
                             └── Repair ← feedback ┘ (fail)      unsure → a person

It works on a list of briefs; a wave moves every open one an attempt further, with one batched call to each
model. It writes nothing and prints nothing: whoever runs it consumes what it yields.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from models.protocols import Cancelled, ModelError, OnStep
from pipeline.brief import Brief, Reading, Record
from pipeline.budget import Budget
from pipeline.config import Preset
from pipeline.feedback import START, Action, Repair, in_words, repair
from pipeline.image import Candidate, Plan, paint, seeds, wanted_size
from pipeline.load import Models
from pipeline.prompt import Ask, Prompt, own_words, write
from pipeline.requirements import read
from pipeline.room import admitted
from pipeline.trace import Call
from pipeline.verdict import Verdict, judge

Status = Literal["accepted", "needs_review", "exhausted", "failed"]


class Started(Record):
    """A brief has been read. `brief` is its position in the list."""

    brief: int
    given: Brief
    reading: Reading
    calls: tuple[Call, ...] = ()


class Attempt(Record):
    """One turn of the loop for one brief: what it changed, what it made, what comes next (None: it stops)."""

    brief: int
    number: int
    change: Repair
    candidates: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]
    calls: tuple[Call, ...]
    next: Repair | None = None


class Outcome(Record):
    """How a brief ended, with the best candidate, not the last."""

    brief: int
    status: Status
    reason: str
    best: Candidate | None = None
    verdict: Verdict | None = None
    images: int = 0
    seconds: float = 0.0
    tokens: int = 0


Event = Started | Attempt | Outcome


def run(
    briefs: Sequence[Brief], preset: Preset, models: Models, on_step: OnStep | None = None
) -> Iterator[Event]:
    """Move briefs together, wave by wave, as many as fit (see room.py); yields each brief's reading, attempts and
    outcome as they happen."""
    waiting = deque(enumerate(briefs))
    wave: list[Track] = []
    while waiting or wave:
        for track in _read(admitted(waiting, [t.started.given for t in wave], preset), preset, models):
            yield track.started
            if track.outcome:
                yield track.outcome
            else:
                wave.append(track)
        plans, calls = _plan(wave, preset, models)
        try:
            made, broken, painting = _paint(wave, plans, models, on_step)
        except Cancelled:
            yield from (
                track.close("exhausted", "stopped by the user before the budget was spent") for track in wave
            )
            return
        verdicts = _judge(wave, made, preset, models)
        owners = [i for i, mine in enumerate(made) for _ in mine]
        calls += painting + _owned(models.recorder.take(), owners)
        for i, track in enumerate(wave):
            if i in broken:
                yield track.close("failed", broken[i])
                continue
            yield track.add(made[i], verdicts[i], tuple(call for owner, call in calls if owner == i))
            if track.outcome:
                yield track.outcome
        wave = [track for track in wave if track.outcome is None]


@dataclass(eq=False)
class Track:
    """A brief under way: its history and budget. Everything the next attempt depends on is here."""

    started: Started
    budget: Budget
    attempts: list[Attempt] = field(default_factory=list)
    next: Repair = START
    outcome: Outcome | None = None
    best: tuple[Candidate, Verdict] | None = None

    def add(
        self, candidates: Sequence[Candidate], verdicts: Sequence[Verdict], calls: tuple[Call, ...]
    ) -> Attempt:
        """Take in an attempt; decides whether the brief is done or what to change next."""
        number, change = len(self.attempts) + 1, self.next
        self.budget.images += len(candidates)
        self.budget.tokens += sum(call.tokens_with_kept for call in calls)
        for pair in zip(candidates, verdicts, strict=True):
            if self.best is None or _rank(pair[1]) > _rank(self.best[1]):
                self.best = pair
        assert self.best is not None
        follow: Repair | None = None
        gate = self.best[1].gate
        if gate == "pass":
            self.close("accepted", "every must-have passes")
        elif gate == "unchecked":
            self.close("needs_review", f"a person must check: {self._open('unchecked', 'unsure')}")
        elif spent := self.budget.spent():
            if gate == "unsure":
                self.close("needs_review", f"{spent}; the judge is unsure of: {self._open('unsure')}")
            else:
                self.close("exhausted", f"{spent}; still missing: {self._open('fail', 'unsure')}")
        else:
            actions: list[Action] = [a.change.action for a in self.attempts] + [change.action]
            follow = self.next = repair(self.started.reading.requirements, self.best[1], actions)
        attempt = Attempt(
            brief=self.started.brief, number=number, change=change, candidates=tuple(candidates),
            verdicts=tuple(verdicts), calls=calls, next=follow,
        )  # fmt: skip
        self.attempts.append(attempt)
        return attempt

    def close(self, status: Status, reason: str) -> Outcome:
        best, verdict = self.best or (None, None)
        self.outcome = Outcome(
            brief=self.started.brief, status=status, reason=reason, best=best, verdict=verdict,
            images=self.budget.images, seconds=self.budget.seconds, tokens=self.budget.tokens,
        )  # fmt: skip
        return self.outcome

    def _open(self, *outcomes: str) -> str:
        assert self.best is not None
        text = {r.id: r.text for r in self.started.reading.requirements if r.must} | {
            "intact": "a picture at all"
        }
        checks = self.best[1].checks
        return ", ".join(
            text[c.requirement] for c in checks if c.outcome in outcomes and c.requirement in text
        )


def _rank(verdict: Verdict) -> tuple[int, float]:
    return ("fail", "unsure", "unchecked", "pass").index(verdict.gate), verdict.score


Owned = list[tuple[int, Call]]


def _owned(calls: Sequence[Call], owners: Sequence[int]) -> Owned:
    """Each call cut into the parts of the briefs that own its inputs; `owners` is aligned with the inputs."""
    parts = []
    for call in calls:
        for owner in dict.fromkeys(owners):
            parts.append((owner, call.part([i for i, mine in enumerate(owners) if mine == owner])))
    return parts


def _read(entering: Sequence[tuple[int, Brief]], preset: Preset, models: Models) -> list[Track]:
    if not entering:
        return []
    briefs = [brief for _, brief in entering]
    reader = models.text if preset.loop.reader == "model" else None
    readings = read(briefs, reader, models.range, preset.loop.prompting)
    calls: Owned = []
    for call in models.recorder.take():
        # A repair is asked for some briefs only; its inputs hold their words.
        texts = [{message["content"] for message in conversation} for conversation in call.inputs]
        owners = [next(i for i, brief in enumerate(briefs) if brief.text in said) for said in texts]
        calls += _owned([call], owners if len(texts) < len(briefs) else range(len(briefs)))
    tracks = []
    for i, ((position, brief), reading) in enumerate(zip(entering, readings, strict=True)):
        mine = tuple(call for owner, call in calls if owner == i)
        track = Track(
            Started(brief=position, given=brief, reading=reading, calls=mine),
            Budget(preset.loop.model_copy(update=brief.limits.set)),
        )
        track.budget.tokens = sum(call.tokens_with_kept for call in mine)
        if reading.blocked:
            track.close("failed", reading.blocked)
        tracks.append(track)
    return tracks


def _plan(wave: Sequence[Track], preset: Preset, models: Models) -> tuple[list[list[Plan]], Owned]:
    """What each open brief paints next, and the calls that took. Only those that rephrase ask the text model."""
    rephrase = [track for track in wave if track.next.action == "rephrase"]
    writer = models.text if preset.loop.writer == "model" else None
    written = dict(zip(map(id, rephrase), write([_ask(t, preset) for t in rephrase], writer), strict=True))
    calls = _owned(models.recorder.take(), [i for i, track in enumerate(wave) if track in rephrase])
    plans = []
    for track in wave:
        brief = track.started.given
        prompt = written.get(id(track)) or _latest(track)
        spec, strong = preset.image, track.next.action == "guide"
        size = wanted_size(track.started.reading.requirements)
        plans.append(
            [
                Plan(
                    prompt=prompt, seed=seed, width=brief.width or size[0], height=brief.height or size[1],
                    steps=spec.steps * 2 if strong else None,
                    guidance=spec.guidance * 1.4 if strong and spec.guidance > 1 else None,
                )
                for seed in seeds(brief, track.budget.images, track.budget.left())
            ]
        )  # fmt: skip
    return plans, calls


def _paint(
    wave: Sequence[Track], plans: Sequence[Sequence[Plan]], models: Models, on_step: OnStep | None
) -> tuple[list[list[Candidate]], dict[int, str], Owned]:
    """Each brief's candidates, why those that have none have none, and the calls that took. Where the call for all
    fails, each brief is painted alone: a size that cannot be painted costs only its own brief."""
    numbers = [len(track.attempts) + 1 for track in wave]
    owners = [i for i, mine in enumerate(plans) for _ in mine]
    try:
        return paint(plans, numbers, models.image, on_step), {}, _owned(models.recorder.take(), owners)
    except ModelError as error:
        calls = _owned(models.recorder.take(), owners)
        if len(wave) == 1:
            return [[]], {0: str(error)}, calls
    made: list[list[Candidate]] = []
    broken: dict[int, str] = {}
    for i, track in enumerate(wave):
        alone, why, more = _paint([track], [plans[i]], models, on_step)
        made += alone
        if why:
            broken[i] = why[0]
        calls += [(i, call) for _, call in more]
    return made, broken, calls


def _latest(track: Track) -> Prompt:
    if not track.attempts:
        return own_words(track.started.given, track.started.reading.requirements)
    return track.attempts[-1].candidates[-1].plan.prompt


def _ask(track: Track, preset: Preset) -> Ask:
    assert track.best is not None
    requirements = track.started.reading.requirements
    tried = dict.fromkeys(c.plan.prompt.text for a in track.attempts for c in a.candidates)
    return Ask(
        brief=track.started.given,
        requirements=requirements,
        failed=in_words(requirements, track.best[1], track.next.failed),
        tried=tuple(tried)[-preset.loop.memory :],
    )


def _judge(
    wave: Sequence[Track], candidates: Sequence[Sequence[Candidate]], preset: Preset, models: Models
) -> list[list[Verdict]]:
    flat = [candidate for made in candidates for candidate in made]
    if not flat:
        return [[] for _ in wave]
    wants = [t.started.reading.requirements for t, made in zip(wave, candidates, strict=True) for _ in made]
    verdicts = iter(judge(flat, wants, models.scorer, preset.judge, models.bands, models.range))
    return [[next(verdicts) for _ in made] for made in candidates]
