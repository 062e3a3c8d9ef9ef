"""What the judge's detector is trained on, and that it learns from it."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch

from models.mini.dataset.scene import held_out
from models.protocols import UNCLEAR
from scripts.training import detector
from scripts.training import detector_pictures as pictures
from scripts.training.detector_pictures import LABELS, MOST, blended, collage, free_scene, targets


def test_targets_are_boxes_labels_and_colours() -> None:
    rng = np.random.default_rng(3)
    for _ in range(40):
        pixels, put = collage(rng)
        boxes, labels, styles, colours = targets(put)
        assert pixels.shape == (detector.SIDE, detector.SIDE, 3)
        assert int((labels >= 0).sum()) == len(put) <= MOST
        assert boxes.min() >= 0
        assert boxes.max() <= detector.SIDE
        for i, p in enumerate(put):
            assert LABELS[int(labels[i])] == (p.object or UNCLEAR)
            assert (styles[i] < 0) == (p.object is None)
            if p.object and p.tint:
                assert colours[i].sum() == 1
            if p.tint == "":
                assert (colours[i] == -1).all()


def test_held_out_combinations_never_occur() -> None:
    rng = np.random.default_rng(4)
    for _ in range(150):
        scene = free_scene(rng)
        names = sorted({item.object for item in scene.items})
        assert not any(held_out("pair", *pair) for pair in combinations(names, 2))
        assert not any(item.tint and held_out("colour", item.object, item.tint) for item in scene.items)


def test_a_blended_latent_keeps_what_is_not_blended() -> None:
    rng = np.random.default_rng(5)
    seen = set()
    for _ in range(12):
        latent, scene, spoilt = blended(rng)
        plain = pictures.encode(scene)
        for item, is_spoilt in zip(scene.items, spoilt, strict=True):
            at = np.s_[:, 2 * item.y : 2 * (item.y + item.side), 2 * item.x : 2 * (item.x + item.side)]
            assert (not np.array_equal(latent[at], plain[at])) == is_spoilt
            seen.add(is_spoilt)
    assert seen == {True, False}


def test_the_loss_falls_as_the_answer_comes_near() -> None:
    rng = np.random.default_rng(6)
    truth = [torch.stack(part) for part in zip(*(targets(collage(rng)[1]) for _ in range(4)), strict=True)]
    torch.manual_seed(0)
    network = detector.build().eval()
    grid = network(torch.rand(4, 3, detector.SIDE, detector.SIDE) * 2 - 1)
    things = grid.things.detach().requires_grad_()
    losses = []
    for _ in range(25):
        said = detector.Grid(things, grid.boxes.detach(), grid.colours.detach(), grid.styles.detach())
        loss = detector.loss_of(said, *truth)[0]
        losses.append(float(loss.detach()))
        (slope,) = torch.autograd.grad(loss, things)
        things = (things - 40 * slope).detach().requires_grad_()
    assert losses[-1] < 0.5 * losses[0]
