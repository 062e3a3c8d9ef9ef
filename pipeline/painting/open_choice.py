"""What a brief leaves open, chosen by the seed: the background and the style of a picture, named in the prompt.

Without it a painter with a range decides both itself. It then gives every picture the same style, and paints a mottled
background where it is undecided between two."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.brief import Requirement
from pipeline.painting.prompt import Prompt
from pipeline.range import Range


def with_choice(
    prompt: Prompt, requirements: Sequence[Requirement], drawable: Range | None, seed: int
) -> Prompt:
    """The prompt with a background and a style of the range where neither brief nor prompt names one; the prompt itself
    where the range has no `grounds`. Seeds that follow each other choose differently."""
    if drawable is None or not drawable.grounds:
        return prompt
    said = {r.kind for r in requirements if r.kind != "absence"}
    chosen = ""
    if "background" not in said and not re.search(r"\b(background|backdrop)\b", prompt.text, re.IGNORECASE):
        shown = _shown(requirements)
        fitting = [ground for ground, lost in drawable.grounds.items() if not shown & {ground, *lost}]
        chosen += f", {fitting[seed % len(fitting)]} background" if fitting else ""
    styles = tuple(drawable.styles or ())
    if styles and "style" not in said and not re.search(r"\bstyle\b", prompt.text, re.IGNORECASE):
        # Where the background is chosen too, another style for the same one each time that all were chosen.
        turns = seed // len(drawable.grounds) if chosen else 0
        chosen += f", {styles[(seed + turns) % len(styles)]} style"
    return prompt.model_copy(update={"text": prompt.text + chosen, "chosen": chosen}) if chosen else prompt


def _shown(requirements: Sequence[Requirement]) -> set[str]:
    """What must stand out from the background: the colours of things, and things in their own colours."""
    colours = {r.subject: r.value for r in requirements if r.kind == "attribute"}
    things = {name for r in requirements if r.kind != "absence" for name in (r.subject, r.other) if name}
    return {colours.get(name, name) for name in things}
