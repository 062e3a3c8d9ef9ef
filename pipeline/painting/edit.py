"""A repair by editing: where the picture may change, and what the painter is told."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from PIL import Image, ImageDraw, ImageFilter

from models.english import RELATIONS, phrase
from models.protocols import Box, Edits
from pipeline.brief import Requirement
from pipeline.judging.feedback import Repair
from pipeline.judging.verdict import ALWAYS, INTACT, NOTHING_ELSE
from pipeline.painting.image import Candidate, Edit
from pipeline.painting.prompt import Prompt

_MARGIN = 0.15  # around a box, as a share of its longer side: what is painted anew may be a little larger
_LEAST = 0.03  # and at least this share of the picture's longer side
_FEATHER = 0.5  # of the margin: how wide old and new are blended
_REST = "keep everything else as it is"


def edit_of(candidate: Candidate, box: Box | None) -> Edit:
    """The edit of a candidate in a box, or as a whole."""
    mask = None if box is None else feathered(candidate.image.size, box)
    return Edit(candidate=candidate.id, box=box, reference=candidate.image, mask=mask)


def feathered(size: tuple[int, int], box: Box) -> Image.Image:
    """A mask of a picture's size, of mode L: white in the box and a margin around it, black elsewhere, blended at the
    edge of the margin."""
    width, height = size
    left, top, right, bottom = box[0] * width, box[1] * height, box[2] * width, box[3] * height
    margin = max(_MARGIN * max(right - left, bottom - top), _LEAST * max(size))
    mask = Image.new("L", size, 0)
    corners = (left - margin / 2, top - margin / 2, right + margin / 2, bottom + margin / 2)
    ImageDraw.Draw(mask).rectangle([round(at) for at in corners], fill=255)
    return mask.filter(ImageFilter.GaussianBlur(margin * _FEATHER / 2))


def edit_prompt(requirements: Sequence[Requirement], repair: Repair, painted: Prompt, edits: Edits) -> Prompt:
    """What a painter is told so that an edit mends the failed checks of `repair`. A painter that follows instructions
    is told what to change; one that paints a mask anew, what must be there. `painted`: the prompt of the whole
    picture."""
    wants = [r for r in requirements if r.id in repair.failed]
    if edits == "instruction":
        orders = [order for r in wants if (order := _order(r))]
        orders += [_ALWAYS[id] for id in ALWAYS if id in repair.failed]
        text = "; ".join([*orders, _REST]) if orders else ""
    else:
        text = _inside(requirements, wants, repair.failed) if repair.box is not None else ""
    return Prompt(text=text or painted.text, negative=painted.negative, origin="template")


_ALWAYS = {
    INTACT: "redraw what is smeared or cut off, so that everything is whole",
    NOTHING_ELSE: "remove everything that was not asked for",
}


def _order(r: Requirement) -> str:
    """The instruction that makes a picture meet a requirement; empty for what no painter can change."""
    if r.kind == "object":
        return f"add {phrase(r.subject)}"
    if r.kind == "count":
        return f"show exactly {phrase(r.subject, int(r.value), counted=True)}"
    if r.kind == "attribute":
        return f"make the {r.subject} {r.value}"
    if r.kind == "relation":
        return f"move the {r.subject} so that it is {RELATIONS.get(r.value, r.value)} the {r.other}"
    if r.kind == "action":
        return f"change the {r.subject} so that it is {r.value}"
    if r.kind == "background":
        return f"make the background {r.value}"
    if r.kind == "style":
        return f"redraw it in {r.value} style"
    if r.kind == "text":
        return f'write the text "{r.value}"'
    if r.kind == "absence":
        return f"remove every {r.subject}"
    return f"change it so that it shows: {r.text}" if r.kind in ("setting", "statement") else ""


def _inside(
    requirements: Sequence[Requirement], wants: Sequence[Requirement], mended: Collection[str]
) -> str:
    """What must be in the box where one check failed; empty where only the prompt of the picture says it."""
    grounds = [r.value for r in requirements if r.kind == "background"]
    if NOTHING_ELSE in mended or any(r.kind in ("absence", "count") for r in wants):
        return (
            f"empty {grounds[0] if grounds else 'plain'} background"  # the thing in the box is one too many
        )
    for r in wants:
        if r.kind == "attribute":
            return phrase(r.subject, look=r.value)
        if r.kind == "text":
            return f'the text "{r.value}"'
    return ""
