"""Repair by editing and by a larger painter: real pipelines paint, and judges whose answers are told decide."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.image.diffusers_backend import DiffusersImage
from models.protocols import Paint
from pipeline.brief import Brief, Requirement
from pipeline.calls.load import load
from pipeline.calls.operations import ImageOperation
from pipeline.config import Preset
from pipeline.events import Attempt, Outcome
from pipeline.judging.feedback import fallen, repair
from pipeline.judging.verdict import Check, Verdict
from pipeline.loop import run
from pipeline.painting.image import IMAGE_STEP, Plan
from pipeline.results.run_folder import read_metadata
from pipeline.results.sheet import caption
from pipeline.store import Store
from scripts.commands.run import run_briefs
from tests.models.image.tiny_image import MAKERS, SIZE
from tests.models.told_backends import Seen, ToldDetector, ToldScorer, registered
from ui.run_parts import attempt
from ui.view import view

Tiny = Callable[..., Preset]
CAT, BLUE = "a picture of a cat", "a picture with a blue background"
GOOD = {CAT: 0.9, BLUE: 0.9}
DOG = Seen(label="dog", score=0.9, box=(0.25, 0.25, 0.5, 0.5))
BRIEF = "a cat on a blue background without a dog"
BANDS = {"default": {"pass": 0.6, "fail": 0.4}}


@pytest.fixture
def told(tiny: Tiny) -> Iterator[Callable[..., Preset]]:
    """`told(says, sees, …)`: a tiny preset whose scorer says of the first, second and so on of the pictures what is in
    `says`, and whose detector sees in it what is in `sees`."""

    def make(
        says: tuple[dict[str, float], ...], sees: tuple[tuple[Seen, ...], ...] = ((),),
        escalate: tuple[DiffusersImage, ...] = (), **sections: Any,
    ) -> Preset:  # fmt: skip
        sections["loop"] = {"images": 4, "edit": True, **sections.get("loop", {})}
        preset = tiny(**sections)
        judges = {
            "eyes": ToldScorer(in_turn=says),
            "boxes": ToldDetector(kind="told_detector", in_turn=sees),
        }
        routes = {"object": ["eyes"], "background": ["eyes"], "absence": ["boxes"]}
        judge = type(preset.judge).model_validate({**BANDS, "routes": routes})
        if sections.get("image") == "flux2_klein":
            soft = str(softened(preset.base / "flux2_klein"))
            preset = preset.model_copy(update={"image": preset.image.model_copy(update={"model": soft})})
        image = preset.image.model_copy(update={"escalate": escalate})
        return preset.model_copy(update={"judges": judges, "judge": judge, "image": image})

    with registered():
        yield make


def play(preset: Preset, text: str = BRIEF, **more: Any) -> tuple[list[Attempt], Outcome]:
    events = list(run([Brief(text=text, seed=7, **more)], preset, load(preset)))
    (outcome,) = (e for e in events if isinstance(e, Outcome))
    return [e for e in events if isinstance(e, Attempt)], outcome


def softened(folder: Path) -> Path:
    """A copy of a checkpoint whose random weights paint noise, which never passes: one that paints the same in faint
    colours."""
    copy = folder.with_name(f"{folder.name}_softened")
    if not copy.exists():
        from diffusers import AutoencoderKLFlux2

        shutil.copytree(folder, copy)
        vae = AutoencoderKLFlux2.from_pretrained(copy / "vae")
        vae.decoder.conv_out.weight.data *= 0.1
        vae.save_pretrained(copy / "vae")
    return copy


def actions(attempts: list[Attempt]) -> list[str]:
    return [attempt.change.action for attempt in attempts]


def larger(folder: Path, **more: Any) -> DiffusersImage:
    """Another painter, with a name of its own."""
    if not (folder / "larger").exists():
        MAKERS["sd_tiny_vae"](folder / "larger")
    spec = {"device": "cpu", "dtype": "float32", "width": SIZE, "height": SIZE, "steps": 3, "guidance": 3.0}
    return DiffusersImage(kind="diffusers", model=str(folder / "larger"), **{**spec, **more})


@pytest.mark.parametrize("image", ["sd_tiny_vae", "flux2_klein"])
def test_an_edit_that_mends_what_failed_is_kept(told: Callable[..., Preset], image: str) -> None:
    preset = told((GOOD,), ((DOG,), ()), image=image)
    (first, second), outcome = play(preset)
    assert first.next == second.change
    assert (second.change.action, second.change.box) == ("edit", DOG.box)
    assert outcome.status == "accepted"
    assert outcome.images == 2
    assert outcome.best is not None
    assert outcome.best.id == "2-1"
    assert outcome.best.model == first.candidates[0].model
    before, after = (np.asarray(a.candidates[0].image).astype(int) for a in (first, second))
    change = np.abs(after - before).max(axis=2)
    inside = slice(int(0.3 * SIZE), int(0.45 * SIZE))
    assert change[inside, inside].mean() > 0
    assert change[int(0.75 * SIZE) :].max() == 0
    words = outcome.best.plan.prompt.text
    instructed = "remove every dog; keep everything else as it is"
    assert words == (instructed if image == "flux2_klein" else "empty blue background")
    assert outcome.best.plan.model_dump(mode="json")["edit"] == {"candidate": "1-1", "box": list(DOG.box)}


def test_without_a_box_the_whole_picture_is_edited(told: Callable[..., Preset]) -> None:
    preset = told(({**GOOD, BLUE: 0.1}, GOOD), image="flux2_klein")
    (_, second), outcome = play(preset)
    assert (second.change.action, second.change.box) == ("edit", None)
    assert second.candidates[0].plan.prompt.text == "make the background blue; keep everything else as it is"
    assert outcome.status == "accepted"


def test_an_edit_that_breaks_another_check_is_undone(told: Callable[..., Preset]) -> None:
    no_cat = {**GOOD, CAT: 0.1}
    # The edit mends one check and breaks another. The picture after it is worse than both, and so are all others.
    preset = told((GOOD, no_cat, {CAT: 0.1, BLUE: 0.1}), ((DOG,), (), (DOG,)), loop={"images": 4})
    attempts, outcome = play(preset)
    assert actions(attempts)[:2] == ["start", "edit"]
    assert "edit" not in actions(attempts)[2:3]
    assert attempts[1].next is not None
    assert attempts[1].next.reason.startswith("the edit is undone, because it harmed: a cat; missing: no dog")
    assert outcome.best is not None
    assert outcome.best.id == "1-1"
    # What is painted next is no edit, and has the words of a picture.
    assert attempts[2].candidates[0].plan.edit is None
    assert "keep everything else" not in attempts[2].candidates[0].plan.prompt.text


def test_after_an_edit_that_was_kept_new_pictures_have_the_words_of_a_picture(
    told: Callable[..., Preset],
) -> None:
    bad = {CAT: 0.1, BLUE: 0.1}
    preset = told((bad, {**bad, BLUE: 0.9}, bad), image="flux2_klein", loop={"images": 5})
    attempts, outcome = play(preset)
    assert outcome.best is not None
    assert outcome.best.plan.edit is not None
    new = [a for a in attempts if a.change.action in ("reseed", "guide", "rephrase")]
    assert {a.change.action for a in new} >= {"reseed", "rephrase"}
    assert all("keep everything else" not in c.plan.prompt.text for a in new for c in a.candidates)


def test_a_painter_that_cannot_edit_gets_no_edit(told: Callable[..., Preset]) -> None:
    attempts, _ = play(told(({CAT: 0.1, BLUE: 0.9},), ((DOG,),), image="prx_pixel", loop={"images": 5}))
    assert len(attempts) == 5
    assert "edit" not in actions(attempts)


def test_edits_can_be_turned_off(told: Callable[..., Preset]) -> None:
    attempts, _ = play(told(({CAT: 0.1, BLUE: 0.9},), ((DOG,),), loop={"images": 4, "edit": False}))
    assert "edit" not in actions(attempts)


def test_the_larger_painter_is_last_and_stays(told: Callable[..., Preset], tmp_path: Path) -> None:
    never = ({CAT: 0.1, BLUE: 0.9},)
    preset = told(never, escalate=(larger(tmp_path),), loop={"images": 8})
    attempts, outcome = play(preset)
    assert outcome.status == "exhausted"
    taken = actions(attempts)
    at = taken.index("other painter")
    assert set(taken[:at]) == {"start", "edit", "rephrase", "reseed", "guide"}
    assert set(taken[at:]) == {"other painter"}
    assert len(taken) == outcome.images == 8
    names = [a.candidates[0].model for a in attempts]
    assert names == ["sd_tiny_vae"] * at + ["larger"] * (8 - at)
    assert [call.model["name"] for a in attempts[at:] for call in a.calls if call.stage == "image"] == names[
        at:
    ]
    assert len({c.plan.key for a in attempts for c in a.candidates}) == 8
    record = attempts[at].candidates[0].plan.model_dump(mode="json")
    assert record["other_painter"] == 1
    # Steps: 2 each, with twice as many for `guide`; 3 each by the larger one.
    assert outcome.image_steps == 2 * at + 2 + 3 * (8 - at)


def test_the_larger_painter_gets_the_last_picture_of_the_budget(
    told: Callable[..., Preset], tmp_path: Path
) -> None:
    bad = {CAT: 0.1, BLUE: 0.9}
    preset = told((bad, bad, GOOD), escalate=(larger(tmp_path),), loop={"images": 3})
    attempts, outcome = play(preset)
    assert actions(attempts) == ["start", "edit", "other painter"]
    # No band holds for pictures of another painter but the owner's word, which holds for all.
    assert outcome.status == "accepted"
    assert outcome.best is not None
    assert outcome.best.model == "larger"


def test_a_larger_painter_that_the_budget_cannot_pay_is_not_asked(
    told: Callable[..., Preset], tmp_path: Path
) -> None:
    never = ({CAT: 0.1, BLUE: 0.9},)
    preset = told(never, escalate=(larger(tmp_path, steps=50),), loop={"images": 9, "image_steps": 12})
    attempts, outcome = play(preset)
    assert "other painter" not in actions(attempts)
    assert outcome.image_steps == 12


def test_no_larger_painter_no_escalation(told: Callable[..., Preset]) -> None:
    attempts, _ = play(told(({CAT: 0.1, BLUE: 0.9},), loop={"images": 8}))
    assert "other painter" not in actions(attempts)


def test_an_edit_that_fails_does_not_end_the_run(told: Callable[..., Preset]) -> None:
    bad = {CAT: 0.1, BLUE: 0.9}
    faults = {"faults": {"plan": ["ok", "error", "error"]}, "retries": 1}
    attempts, outcome = play(told((bad,), ((DOG,),), settings=faults, loop={"images": 3}))
    assert attempts[0].next is not None
    assert attempts[0].next.action == "edit"
    assert len(attempts) == outcome.images == 3
    assert "edit" not in actions(attempts)
    assert [bool(call.error) for call in attempts[1].calls if call.stage == "image"] == [True, True, False]
    assert any(text.startswith("edit, nothing could be painted") for text in outcome.degraded)


def test_a_larger_painter_that_fails_does_not_end_the_run(
    told: Callable[..., Preset], tmp_path: Path
) -> None:
    broken = larger(tmp_path, paint_size=SIZE)  # it paints squares only
    bad = {CAT: 0.1, BLUE: 0.9}
    preset = told((bad,), escalate=(broken,), loop={"images": 3})
    attempts, outcome = play(preset, width=SIZE, height=SIZE * 2)
    assert outcome.status == "exhausted"
    assert len(attempts) == 3
    assert "other painter" not in actions(attempts)
    assert any(text.startswith("other painter, nothing could be painted") for text in outcome.degraded)
    failed = [call for a in attempts for call in a.calls if call.error]
    assert failed
    assert all(call.model["name"] == "larger" for call in failed)


def test_the_calls_of_a_painter_that_failed_last_are_in_the_record(
    told: Callable[..., Preset], tmp_path: Path
) -> None:
    broken = larger(tmp_path, paint_size=SIZE)
    settings = {"seeds_differ": False}  # so that nothing is left to try after `guide`
    preset = told(
        ({CAT: 0.1, BLUE: 0.9},), escalate=(broken,), settings=settings, loop={"images": 9, "edit": False}
    )
    attempts, outcome = play(preset, width=SIZE, height=SIZE * 2)
    assert actions(attempts) == ["start", "guide", "other painter"]
    assert attempts[-1].candidates == ()
    assert all(call.error for call in attempts[-1].calls)
    assert outcome.reason.startswith("nothing is left to try")
    assert outcome.best is not None


def test_an_edit_mends_the_worst_fault_first() -> None:
    must, nice = (Requirement(id=id, kind="other", text=id, must=id == "must") for id in ("must", "nice"))

    def checks(**outcomes: tuple[str, Any]) -> Verdict:
        made = [
            Check(requirement=id, probability=None, outcome=outcome, judge="", reason="", box=box)  # type: ignore[arg-type]
            for id, (outcome, box) in outcomes.items()
        ]
        return Verdict(candidate="1-1", checks=tuple(made), gate="fail", score=0.0)

    def edit(**outcomes: tuple[str, Any]) -> tuple[Any, ...]:
        step = repair([must, nice], checks(**outcomes), ["start"])
        assert step is not None
        return step.action, step.failed, step.box

    box, other = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
    assert edit(must=("fail", box), nice=("fail", other)) == ("edit", ("must",), box)
    assert edit(must=("pass", box), nice=("fail", other)) == ("edit", ("nice",), other)
    assert edit(must=("fail", None), nice=("unsure", other)) == ("edit", ("must", "nice"), None)
    before = checks(must=("fail", None), nice=("pass", None))
    after = checks(must=("unsure", None), nice=("unchecked", None))
    assert fallen(before.checks, after.checks, ["must"]) == ["nice"]
    assert fallen(after.checks, before.checks, ["must"]) == []


def test_briefs_of_a_wave_may_be_at_different_painters(told: Callable[..., Preset], tmp_path: Path) -> None:
    preset = told(({CAT: 0.1, BLUE: 0.9},), escalate=(larger(tmp_path),), loop={"images": 6})
    briefs = [
        Brief(text=BRIEF, seed=7, limits={"images": n})
        for n in (2, 3, 6)  # type: ignore[arg-type]
    ]
    together = [e for e in run(briefs, preset, load(preset)) if isinstance(e, Attempt)]
    for i, brief in enumerate(briefs):
        alone = [e for e in run([brief], preset, load(preset)) if isinstance(e, Attempt)]
        mine = [a for a in together if a.brief == i]
        assert actions(mine) == actions(alone)
        assert mine[-1].change.action == "other painter"
        for one, other in zip(mine, alone, strict=True):
            assert one.candidates[0].image.tobytes() == other.candidates[0].image.tobytes()


def test_kept_results_know_the_picture_and_the_mask() -> None:
    keys = ImageOperation().keys
    spec, one, other = DiffusersImage(kind="diffusers", model="x"), picture(20), picture(200)
    plain = Paint("a cat", seed=1)
    requests = [
        plain,
        Paint("a cat", seed=1, reference=one),
        Paint("a cat", seed=1, reference=other),
        Paint("a cat", seed=1, reference=one, mask=one.convert("L")),
        Paint("a cat", seed=1, reference=one, mask=other.convert("L")),
    ]
    made = [json.dumps(key) for key in keys(requests, spec)]
    assert len(set(made)) == len(made)
    assert made == [json.dumps(key) for key in keys(requests, spec)]
    # As they were before pictures could be edited: kept results stay of use.
    assert keys([plain], spec) == [
        {"prompt": "a cat", "seed": 1, "negative": "", "width": None, "height": None, "steps": None, "guidance": None}
    ]  # fmt: skip


def picture(level: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (level, 0, 0))


def test_a_run_that_is_played_again_takes_edits_and_larger_pictures_from_the_kept_results(
    told: Callable[..., Preset], tmp_path: Path
) -> None:
    bad = {CAT: 0.1, BLUE: 0.9}
    preset = told((bad,), ((DOG,),), escalate=(larger(tmp_path),), loop={"images": 3})
    results = Store(tmp_path / "out").results
    runs = []
    for _ in range(2):
        events = list(run([Brief(text=BRIEF, seed=7)], preset, load(preset, results)))
        runs.append([e for e in events if isinstance(e, Attempt)])
    assert actions(runs[0]) == actions(runs[1]) == ["start", "edit", "other painter"]
    for one, other in zip(*runs, strict=True):
        assert one.candidates[0].image.tobytes() == other.candidates[0].image.tobytes()
        assert one.candidates[0].settings == other.candidates[0].settings
    calls = [call for attempt in runs[1] for call in attempt.calls if call.stage == "image"]
    assert [call.kept for call in calls] == [(0,)] * 3


def test_runs_and_pages_name_edits_and_the_other_painter(
    told: Callable[..., Preset], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {CAT: 0.1, BLUE: 0.9}
    preset = told((bad, bad, GOOD), ((DOG,), (DOG,), ()), escalate=(larger(tmp_path),), loop={"images": 3})
    out = tmp_path / "out"
    assert run_briefs([Brief(text=BRIEF, seed=7)], preset, out, as_json=False) == 0
    said = capsys.readouterr().out
    assert f"2-1 edit, seed {7 + IMAGE_STEP}" in said
    assert f"3-1 other painter, seed {7 + 2 * IMAGE_STEP}" in said
    (file,) = out.glob("*/run.json")
    record = json.loads(file.read_text())
    assert [a["change"]["action"] for a in record["attempts"]] == ["start", "edit", "other painter"]
    assert record["attempts"][1]["change"]["box"] == list(DOG.box)
    new, edited, others = (a["candidates"][0] for a in record["attempts"])
    assert not {"edit", "other_painter"} & new["plan"].keys()
    assert edited["plan"]["edit"] == {"candidate": "1-1", "box": list(DOG.box)}
    assert edited["settings"]["edited_by"] == "StableDiffusionInpaintPipeline"
    assert others["model"] == "larger"
    assert record["preset"]["image"]["escalate"][0]["model"].endswith("larger")
    read = read_metadata(file.parent / "attempts" / "2-1.png")
    assert read["candidate"]["plan"]["edit"]["candidate"] == "1-1"
    (row,) = Store(out).runs.find()
    shown = view(Store(out), row.id)
    assert shown is not None
    pages = [attempt(turn, shown) for turn in shown.turns]
    assert "<b>edit</b>" in pages[1]
    assert "<b>other painter</b>" in pages[2]
    assert "<b>edit</b>" not in pages[0] + pages[2]


def test_the_contact_sheet_names_them(told: Callable[..., Preset], tmp_path: Path) -> None:
    bad = {CAT: 0.1, BLUE: 0.9}
    attempts, _ = play(told((bad,), ((DOG,),), escalate=(larger(tmp_path),), loop={"images": 3}))
    text = {check.requirement: "" for a in attempts for v in a.verdicts for check in v.checks}
    made = [pair for a in attempts for pair in zip(a.candidates, a.verdicts, strict=True)]
    captions = [caption(candidate, verdict, text) for candidate, verdict in made]
    heads = [lines[0][0] for lines in captions]
    assert [head.partition("seed ")[2] for head in heads] == [
        "7", f"{7 + IMAGE_STEP}  edit", f"{7 + 2 * IMAGE_STEP}  other painter"
    ]  # fmt: skip


def test_larger_painters_follow_each_other(told: Callable[..., Preset], tmp_path: Path) -> None:
    never = ({CAT: 0.1, BLUE: 0.9},)
    painters = larger(tmp_path), larger(tmp_path, steps=5)
    preset = told(never, escalate=painters, loop={"images": 6, "escalate_after": 2})
    attempts, outcome = play(preset)
    plans = [c.plan for a in attempts for c in a.candidates]
    assert [plan.other_painter for plan in plans] == [0, 0, 1, 1, 2, 2]
    assert [c.settings["steps"] for a in attempts for c in a.candidates] == [2, 2, 3, 3, 5, 5]
    assert outcome.image_steps == 20
    assert attempts[1].next is not None
    assert attempts[1].next.reason.endswith("; handed up to larger")
    handed = [call.handed_up for a in attempts for call in a.calls if call.stage == "image"]
    assert handed == [None, None, *["pictures that failed"] * 4]
    # With few pictures in the budget each of them gets one.
    attempts, _ = play(told(never, escalate=painters, loop={"images": 3}))
    assert [a.candidates[0].plan.other_painter for a in attempts] == [0, 1, 2]


def test_a_record_of_the_only_larger_painter_is_still_read() -> None:
    former = {"prompt": {"text": "a cat", "origin": "user"}, "seed": 1, "other_painter": True}
    assert Plan.model_validate(former).other_painter == 1
