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

from models.protocols import Cancelled, OnStep
from pipeline.brief import Brief, Reading, Record
from pipeline.budget import Budget, allot, watched
from pipeline.config import Preset
from pipeline.feedback import START, Action, Repair, in_words, repair
from pipeline.image import Candidate, Plan, paint, seeds
from pipeline.load import Models
from pipeline.prompt import Ask, Prompt, own_words, template, write
from pipeline.prompt import most_tokens as prompt_tokens
from pipeline.requirements import most_tokens, read
from pipeline.room import admitted
from pipeline.size import wanted_size
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

    @property
    def degraded(self) -> tuple[str, ...]:
        """Every descent of a stage that this attempt had to make do with."""
        return _degraded(self.candidates, self.verdicts)


def _degraded(candidates: Sequence[Candidate], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    said = [c.plan.prompt.degraded for c in candidates]
    said += [*(c.degraded for c in candidates), *(v.degraded for v in verdicts)]
    return tuple(dict.fromkeys(text for text in said if text))


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
    image_steps: int = 0
    joules: float = 0.0
    measured: bool = False  # the joules; else they are estimated
    money: float = 0.0
    degraded: tuple[str, ...] = ()


Event = Started | Attempt | Outcome


def run(
    briefs: Sequence[Brief],
    preset: Preset,
    models: Models,
    on_step: OnStep | None = None,
    budget: Budget | None = None,
) -> Iterator[Event]:
    """Move briefs together, wave by wave, as many as fit (see room.py); yields each brief's reading, attempts and
    outcome as they happen. `budget` is the batch's, where it goes beyond this call."""
    budget = budget or Budget(preset.loop.batch, currency=preset.machine.currency)
    waiting = deque(enumerate(briefs))
    wave: list[Track] = []
    while waiting or wave:
        joining = admitted(waiting, [track.started.given for track in wave], preset)
        for track in _read(joining, preset, models, budget):
            yield track.started
            wave.append(track)
        allot(wave, preset.loop.images_per_attempt)
        yield from (track.outcome for track in wave if track.outcome)
        wave = [track for track in wave if track.outcome is None]
        try:
            plans, calls = _plan(wave, preset, models)
            made, broken, painting = _paint(wave, plans, models, watched(wave, on_step))
            verdicts = _judge(wave, made, preset, models)
        except Cancelled:
            yield from (track.stop() for track in wave)
            return
        calls += painting + _owned(models.recorder.take(), [i for i, mine in enumerate(made) for _ in mine])
        _charge(wave, calls)
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
    preset: Preset
    attempts: list[Attempt] = field(default_factory=list)
    next: Repair = START
    outcome: Outcome | None = None
    best: tuple[Candidate, Verdict] | None = None
    attempt: Budget = field(init=False)  # of the attempt under way
    room: int = 0  # images that it may paint
    degraded: dict[str, None] = field(default_factory=dict)  # descents so far, in order

    def __post_init__(self) -> None:
        self.begin()
        if said := self.started.reading.degraded:
            self.degraded[said] = None

    def begin(self) -> Budget:
        """A fresh budget for the next attempt."""
        self.attempt = self.budget.open("attempt", self.preset.loop.attempt)
        return self.attempt

    @property
    def steps(self) -> int:
        """Denoising steps that each image of the next attempt takes."""
        return self.preset.image.steps * (2 if self.next.action == "guide" else 1)

    def add(
        self, candidates: Sequence[Candidate], verdicts: Sequence[Verdict], calls: tuple[Call, ...]
    ) -> Attempt:
        """Take in an attempt; decides whether the brief is done or what to change next."""
        number, change = len(self.attempts) + 1, self.next
        self.degraded |= dict.fromkeys(_degraded(candidates, verdicts))
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
        else:
            actions: list[Action] = [a.change.action for a in self.attempts] + [change.action]
            follow = self.next = repair(self.started.reading.requirements, self.best[1], actions)
            if lacks := self.begin().lacks(self.steps):
                follow = None
                self.exhaust(lacks)
        attempt = Attempt(
            brief=self.started.brief, number=number, change=change, candidates=tuple(candidates),
            verdicts=tuple(verdicts), calls=calls, next=follow,
        )  # fmt: skip
        self.attempts.append(attempt)
        return attempt

    def exhaust(self, why: str) -> Outcome:
        """A limit is reached: what there is goes to a person where only the judge was unsure of it."""
        if self.best is None:
            return self.close("exhausted", f"{why}; nothing was painted")
        if self.best[1].gate == "unsure":
            return self.close("needs_review", f"{why}; the judge is unsure of: {self._open('unsure')}")
        return self.close("exhausted", f"{why}; still missing: {self._open('fail', 'unsure')}")

    def stop(self) -> Outcome:
        """Painting was cut short, by the clock or by the user."""
        if why := self.attempt.over_time():
            return self.exhaust(why)
        return self.close("exhausted", "stopped by the user before the budget was spent")

    def close(self, status: Status, reason: str) -> Outcome:
        best, verdict = self.best or (None, None)
        used = self.budget.used
        self.outcome = Outcome(
            brief=self.started.brief, status=status, reason=reason, best=best, verdict=verdict,
            images=used.images, seconds=self.budget.seconds, tokens=used.tokens,
            image_steps=used.image_steps, joules=used.joules, measured=used.measured, money=used.money,
            degraded=tuple(self.degraded),
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
    """Each call cut into the parts of the briefs that own its inputs; `owners` is aligned with what was asked."""
    parts = []
    for call in calls:
        asked = [owners[i] for i in (call.items if call.items is not None else range(len(call.inputs)))]
        for owner in dict.fromkeys(asked):
            parts.append((owner, call.part([at for at, mine in enumerate(asked) if mine == owner])))
    return parts


def _charge(wave: Sequence[Track], calls: Owned) -> None:
    for i, track in enumerate(wave):
        track.attempt.charge([call for owner, call in calls if owner == i])
        track.attempt.settle()


def _read(
    entering: Sequence[tuple[int, Brief]], preset: Preset, models: Models, batch: Budget
) -> list[Track]:
    if not entering:
        return []
    briefs, prompting = [brief for _, brief in entering], preset.loop.prompting
    scopes = [batch.open("brief", brief.limits.over(preset.loop)) for brief in briefs]
    lacking: dict[int, str] = {}
    reader = models.text if preset.loop.reader == "model" else None
    unread = [
        i for i, brief in enumerate(briefs) if brief.requirements is None
    ]  # the others came with their list
    for i, (brief, scope) in enumerate(zip(briefs, scopes, strict=True)):
        if i not in unread:
            continue
        most = most_tokens(brief, prompting)
        if reader and (why := scope.lacks_tokens(most)):
            lacking[i] = f"text, {why} → rules"
        else:
            scope.promise(tokens=most)
    able = [i for i in range(len(briefs)) if i not in lacking]
    readings = dict(zip(able, read([briefs[i] for i in able], reader, models.range, prompting), strict=True))
    for i, why in lacking.items():
        (reading,) = read([briefs[i]], None, models.range)
        readings[i] = reading.model_copy(update={"degraded": why})
    calls = _owned(models.recorder.take(), [i for i in unread if i in able])
    tracks = []
    for i, (position, brief) in enumerate(entering):
        mine = tuple(call for owner, call in calls if owner == i)
        started = Started(brief=position, given=brief, reading=readings[i], calls=mine)
        track = Track(started, scopes[i], preset)
        scopes[i].charge(mine)
        scopes[i].settle()
        if readings[i].blocked:
            track.close("failed", readings[i].blocked or "")
        tracks.append(track)
    return tracks


def _plan(wave: Sequence[Track], preset: Preset, models: Models) -> tuple[list[list[Plan]], Owned]:
    """What each open brief paints next, and the calls that took. Only those that rephrase ask the text model."""
    written, calls = _write(wave, preset, models)
    plans = []
    for i, track in enumerate(wave):
        brief = track.started.given
        prompt = written.get(i) or _latest(track)
        spec, strong = preset.image, track.next.action == "guide"
        size = wanted_size(track.started.reading.requirements, (spec.width, spec.height)) or (None, None)
        plans.append(
            [
                Plan(
                    prompt=prompt, seed=seed, width=brief.width or size[0], height=brief.height or size[1],
                    steps=track.steps if strong else None,
                    guidance=spec.guidance * 1.4 if strong and spec.guidance > 1 else None,
                )
                for seed in seeds(brief, track.budget.used.images, track.room)
            ]
        )  # fmt: skip
    return plans, calls


def _write(wave: Sequence[Track], preset: Preset, models: Models) -> tuple[dict[int, Prompt], Owned]:
    """New prompts by position in the wave, for the briefs that rephrase and have the tokens for it."""
    asks = {i: _ask(track, preset) for i, track in enumerate(wave) if track.next.action == "rephrase"}
    writer = models.text if preset.loop.writer == "model" else None
    written: dict[int, Prompt] = {}
    for i, ask in asks.items() if writer else ():
        if why := wave[i].attempt.lacks_tokens(most := prompt_tokens(ask)):
            written[i] = template(ask, degraded=f"text, {why} → template")
        else:
            wave[i].attempt.promise(tokens=most)
    able = [i for i in asks if i not in written]
    written |= zip(able, write([asks[i] for i in able], writer), strict=True)
    return written, _owned(models.recorder.take(), able)


def _paint(
    wave: Sequence[Track], plans: Sequence[Sequence[Plan]], models: Models, on_step: OnStep
) -> tuple[list[list[Candidate]], dict[int, str], Owned]:
    """Each brief's candidates, why those that have none have none, and the calls that took."""
    owners = [i for i, mine in enumerate(plans) for _ in mine]
    try:
        made, broken = paint(plans, [len(track.attempts) + 1 for track in wave], models.image, on_step)
    except Cancelled:
        _charge(wave, _owned(models.recorder.take(), owners))
        raise
    return made, broken, _owned(models.recorder.take(), owners)


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
