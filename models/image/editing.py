"""Editing a picture with the weights of a text-to-image pipeline: pipelines that take a picture with an instruction
(FLUX.2), and the inpainting pipelines of diffusers, which share the networks of their text-to-image pipelines."""

from __future__ import annotations

import inspect
import math
from typing import Any

from PIL import Image

from models.image.sizes import on_canvas
from models.protocols import Edits, ModelError, Paint

# Read in diffusers 0.42.1: they condition on `image` beside the prompt, and paint without one too.
_INSTRUCTED = ("Flux2KleinPipeline", "Flux2Pipeline")
_INPAINTS = {"image", "mask_image", "strength", "width", "height"}  # arguments of the pipelines used here
_MORE = {"control_image", "controlnet_conditioning_scale"}  # of pipelines that need a further picture
# How much noise an inpainting pipeline adds before it paints again: 1 forgets the picture.
_STRENGTH, _STRENGTH_OF_WHOLE = 0.85, 0.6


def edits(pipe: Any) -> Edits | None:
    """How a pipeline edits a picture; None where it cannot."""
    if type(pipe).__name__ in _INSTRUCTED:
        return "instruction"
    return "mask" if _inpainting(pipe) else None


def editor(pipe: Any) -> Any:
    """The pipeline that edits with the weights of `pipe`. Raises ModelError where there is none."""
    way = edits(pipe)
    if way == "instruction":
        return pipe
    if way is None:
        raise ModelError(f"{type(pipe).__name__} cannot edit pictures.")
    from diffusers import AutoPipelineForInpainting

    try:
        made = AutoPipelineForInpainting.from_pipe(pipe)
    except (ValueError, TypeError, KeyError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{type(pipe).__name__} cannot edit pictures: {reason}") from error
    made.set_progress_bar_config(disable=True)
    return made


def arguments(
    pipe: Any, request: Paint, size: tuple[int, int], asked: tuple[int, int], steps: int
) -> dict[str, Any]:
    """What an editing pipeline is called with beyond text and seed. `size`: at which it works; `asked`: of the finished
    picture; `steps`: that it is to take."""
    assert request.reference is not None
    picture = on_canvas(request.reference.convert("RGB").resize(asked, Image.Resampling.LANCZOS), size)
    if "mask_image" not in inspect.signature(type(pipe).__call__).parameters:
        return {"image": picture}
    mask, most = Image.new("L", size, 255), _STRENGTH_OF_WHOLE
    if request.mask is not None:
        # Where the finished picture is a blend of both, it must be painted.
        mask = on_canvas(request.mask.convert("L").resize(asked), size).point(
            lambda level: 255 if level else 0
        )
        most = _STRENGTH
    scheduled = math.ceil(steps / most)
    # These pipelines take the last `strength` of their steps, some rounded up and others down.
    while scheduled * (steps / scheduled) != steps:
        scheduled += 1
    strength = steps / scheduled
    return {"image": picture, "mask_image": mask, "strength": strength, "num_inference_steps": scheduled}


def pasted(painted: Image.Image, request: Paint) -> Image.Image:
    """The reference with what was painted where the mask is white, a blend where it is grey."""
    assert request.reference is not None
    if request.mask is None:
        return painted
    before = request.reference.convert("RGB").resize(painted.size, Image.Resampling.LANCZOS)
    return Image.composite(painted, before, request.mask.convert("L").resize(painted.size))


def _inpainting(pipe: Any) -> Any:
    """The inpainting class for the weights of a pipeline; None where diffusers has none."""
    import diffusers

    # By name: the mapping of AutoPipelineForInpainting would import every pipeline that there is.
    found = getattr(diffusers, type(pipe).__name__.replace("Pipeline", "InpaintPipeline"), None)
    takes = set(inspect.signature(found.__call__).parameters) if found else set()
    return found if takes >= _INPAINTS and not takes & _MORE else None
