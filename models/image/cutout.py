"""Things on a plain ground, cut out: the ground becomes transparent, with a soft edge that holds none of its colour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

_RING = 0.02  # width of the border in which the ground is looked at, as a share of a side
_PLAIN = (14, 0.97)  # so near to the border's median colour, of 255, is this share of a plain border
STANDS_OUT = 24  # of 255: what differs more from the ground is shown on it
_EDGE = 0.012  # of a side: how far from the ground the colours of the thing are mixed with it
_HOLE = (
    0.0008  # of the picture: a part of ground inside a thing that is smaller is a gleam or a gap, and stays
)
_SPECK = (
    0.0002  # of the picture: what covers less and touches nothing is a fault of the painter, and no thing
)
_WHITE = 235  # of 255: a ground with all channels above it may be the colour of a part of the thing

Pixels = NDArray[np.uint8]


def ground(pixels: Pixels) -> Pixels | None:
    """The colour of the border; None where the border is not plain."""
    width = max(2, round(_RING * min(pixels.shape[:2])))
    border = np.ones(pixels.shape[:2], bool)
    border[width:-width, width:-width] = False
    ring = pixels[border].astype(np.int16)
    middle = np.median(ring, axis=0)
    near, share = _PLAIN
    plain = (np.abs(ring - middle).max(1) <= near).mean() >= share
    return middle.astype(np.uint8) if plain else None


def cut_out(image: Image.Image) -> Image.Image | None:
    """The picture as RGBA, its ground transparent; None where the ground is not plain or nothing stands on it.

    A pixel of the edge is a mixture of the ground and the thing. The thing's colour is that of the nearest pixel
    inside; the share of it is the opacity, and the pixel gets that colour, so that no ground shines through."""
    pixels = np.asarray(image.convert("RGB"))
    colour = ground(pixels)
    if colour is None:
        return None
    away = pixels.astype(np.float32) - colour
    shown = np.abs(away).max(2) > STANDS_OUT
    if not shown.any():
        return None
    outside = _outside(~shown, bool((colour >= _WHITE).all()))
    parts, _ = ndimage.label(~outside, np.ones((3, 3)))
    outside |= (np.bincount(parts.ravel()) < _SPECK * parts.size)[parts]
    width = max(2, round(_EDGE * min(shown.shape)))
    # Two pixels of the ground's side are of the edge, too: they differ from it by less than STANDS_OUT.
    depth = ndimage.distance_transform_edt(~outside)
    # The middle of a part that is thinner than its edges is the purest of it.
    inside = (depth > width) | ((depth > 1) & (depth == ndimage.maximum_filter(depth, 2 * width + 1)))
    if not inside.any():
        return None
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    pure = pixels[tuple(nearest)].astype(np.float32)
    span = pure - colour
    opacity = (away * span).sum(2) / np.maximum((span * span).sum(2), 1.0)
    near = ndimage.binary_dilation(inside, iterations=2 * width)
    opacity = np.where(inside, 1.0, np.where(near, opacity.clip(0, 1), shown & ~outside))
    opacity = np.where(opacity < 0.04, 0.0, opacity)
    edge = ~inside & near  # a part that is thin and far from all that is thick keeps its colours
    made = np.where(edge[..., None], pure, pixels)
    return Image.fromarray(np.dstack([made, opacity * 255]).round().clip(0, 255).astype(np.uint8), "RGBA")


def _outside(plain: NDArray[np.bool_], white: bool) -> NDArray[np.bool_]:
    """Where the ground shows: what is joined to the border, and the holes of things unless the ground is white, which
    things are themselves."""
    labels, _ = ndimage.label(plain)
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    joined = np.isin(labels, np.unique(rim[rim > 0]))
    if white:
        return joined
    sizes = np.bincount(labels.ravel())
    large = np.flatnonzero(sizes >= _HOLE * labels.size)
    return joined | np.isin(labels, large[large > 0])
