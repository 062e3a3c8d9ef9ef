"""The size at which a pipeline paints. A network paints well near the pixel count that it was trained at, so other
sizes are painted there, with the asked ratio of sides, and then resized."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image

BLOCK = 32  # pixels; sides are multiples of it
AS_ASKED = (0.5, 1.25)  # shares of the native pixel count that are painted without resizing
LONGEST = 2  # native sides: networks know no longer pictures, and some refuse them


def native_side(pipe: Any) -> int | None:
    """The side in pixels of the square that a pipeline was trained to paint; None where it does not say."""
    if pixels := pipe.config.get("default_sample_size"):  # an argument of the pipeline, which names pixels
        return int(pixels)
    network = getattr(pipe, "unet", None) or getattr(pipe, "transformer", None)
    said = getattr(pipe, "default_sample_size", None) or getattr(network, "config", {}).get("sample_size")
    latents = max(said) if isinstance(said, (list, tuple)) else said
    return int(latents) * int(getattr(pipe, "vae_scale_factor", None) or 1) if latents else None


def painted_size(asked: tuple[int, int], native: int, factor: int) -> tuple[int, int]:
    """The size to paint for the `asked` one. `factor`: pixels a side of one latent.

    It has about the native pixel count and the asked ratio, unless the asked size is near that already, or its longer
    side would exceed LONGEST native sides. Sides are rounded to whole blocks: pipelines refuse or change a size that is
    no multiple of 8, of 16 (patches of two) or, for Sana, of 32.
    """
    width, height = asked
    block = math.lcm(BLOCK, 2 * factor)
    share = width * height / native**2
    if AS_ASKED[0] <= share <= AS_ASKED[1] and max(asked) <= LONGEST * native:
        return -(-width // block) * block, -(-height // block) * block
    scale = min(share**-0.5, LONGEST * native / max(asked))
    return (
        max(1, round(width * scale / block)) * block,
        max(1, round(height * scale / block)) * block,
    )


def fitted(image: Image.Image, asked: tuple[int, int]) -> Image.Image:
    """The picture at the asked size: cut to the asked ratio of sides around its middle, and resized."""
    box = _middle(image.size, asked)
    if (box[2] - box[0], box[3] - box[1]) == asked:  # nothing is blurred
        return image.crop(tuple(map(round, box)))  # type: ignore[arg-type]
    return image.resize(asked, Image.Resampling.LANCZOS, box=box)


def on_canvas(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A picture of `size` from which `fitted` would make `image`: `image` resized, and its edges repeated where `size`
    has another ratio of sides."""
    left, top, right, bottom = map(round, _middle(size, image.size))
    inner = image.resize((right - left, bottom - top), Image.Resampling.LANCZOS)
    beside = [(top, size[1] - bottom), (left, size[0] - right), (0, 0)]
    pixels = np.asarray(inner)
    return Image.fromarray(np.pad(pixels, beside[: pixels.ndim], mode="edge"))


def _middle(size: tuple[int, int], asked: tuple[int, int]) -> tuple[float, float, float, float]:
    """The box in a picture of `size` that becomes one of the asked size."""
    width, height = asked
    more = size[0] - width, size[1] - height
    near = width * height >= AS_ASKED[0] * size[0] * size[1]
    if near and min(more) >= 0 and max(more) < BLOCK:  # painted at the asked size, rounded up
        return more[0] // 2, more[1] // 2, more[0] // 2 + width, more[1] // 2 + height
    scale = min(size[0] / width, size[1] / height)
    x, y = (size[0] - width * scale) / 2, (size[1] - height * scale) / 2
    return x, y, size[0] - x, size[1] - y


def tile(vae: Any, side: int) -> None:
    """Let an autoencoder work in tiles, of at most half of a picture's `side`: one of the whole picture saves
    nothing."""
    most = max(BLOCK, side // 2)
    if hasattr(vae, "tile_sample_min_height"):
        edge = min(vae.tile_sample_min_height, most)
        vae.enable_tiling(edge, edge, edge * 3 // 4, edge * 3 // 4)
        return
    vae.enable_tiling()
    if hasattr(vae, "tile_sample_min_size") and vae.tile_sample_min_size > most:
        vae.tile_latent_min_size = max(1, round(most * vae.tile_latent_min_size / vae.tile_sample_min_size))
        vae.tile_sample_min_size = most
