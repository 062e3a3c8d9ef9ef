"""The grammar is the ground truth of everything bundled: truth, held-out combinations, renders, captions."""

from __future__ import annotations

import numpy as np
import pytest

from models.english import OPPOSITE
from models.mini.dataset.art import natural_colours
from models.mini.dataset.caption import describe, tokenizer
from models.mini.dataset.lessons import (
    COLUMNS,
    IGNORED,
    SPOILED,
    STARTS,
    column,
    fact_at,
    lesson,
    truth,
    withheld_fact,
)
from models.mini.dataset.scene import (
    Fact,
    Item,
    Scene,
    facts,
    fair,
    held_out,
    render,
    sample,
    true_of,
    withheld,
)
from models.mini.dataset.statements import statement, wording
from models.mini.dataset.vocabulary import BY_NAME
from models.palette import COLOURS

PAIR = Scene("row", (Item("cat", "blue", 0, 1, 2), Item("dog", None, 2, 1, 2)), "pink", "flat")
GROUP = Scene("group", tuple(Item("star", "red", x, 1, 2) for x in (0, 2)), "white", "cartoon")


def scenes(count: int, seed: int = 0, **how: bool) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [sample(rng, **how) for _ in range(count)]


@pytest.mark.parametrize(
    ("fact", "scene", "expected"),
    [
        (Fact("object", "cat"), PAIR, True),
        (Fact("object", "star"), PAIR, False),
        (Fact("count", "cat", "1"), PAIR, True),
        (Fact("count", "star", "2"), GROUP, True),
        (Fact("count", "star", "3"), GROUP, False),
        (Fact("count", "cat", "1"), GROUP, False),
        (Fact("attribute", "cat", "blue"), PAIR, True),
        (Fact("attribute", "cat", "pink"), PAIR, False),
        (Fact("attribute", "dog", "blue"), PAIR, False),
        (Fact("attribute", "star", "blue"), PAIR, False),
        (Fact("relation", "cat", "left", "dog"), PAIR, True),
        (Fact("relation", "dog", "right", "cat"), PAIR, True),
        (Fact("relation", "dog", "left", "cat"), PAIR, False),
        (Fact("relation", "cat", "above", "dog"), PAIR, False),
        (Fact("relation", "star", "left", "star"), GROUP, False),
        (Fact("background", value="pink"), PAIR, True),
        (Fact("background", value="blue"), PAIR, False),
        (Fact("style", value="flat"), PAIR, True),
        (Fact("style", value="flat"), GROUP, False),
    ],
)
def test_truth_of_a_fact(fact: Fact, scene: Scene, expected: bool) -> None:
    assert true_of(fact, scene) is expected


def test_natural_colours_are_debatable_and_others_are_not() -> None:
    debatable = natural_colours("dog", "flat")
    assert debatable
    for colour in COLOURS:
        expected = None if colour in debatable else False
        assert true_of(Fact("attribute", "dog", colour), PAIR) is expected


def test_all_listed_facts_are_true_and_relations_come_in_pairs() -> None:
    for scene in scenes(200):
        listed = facts(scene)
        assert all(true_of(fact, scene) is True for fact in listed)
        for fact in listed:
            if fact.kind == "relation":
                assert Fact("relation", fact.other, OPPOSITE[fact.value], fact.subject) in listed


def test_training_never_sees_a_held_out_combination() -> None:
    assert not any(withheld(scene) for scene in scenes(400))
    assert any(withheld(scene) for scene in scenes(400, withhold=False))


def test_held_out_rule_is_one_in_ten_and_blind_to_order() -> None:
    share = np.mean([held_out("colour", name, colour) for name in BY_NAME for colour in COLOURS])
    assert 0.06 < share < 0.14
    assert held_out("pair", "cat", "dog") == held_out("pair", "dog", "cat")


def test_rendering_is_deterministic_and_at_any_size() -> None:
    for scene in scenes(5):
        assert np.array_equal(render(scene, 64), render(scene, 64))
        small, large = render(scene, 64).astype(float), render(scene, 256).astype(float)
        shrunk = large.reshape(64, 4, 64, 4, 3).mean((1, 3))
        assert np.abs(shrunk - small).mean() < 6


def test_scenes_are_fair_and_stand_out_from_their_background() -> None:
    for scene in scenes(60):
        assert fair(scene)
        ground = np.array(COLOURS[scene.background])
        apart = np.abs(render(scene, 64).astype(int) - ground).sum(-1) > 60
        assert apart.mean() > 0.02
    assert not fair(Scene("single", (Item("cat", "pink", 0, 0, 4),), "pink", "flat"))


def test_captions_name_every_object() -> None:
    rng = np.random.default_rng(1)
    tok = tokenizer()
    for scene in scenes(200):
        ids = tok(describe(scene, rng)).input_ids
        for item in scene.items:
            assert tok.convert_tokens_to_ids(item.object.replace(" ", "_")) in ids


def test_statements_are_the_agreed_wordings() -> None:
    assert statement(Fact("object", "cat")) == "a picture of a cat"
    assert statement(Fact("object", "airplane")) == "a picture of an airplane"
    assert statement(Fact("count", "cat", "3")) == "a picture of three cats"
    assert statement(Fact("count", "cat", "1")) == "a picture of one cat"
    assert statement(Fact("attribute", "cat", "blue")) == "a picture of a blue cat"
    relation = Fact("relation", "cat", "left", "dog")
    assert statement(relation) == "a picture of a cat to the left of a dog"
    assert statement(Fact("background", value="pink")) == "a picture with a pink background"
    assert statement(Fact("style", value="cartoon")) == "a picture in cartoon style"


def test_other_wordings_keep_the_words_that_matter() -> None:
    rng, tok = np.random.default_rng(2), tokenizer()
    for index in rng.integers(STARTS["place"], size=200):
        fact = fact_at(int(index))
        assert fact is not None
        ids = tok(wording(fact, rng)).input_ids
        if fact.subject:
            assert tok.convert_tokens_to_ids(fact.subject.replace(" ", "_")) in ids
        if fact.kind in ("attribute", "background", "style"):
            assert tok.convert_tokens_to_ids(fact.value) in ids


def test_rows_of_truth_agree_with_the_grammar() -> None:
    for scene in scenes(5):
        row = truth(scene)
        for index in range(COLUMNS):
            fact = fact_at(index)
            if fact is None:
                continue
            assert column(fact) == index
            expected = None if withheld_fact(fact) else true_of(fact, scene)
            assert row[index] == (IGNORED if expected is None else expected), (fact, scene)


def test_a_spoiled_object_is_hardly_true() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        one = lesson(rng, 64, spoil=1.0)
        first = one.scene.items[0].object
        assert one.truth[column(Fact("object", first))] == np.float32(SPOILED)
        assert not np.array_equal(one.pixels, render(one.scene, 64))
