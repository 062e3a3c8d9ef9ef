"""The same briefs in several variants, on tiny models."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.comparing.advice import advice
from pipeline.comparing.comparison import compare
from pipeline.comparing.page import as_csv, as_json, write_comparison
from pipeline.comparing.variants import Variant, variants
from pipeline.config import Preset, load_preset
from pipeline.errors import EaselError
from pipeline.store import Store
from pipeline.store.reviews import Review
from pipeline.work.play import play

Tiny = Callable[..., Preset]
ALWAYS, NEVER = "{default: {pass: 0.0001, fail: 0.0}}", "{default: {pass: 1.0, fail: 0.999}}"
BRIEFS = "brief,seed\na cat,5\na dog,6\na red apple,7\n"


@pytest.fixture
def briefs(tmp_path: Path) -> Path:
    path = tmp_path / "briefs.csv"
    path.write_text(BRIEFS)
    return path


@pytest.fixture
def two(tiny: Tiny, briefs: Path) -> list[Variant]:
    """One that accepts the first picture, and one that accepts none of two."""
    preset = str(tiny(loop={"images": 2}).source)
    return variants(briefs, [preset], [f"judge={ALWAYS},{NEVER}"])[0]


def run(found: list[Variant], store: Store) -> None:
    list(play([row for variant in found for row in variant.rows], store))


def test_what_the_variants_share_is_made_once(two: list[Variant], tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    run(two, store)
    first, second = ([row.id for row in variant.rows] for variant in two)
    assert [paid.images for paid in store.figures.paid(first).values()] == [1, 1, 1]
    # The first picture of each brief was kept.
    assert [paid.images for paid in store.figures.paid(second).values()] == [1, 1, 1]
    assert [needed.images for needed in store.figures.in_all(second).values()] == [2, 2, 2]
    made = compare("pets", two, store)
    good, none = made.standings
    assert (good.count, good.each["images"], good.good.value) == (3, 1.0, 1.0)
    assert (none.count, none.each, none.good.value) == (0, {}, 0.0)
    assert none.against.value == -1
    assert (good.best_of_its_cost, none.best_of_its_cost) == (True, False)
    assert good.wrong.value is None
    assert advice(made).startswith("Take judge=")
    assert advice(made).endswith("3 of 3 briefs got a good picture, and no other variant is cheaper.")


def test_what_is_not_ended_is_not_compared(two: list[Variant], tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    list(play([*two[0].rows, two[1].rows[0]], store))
    made = compare("pets", two, store)
    assert [line.name for line in made.ended] == ["a-cat"]
    assert made.standings[0].count == 1
    assert "run the same command again" in advice(compare("pets", two, Store(tmp_path / "empty")))


def test_people_say_what_is_wrong_and_the_second_judge_says_the_rest(
    two: list[Variant], tiny: Tiny, tmp_path: Path
) -> None:
    store = Store(tmp_path / "out")
    run(two, store)
    cat, dog, _ = two[0].rows
    for row, decision in ((cat, "reject"), (dog, "approve")):
        store.reviews.add(Review(run=row.id, candidate="1-1", who="ann", decision=decision))  # type: ignore[arg-type]
    made = compare("pets", two, store)
    assert [line.results[0].right for line in made.lines] == [False, True, None]
    assert (made.standings[0].wrong.value, made.standings[0].count) == (0.5, 2)
    assert made.judged_by == ("ann",)
    strict = load_preset(str(tiny().source), [f"judge={NEVER}"])
    made = compare("pets", two, store, strict)
    assert [(r.right, r.judged_by) for r in (line.results[0] for line in made.lines)] == [
        (False, "ann"), (True, "ann"), (False, "tiny"),
    ]  # fmt: skip
    assert made.standings[0].count == 1


def test_another_choice_of_a_person_does_not_hide_what_the_loop_accepted(
    tiny: Tiny, briefs: Path, tmp_path: Path
) -> None:
    preset = str(tiny(loop={"images": 2, "images_per_attempt": 2}).source)
    found = variants(briefs, [preset], [f"judge={ALWAYS},{NEVER}"])[0]
    store = Store(tmp_path / "out")
    run(found, store)
    row = found[0].rows[0]
    before = compare("pets", found, store).lines[0].results[0]
    other = next(c for c in store.runs.candidates(row.id) if c.image != before.picture)
    store.reviews.add(Review(run=row.id, candidate=other.id, who="ann", decision="approve"))
    after = compare("pets", found, store).lines[0].results[0]
    assert (after.picture, after.right) == (before.picture, None)


def test_page_csv_and_json_say_the_same(two: list[Variant], tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    run(two, store)
    made = compare("pets", two, store)
    page = write_comparison(made, store).read_text()
    assert advice(made).replace("{", "{") in page.replace("&#34;", '"')
    assert page.count("<img") == 6
    assert "http" not in page
    rows = list(csv.DictReader(as_csv(made).splitlines()))
    assert [row["outcome"] for row in rows] == ["accepted", "exhausted"] * 3
    assert json.loads(as_json(made))["advice"] == advice(made)


def test_presets_and_values_are_combined(tiny: Tiny, briefs: Path) -> None:
    tiny_file = str(tiny().source)
    found, _ = variants(briefs, [tiny_file, "mini"], ["image.steps=2,3", "loop.first=model,template"])
    assert [variant.name for variant in found][:3] == [
        "tiny, image.steps=2, loop.first=model", "tiny, image.steps=2, loop.first=template",
        "tiny, image.steps=3, loop.first=model",
    ]  # fmt: skip
    assert len(found) == 8
    assert found[-1].preset.image.steps == 3


@pytest.mark.parametrize(
    ("presets", "vary", "text", "says"),
    [
        (1, [], BRIEFS, "nothing to compare"),
        (1, ["image.steps=2"], BRIEFS, "nothing to compare"),
        (1, ["image.steps"], BRIEFS, "write it as key=value,value"),
        (1, ["image.steps=2,["], BRIEFS, "cannot be read"),
        (1, ["image.steps=2,2"], BRIEFS, "two variants are called image.steps=2"),
        (1, ["image.stepz=2,3"], BRIEFS, "did you mean steps?"),
        (1, ["image.steps=" + ",".join(map(str, range(2, 40)))], BRIEFS, "more than 24"),
        (
            1,
            ["image.steps=2,3"],
            "brief,image.steps\na cat,4\n",
            "line 2 is the same for image.steps=2 and image.steps=3",
        ),
        (2, [], "brief,preset\na cat,mini\n", "line 2 is the same for tiny and mini"),
        (1, ["image.steps=2,3"], "brief,width\na cat,777777\n", "no row can be run"),
    ],
)
def test_what_cannot_be_compared_is_said(
    tiny: Tiny, tmp_path: Path, presets: int, vary: list[str], text: str, says: str
) -> None:
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(EaselError, match=says.replace("?", r"\?")):
        variants(tmp_path / "x.csv", [str(tiny().source), "mini"][:presets], vary)
