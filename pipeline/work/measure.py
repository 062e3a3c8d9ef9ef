"""A judge measures itself: simple known prompts are painted, and statements that match them and that do not are scored.

Every answer of a model is kept, so after an interruption the same call continues where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from models.protocols import ModelError
from pipeline.brief import Brief
from pipeline.calls.load import Models
from pipeline.config import Preset
from pipeline.judging.basis import Answer, Basis
from pipeline.judging.judge import Judges, judge
from pipeline.judging.known_prompts import KnownPrompt, batches, known_prompts
from pipeline.judging.verdict import Verdict
from pipeline.painting.image import Plan, paint
from pipeline.painting.prompt import Ask, template
from pipeline.stopping import Stop

_TOGETHER = 16  # pictures that are painted and judged in one request


def measure(
    preset: Preset,
    models: Models,
    each: int,
    progress: Callable[[int, int], None] = lambda done, of: None,
    stop: Stop | None = None,
) -> dict[Basis, list[Answer]] | None:
    """What the preset's judge says of the pictures of `each` known prompts of every kind, by basis. Returns None where
    a stop was requested before the end. Raises ModelError if nothing can be painted."""
    found: dict[Basis, list[Answer]] = {}
    prompts = known_prompts(each, models.range)
    judges = Judges(models.judges, preset.routes, models.bands, models.range)
    for number, some in enumerate(batches(prompts, _TOGETHER)):
        progress(number * _TOGETHER, len(prompts))
        plans = [[_plan(prompt, number * _TOGETHER + i)] for i, prompt in enumerate(some)]
        painted = paint(plans, [1] * len(plans), models.image, stop=stop)
        if painted.stopped:
            return None
        if failures := [painting.failure for painting in painted.each if painting.failure]:
            raise ModelError(f"the judge of {preset.name} cannot be measured: {failures[0]}")
        asked = [(prompt.matched, prompt.mismatched) for prompt in some]
        made = judge([painting.candidates for painting in painted.each], asked, judges, stop)
        if made.stopped:
            return None
        for verdicts in made.each:
            _add(found, verdicts)
    progress(len(prompts), len(prompts))
    return found


def _plan(prompt: KnownPrompt, seed: int) -> Plan:
    text = ", ".join(want.text for want in prompt.wants)
    return Plan(prompt=template(Ask(brief=Brief(text=text), requirements=prompt.wants)), seed=seed)


def _add(found: dict[Basis, list[Answer]], verdicts: Sequence[Verdict]) -> None:
    """Add what was said of both statements about one picture."""
    for check in (check for verdict in verdicts for check in verdict.checks):
        if check.requirement in ("yes", "no") and check.basis is not None and check.said is not None:
            found.setdefault(check.basis, []).append(Answer(check.said, check.requirement == "yes"))
