"""Briefs of an open domain, read as a perfect reader would: they end accepted where judges are routed to all that they
ask for, and otherwise as a question to a person that names the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from models.english import statement, there_is
from models.load import stage_of
from models.specs import Stage
from pipeline.brief import Brief, Requirement
from pipeline.calls.load import load
from pipeline.config import Preset, load_preset
from pipeline.events import Attempt, Outcome
from pipeline.loop import run
from pipeline.reading.flags import flagged
from pipeline.reading.requirements import from_line, read
from pipeline.reading.rules import numbered
from tests.models.told_backends import registered

Tiny = Callable[..., Preset]

BRIEFS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Kids kicking a ball about while it rains",
     ("3 child", "child: playing football", "setting: in the rain")),
    ("A handshake of two men before an office block of glass",
     ("2 man", "man: shaking hands", "office tower", "office tower is glass")),
    ("Lady with her red hat on", ("woman", "hat", "hat is red", "woman: wearing a red hat")),
    ("She has a hat on, and it is red", ("woman", "hat", "hat is red", "statement: the woman wears the hat")),
    ("Inside a snug café at golden hour, on 35mm film",
     ("coffee shop interior", "coffee shop interior is cozy", "setting: warm golden hour light",
      "style 35mm film photo", "statement: only a small part of the picture is in focus")),
    ("OPEN in neon on a wall of bricks, after dark",
     ("neon sign", "brick wall", "text: OPEN", "setting: at night")),
    ("Seven geese above a lake, camera near the ground",
     ("7 goose", "lake", "goose above lake", "goose: flying", "statement: seen from a low angle")),
    ("Friends round a fire at their camp", ("people", "campfire", "people: sitting around a campfire")),
    ("Twelve eggs, one bowl of wood", ("12 egg", "bowl", "bowl is wooden")),
    ("The dog is after the cat", ("dog", "cat", "dog: chasing a cat")),
    ("Cyberpunk robot with an umbrella of wood in blue and orange",
     ("robot", "umbrella", "umbrella is wooden", "robot: holding an umbrella", "style cyberpunk",
      "statement: its main colours are blue and orange")),
    ("Horse and astronaut on the red planet", ("astronaut", "horse", "astronaut: riding a horse", "background mars")),
    ("An old fisherman, white-bearded, light from one side",
     ("fisherman", "fisherman is elderly", "beard", "beard is white", "setting: dramatic side lighting")),
    ("Perfume on marble for the shop, nobody in it",
     ("perfume bottle", "background marble", "setting: soft shadows", "no people")),
    ("Rotes Tier auf blauem Möbel", ("cat", "cat is red", "sofa", "sofa is blue")),
    ("Bakery mark named Krume with an ear of wheat",
     ("wheat ear", "text: Krume", "style minimalist", "style vector")),
    ("Water, glass, table", ("glass of water", "table", "statement: the glass stands on the table")),
    ("Green leaves fill a see-through teapot", ("teapot", "teapot is transparent", "tea leaf", "tea leaf is green")),
    ("Nobody in the street, night and rain, wide lens",
     ("city street", "city street is empty", "setting: at night", "setting: in the rain", "statement: wide angle")),
)  # fmt: skip

# Briefs that name two styles or two colours, which only a range makes exclusive.
STYLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("a fox logo, minimalist vector", ("fox", "style minimalist", "style vector")),
    ("a red and gold crown", ("crown", "crown is red", "crown is gold")),
    ("a parrot with blue wings and a red head",
     ("parrot", "wing", "wing is blue", "head", "head is red")),
    ("a lighthouse, cinematic, photorealistic", ("lighthouse", "style cinematic", "style photorealistic")),
    ("a robot in a street, cyberpunk, blue and orange",
     ("robot", "street", "style cyberpunk", "robot is blue", "robot is orange")),
)  # fmt: skip


@pytest.fixture(autouse=True)
def told() -> Iterator[None]:
    with registered():
        yield


def requirements(lines: Sequence[str], preset: Preset) -> tuple[Requirement, ...]:
    found = [from_line(line) for line in lines]
    assert None not in found
    return flagged(numbered([item for item in found if item]), None, preset.checked)


def boxes(wants: Sequence[Requirement]) -> list[dict[str, Any]]:
    """A row of boxes for each wanted thing, the rows one below the other in the order in which relations have them."""
    count = {r.subject: int(r.value) for r in wants if r.kind == "count"}
    things = dict.fromkeys(r.subject for r in wants if r.kind == "relation" and r.value == "above")
    things |= dict.fromkeys(r.subject for r in wants if r.kind in ("object", "count"))
    seen, high = [], 1 / len(things)
    for row, name in enumerate(things):
        wide = 1 / count.get(name, 1)
        for n in range(count.get(name, 1)):
            box = [n * wide, row * high, (n + 0.9) * wide, (row + 0.9) * high]
            seen.append({"label": name, "score": 0.99, "box": box})
    return seen


def good_judges(wants: Sequence[Requirement], scorer: float) -> dict[Stage, dict[str, Any]]:
    """The answers of judges that see a good picture. `scorer`: what the scorer says of all that is true."""
    absent = [r.subject for r in wants if r.kind == "absence"]
    says = dict.fromkeys(map(there_is, absent), 0.03) | {f"There are no {name}.": 0.97 for name in absent}
    return {
        "detector": {"kind": "told_detector", "sees": boxes(wants)},
        "scorer": {
            "kind": "told_scorer",
            "says": {str(statement("absence", name)): 0.03 for name in absent},
            "otherwise": scorer,
        },
        # Negations are denied, all else is affirmed.
        "vlm": {
            "kind": "told_vision",
            "says": says | dict.fromkeys((" not ", "There is no ", "There are no "), 0.03),
            "otherwise": 0.97,
        },
        "ocr": {"kind": "told_reader", "reads": {r.value: 0.97 for r in wants if r.kind == "text"}},
    }


def with_judges(tiny: Tiny, judges: dict[str, Any]) -> Preset:
    preset = tiny()
    data = preset.model_dump(mode="json", by_alias=True) | {
        "judges": judges,
        "judge": {"default": {"pass": 0.6, "fail": 0.4}},  # the owner's word
    }
    return Preset.model_validate(data | {"source": preset.source})


def as_turbo(tiny: Tiny, lines: Sequence[str], scorer: float = 0.2) -> tuple[Preset, tuple[Requirement, ...]]:
    """A preset with the judges and routes of turbo, which see what these lines ask for."""
    turbo = load_preset("turbo")
    wants = requirements(lines, turbo)
    says = good_judges(wants, scorer)
    preset = with_judges(tiny, {name: says[stage_of(spec)] for name, spec in turbo.judges.items()})
    assert preset.routes == turbo.routes
    return preset, wants


def play(preset: Preset, text: str, wants: Sequence[Requirement]) -> tuple[list[Attempt], Outcome]:
    brief = Brief(text=text, requirements=tuple(wants), seed=7)
    events = list(run([brief], preset, load(preset)))
    (outcome,) = (e for e in events if isinstance(e, Outcome))
    return [e for e in events if isinstance(e, Attempt)], outcome


def test_all_nineteen_are_there() -> None:
    assert len(BRIEFS) == 19


@pytest.mark.parametrize(("text", "lines"), BRIEFS)
def test_where_routes_allow_a_good_picture_is_accepted(tiny: Tiny, text: str, lines: tuple[str, ...]) -> None:
    preset, wants = as_turbo(tiny, lines)
    assert not [r.text for r in wants if r.flag or r.kind not in preset.checked]
    attempts, outcome = play(preset, text, wants)
    assert outcome.verdict is not None
    assert outcome.status == "accepted", [c.reason for c in outcome.verdict.checks if c.outcome != "pass"]
    assert (len(attempts), outcome.images) == (1, 1)


@pytest.mark.parametrize(("text", "lines"), BRIEFS)
def test_what_no_judge_is_routed_to_is_asked_of_a_person_by_name(
    tiny: Tiny, text: str, lines: tuple[str, ...]
) -> None:
    """With a scorer alone."""
    wants = requirements(lines, with_judges(tiny, {"scorer": {"kind": "told_scorer"}}))
    preset = with_judges(tiny, {"scorer": good_judges(wants, 0.97)["scorer"]})
    beyond = [r for r in wants if r.kind in ("action", "setting", "text", "statement")]
    many = [r for r in wants if r.kind == "count" and int(r.value) > 4]  # nobody but a detector counts so far
    assert {r.flag for r in beyond} <= {"uncheckable"}
    _, outcome = play(preset, text, wants)
    asked = [*beyond, *many]
    assert outcome.status == ("needs_review" if asked else "accepted")
    assert outcome.images == 1
    assert all(r.text in outcome.reason for r in asked)


@pytest.mark.parametrize(("text", "lines"), STYLES)
def test_two_styles_or_colours_are_painted(tiny: Tiny, text: str, lines: tuple[str, ...]) -> None:
    preset, wants = as_turbo(tiny, lines)
    assert not [r.text for r in wants if r.flag]
    attempts, outcome = play(preset, text, wants)
    assert attempts[0].candidates[0].plan.prompt.text == text
    assert outcome.status == "accepted"


@pytest.mark.parametrize(("text", "lines"), STYLES)
def test_rules_see_no_contradiction_in_them_either(text: str, lines: tuple[str, ...]) -> None:
    (reading,) = read([Brief(text=text)], None, None).each
    assert reading.blocked is None
    assert "contradiction" not in {r.flag for r in reading.requirements}


@pytest.mark.parametrize("scorer", [0.319, 0.198, 0.0004])
def test_a_scorer_that_is_not_calibrated_burns_no_images(tiny: Tiny, scorer: float) -> None:
    """The probabilities that SigLIP is published to give for true statements about a picture of two cats."""
    lines = ("2 cat", "sofa", "sofa is red")
    preset, wants = as_turbo(tiny, lines, scorer)
    attempts, outcome = play(preset, "two cats on a red sofa", wants)
    assert (len(attempts), outcome.images, outcome.status) == (1, 1, "accepted")
    seen = [one | {"score": 0.6} for one in boxes(wants)]  # a detector's usual score of what is there
    judges = {name: spec.model_dump(mode="json") for name, spec in preset.judges.items()}
    preset = with_judges(tiny, {**judges, "detector": {"kind": "told_detector", "sees": seen}})
    attempts, outcome = play(preset, "two cats on a red sofa", wants)
    assert (len(attempts), outcome.images, outcome.status) == (1, 1, "accepted")


def test_people_in_the_picture_are_seen_where_there_should_be_none(tiny: Tiny) -> None:
    text, lines = BRIEFS[13]
    preset, wants = as_turbo(tiny, lines)
    judges = {name: spec.model_dump(mode="json") for name, spec in preset.judges.items()}
    crowd = {"label": "people", "score": 0.99, "box": [0.0, 0.0, 1.0, 1.0]}
    judges["detector"]["sees"] = [*judges["detector"]["sees"], crowd]
    _, outcome = play(with_judges(tiny, judges), text, wants)
    assert outcome.status == "exhausted"
    assert "no people" in outcome.reason
