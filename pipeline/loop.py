"""The loop: briefs in, attempts out, until each brief is met or its budget is spent.

    Brief → requirements → Prompt → Candidate → Verdict ─ pass → Outcome
                             ↑                     │
                             └── Repair ← feedback ┘ (fail)      unsure → a person

It works on a list of briefs. A wave moves every open brief one attempt further, with one batched request to each stage.
The loop writes and prints nothing; it yields events, and the caller uses them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from models.protocols import OnStep, Stopped
from pipeline.brief import Brief
from pipeline.budget import Budget
from pipeline.calls.load import Models
from pipeline.calls.record import Made
from pipeline.config import Preset
from pipeline.events import Event, Started
from pipeline.judging.feedback import described
from pipeline.judging.judge import Judges, judge
from pipeline.judging.verdict import Verdict
from pipeline.painting.edit import edit_of, edit_prompt
from pipeline.painting.image import Painting, Plan, paint, seeds
from pipeline.painting.open_choice import with_choice
from pipeline.painting.prompt import Ask, Prompt, is_prompt, own_words, template, write
from pipeline.painting.prompt import most_tokens as prompt_tokens
from pipeline.range import Range, draws_anything
from pipeline.reading.incomplete import left_open
from pipeline.reading.requirements import most_tokens, read
from pipeline.reading.rules import found_in
from pipeline.room import admitted
from pipeline.size import wanted_size
from pipeline.stopping import Stop
from pipeline.track import Track, allot, watched


def run(
    briefs: Sequence[Brief],
    preset: Preset,
    models: Models,
    on_step: OnStep | None = None,
    budget: Budget | None = None,
    stop: Stop | None = None,
) -> Iterator[Event]:
    """Run briefs, as many together as fit (see room.py). Yields for each brief Started, its Attempts and its Outcome.

    `budget`: that of the batch, if the batch is more than this call. After `stop.finish()` every open brief ends with
    its best picture; after `stop.pause()` open briefs get no outcome."""
    budget, stop = budget or Budget(preset.loop.batch, currency=preset.machine.currency), stop or Stop()
    waiting = deque(enumerate(briefs))
    wave: list[Track] = []
    while wave or (waiting and not stop.requested):
        joining = [] if stop.requested else admitted(waiting, [track.started.given for track in wave], preset)
        try:
            for track in _read(joining, preset, models, budget, stop):
                yield track.started
                wave.append(track)
            allot(wave, preset.loop.images_per_attempt)
            yield from _ended(wave)
            wave = [track for track in wave if track.outcome is None]
            plans = _plan(wave, preset, models, stop)
            yield from _ended(wave)
            plans = [of_brief for of_brief in plans if of_brief]
            wave = [track for track in wave if track.outcome is None]
            paintings = _paint(wave, plans, models, on_step, stop)
            judged = _judge(wave, paintings, preset, models, stop)
        except Stopped:
            if stop.pausing:
                return
            for track in wave:
                yield from filter(None, (track.close_attempt(), track.stop()))
            wave = []
            continue
        for track, painting, verdicts in zip(wave, paintings, judged, strict=True):
            if painting.failure and track.goes_on_without(painting.failure):
                yield from _ended([track])
                continue
            if painting.failure:
                yield from filter(None, (track.close_attempt(), track.close("failed", painting.failure)))
                continue
            yield track.add(painting.candidates, verdicts)
            if track.outcome:
                yield track.outcome
        wave = [track for track in wave if track.outcome is None]


def _ended(wave: Sequence[Track]) -> Iterator[Event]:
    """The outcomes of the briefs that ended before they painted again, each after the calls that it made since."""
    for track in wave:
        if track.outcome:
            yield from filter(None, (track.close_attempt(), track.outcome))


def _read(
    entering: Sequence[tuple[int, Brief]], preset: Preset, models: Models, batch: Budget, stop: Stop
) -> list[Track]:
    """Read the briefs that join the wave, and return a track for each. If a brief's token budget is too small for the
    text model, the rules read it instead."""
    if not entering:
        return []
    briefs, prompting = [brief for _, brief in entering], preset.loop.prompting
    scopes = [batch.open("brief", brief.limits.over(preset.loop)) for brief in briefs]
    asks_model = models.text is not None and preset.loop.reader != "rules"
    lacking: dict[int, str] = {}
    for i, (brief, scope) in enumerate(zip(briefs, scopes, strict=True)):
        if brief.requirements is not None:
            continue  # it has its own requirements
        most = most_tokens(brief, prompting, models.prompts) + sum(
            most_tokens(brief, reader.prompting, reader.prompts) for reader in models.larger_readers
        )
        if asks_model and (why := scope.lacks_tokens(most)):
            lacking[i] = f"text, {why} → rules"
        else:
            scope.promise(tokens=most)
    able = [i for i in range(len(briefs)) if i not in lacking]
    made = models.read([briefs[i] for i in able], preset, stop)
    if made.stopped and stop.pausing:
        raise Stopped
    readings = dict(zip(able, zip(made.each, made.calls, strict=True), strict=True))
    for i, why in lacking.items():
        (reading,) = read([briefs[i]], None, models.range, checked=preset.checked).each
        unmarked = preset.loop.reader == "model" or models.marker is not None
        if unmarked or left_open(reading, found_in(briefs[i].wanted, models.range)):
            reading = reading.model_copy(update={"degraded": why})
        readings[i] = reading, ()
    tracks = []
    for i, (position, brief) in enumerate(entering):
        reading, calls = readings[i]
        started = Started(brief=position, given=brief, reading=reading, calls=calls)
        track = Track(started, scopes[i], preset, models.image.edits)
        scopes[i].charge(calls)
        scopes[i].settle()
        if reading.blocked:
            track.close("failed", reading.blocked)
        tracks.append(track)
    return tracks


def _plan(wave: Sequence[Track], preset: Preset, models: Models, stop: Stop) -> list[list[Plan]]:
    """What each brief paints in this attempt: only pictures that it has not painted yet. Where its repair gives none,
    the next one is taken; a brief without any ends, and its plans are empty."""
    plans: dict[int, list[Plan]] = {}
    todo = list(range(len(wave)))
    while todo:
        prompts = _prompts([wave[i] for i in todo], preset, models, stop)
        for i, of_brief in zip(todo, prompts, strict=True):
            plans[i] = wave[i].new(_plans(wave[i], of_brief, preset, models.range))
            if not plans[i]:
                wave[i].give_up_repair()
        todo = [i for i in todo if not plans[i] and wave[i].outcome is None]
    return [plans[i] for i in range(len(wave))]


def _plans(track: Track, prompts: Sequence[Prompt], preset: Preset, drawable: Range | None) -> list[Plan]:
    """As many plans as the brief has room for in this attempt, its prompts in turn."""
    brief, spec, action = track.started.given, preset.image, track.next.action
    strong, edit = action == "guide", None
    if action == "edit":
        assert track.best is not None
        edit = edit_of(track.best[0], track.next.box)
    wants = track.started.reading.requirements
    size = wanted_size(wants, (spec.width, spec.height)) or (None, None)
    if edit or not track.same_weights:
        drawable = None  # what the brief leaves open is there already, or the other painter's to choose
    return [
        Plan(
            prompt=with_choice(prompts[n % len(prompts)], wants, drawable, seed), seed=seed,
            width=brief.width or size[0], height=brief.height or size[1],
            steps=track.steps if strong else None,
            guidance=spec.guidance * 1.4 if strong and spec.guidance > 1 else None,
            edit=edit, other_painter=track.painter,
        )
        for n, seed in enumerate(seeds(brief, track.budget.used.images, track.room))
    ]  # fmt: skip


def _prompts(wave: Sequence[Track], preset: Preset, models: Models, stop: Stop) -> list[list[Prompt]]:
    """The prompts of each brief's next attempt. The first attempt paints the user's own words beside the written prompt
    if it has room for two pictures."""
    written = _write(wave, preset, models, stop)
    prompts = []
    for i, track in enumerate(wave):
        brief, requirements = track.started.given, track.started.reading.requirements
        own = own_words(brief, requirements)
        if track.next.action == "start":
            first = written.get(i, own)
            assert first is not None
            beside = own if track.room > 1 else None
            prompts.append([first, *([beside] if beside and beside.text != first.text else [])])
        elif track.next.action == "own words":
            assert own is not None
            prompts.append([own])
        elif track.next.action == "edit":
            assert track.best is not None
            assert track.edits is not None
            prompts.append([edit_prompt(requirements, track.next, track.prompt, track.edits)])
        elif track.next.action == "other painter":
            prompts.append([written[i]])
        else:
            prompts.append([written.get(i) or track.prompt])
    return prompts


def _write(wave: Sequence[Track], preset: Preset, models: Models, stop: Stop) -> dict[int, Prompt]:
    """New prompts by position in the wave, for the briefs whose repair is to rephrase, for those that another painter
    gets, and for those that begin with more in their words than the wants. If a brief's token budget is too small for
    the text model, the template writes instead."""
    asks = {
        i: _ask(track, preset, models)
        for i, track in enumerate(wave)
        if track.next.action in ("rephrase", "other painter")
        or (
            track.next.action == "start"
            and not is_prompt(track.started.given, track.started.reading.requirements)
        )
    }
    prompts: dict[int, Prompt] = {}
    able = []
    for i, ask in asks.items():
        writer = preset.loop.writer if wave[i].next.action == "rephrase" else preset.loop.first
        if writer == "template" or models.text is None:
            prompts[i] = template(ask)
        elif why := wave[i].attempt.lacks_tokens(
            most := sum(
                prompt_tokens(ask, prompts)
                for prompts in (models.prompts, *(reader.prompts for reader in models.larger_readers))
            )
        ):
            prompts[i] = template(ask, degraded=f"text, {why} → template")
        else:
            wave[i].attempt.promise(tokens=most)
            able.append(i)
    some = [asks[i] for i in able]
    made = write(some, models.text, models.range, stop, models.larger_readers, models.prompts)
    _charge([wave[i] for i in able], made)
    return prompts | dict(zip(able, made.each, strict=True))


def _paint(
    wave: Sequence[Track],
    plans: Sequence[Sequence[Plan]],
    models: Models,
    on_step: OnStep | None,
    stop: Stop,
) -> list[Painting]:
    """Paint the plans, in one request to each painter: the usual one, and the larger ones for briefs that they get."""
    paintings: dict[int, Painting] = {}
    for painter in sorted({track.painter for track in wave}):
        mine = [i for i, track in enumerate(wave) if track.painter == painter]
        tracks = [wave[i] for i in mine]
        numbers = [len(track.attempts) + 1 for track in tracks]
        made = paint(
            [plans[i] for i in mine], numbers, models.painter(painter), watched(tracks, on_step, stop), stop,
            "pictures that failed" if painter else None,
        )  # fmt: skip
        _charge(tracks, made)
        paintings |= dict(zip(mine, made.each, strict=True))
    return [paintings[i] for i in range(len(wave))]


def _judge(
    wave: Sequence[Track], paintings: Sequence[Painting], preset: Preset, models: Models, stop: Stop
) -> list[list[Verdict]]:
    requirements = [track.started.reading.requirements for track in wave]
    candidates = [painting.candidates for painting in paintings]
    judges = Judges(models.judges, preset.routes, models.bands, models.range)
    made = judge(candidates, requirements, judges, stop)
    _charge(wave, made)
    for track in wave:
        track.attempt.settle()
    return made.each


def _charge(wave: Sequence[Track], made: Made[Any]) -> None:
    """Charge each brief for its calls in a stage. Raises Stopped if the stage was stopped."""
    for track, calls in zip(wave, made.calls, strict=True):
        track.charge(calls)
    if made.stopped:
        raise Stopped


def _ask(track: Track, preset: Preset, models: Models) -> Ask:
    """What the writer gets for a brief."""
    requirements = track.started.reading.requirements
    new = (c.plan for a in track.attempts for c in a.candidates if c.plan.edit is None)
    tried = dict.fromkeys(plan.prompt.written.text for plan in new)
    return Ask(
        brief=track.started.given,
        requirements=requirements,
        failed=described(requirements, track.best[1], track.next.failed) if track.best else (),
        tried=tuple(tried)[-preset.loop.memory :],
        anything=not track.same_weights or draws_anything(models.range),
        prompt_tokens=models.painter(track.painter).prompt_tokens,
    )
