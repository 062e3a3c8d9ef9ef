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

from models.protocols import Cancelled, OnStep
from pipeline.brief import Brief
from pipeline.budget import Budget
from pipeline.calls.load import Models
from pipeline.calls.record import Call
from pipeline.config import Preset
from pipeline.events import Event, Started
from pipeline.judging.feedback import in_words
from pipeline.judging.verdict import Verdict, judge
from pipeline.painting.image import Candidate, Plan, paint, seeds
from pipeline.painting.prompt import Ask, Prompt, own_words, template, write
from pipeline.painting.prompt import most_tokens as prompt_tokens
from pipeline.reading.requirements import most_tokens, read
from pipeline.room import admitted
from pipeline.size import wanted_size
from pipeline.track import Track, allot, watched


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
