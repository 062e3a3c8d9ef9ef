"""What people decide at the page about pictures: in Review, in the Gallery, in Create and in the rows of Batch."""

from __future__ import annotations

import json
import re

import httpx
import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

from pipeline.brief import Brief
from pipeline.config import Preset, load_preset
from pipeline.events import Outcome
from pipeline.store import Store
from pipeline.work.play import play, play_one
from pipeline.work.row import Row
from tests.models.told_backends import registered, with_scorer
from tests.pipeline.tiny_preset import write_preset
from tests.ui.conftest import App, add_runs, go, state, wait_for
from tests.ui.steps import PANDA, enter_name, held_calls, open_tab, outcome, wait_for_answers

pytestmark = pytest.mark.browser


def test_who_has_nothing_to_decide_sees_no_buttons(page: Page, store: Store) -> None:
    open_tab(page, "Review")
    enter_name(page, "")
    expect(page.locator("#review-item")).to_contain_text("Write your name")
    for name in ("approve", "reject", "skip", "undo", "reason", "brief", "again"):
        expect(page.locator(f"#review-{name}")).to_be_hidden()
    before = store.reviews.log()
    page.locator("#review-item").click()
    page.keyboard.press("a")
    enter_name(page, "ann")  # answered after anything that the key had started
    expect(page.locator("#review-item")).not_to_contain_text("Write your name")
    expect(page.locator(".toast-body")).to_have_count(0)
    assert store.reviews.log() == before


def test_the_name_that_was_written_last_counts(page: Page) -> None:
    """The answer for the name that stood there when the tab was opened arrives after another was entered."""
    with held_calls(page):
        with page.expect_request("**/queue/join*"):
            open_tab(page, "Review")
        enter_name(page, "")
    expect(page.locator("#review-item")).to_contain_text("Write your name")
    wait_for_answers(page)
    expect(page.locator("#review-item")).to_contain_text("Write your name")


def test_ten_pictures_are_reviewed_by_keyboard(page: Page, store: Store, tiny_preset: Preset) -> None:
    add_runs(store, tiny_preset, [f"a cat and a dog, number {i}" for i in range(11)])
    open_tab(page, "Review")
    enter_name(page, "carl")
    head = page.locator("#review-head")
    expect(page.locator("#review-item img")).to_be_visible()
    assert page.locator("#review-item .mark").count() == 0  # not a word of the judge's
    page.locator("#review-head").click()
    before = len(store.reviews.log(who="carl"))
    left = int(head.locator("b").inner_text().split()[0])
    for i in range(10):
        page.keyboard.press("ar"[i % 2])
        expect(head.locator("b")).to_have_text(f"{left - i - 1} left")
    log = store.reviews.log(who="carl")
    assert [r.decision for r in log[before:]] == ["approve", "reject"] * 5
    assert [outcome(store, r.run) for r in log[before:]] == [("accepted", "carl"), ("rejected", "carl")] * 5
    expect(page.locator("#review-judge")).to_contain_text("judge")
    page.keyboard.press("u")
    expect(head.locator("b")).to_have_text(f"{left - 9} left")
    assert store.reviews.log(who="carl")[-1].decision == "undo"
    page.locator("#review-item button[data-word='fail']").first.click()
    expect(page.locator("#review-item button[aria-pressed='true']")).to_have_count(1)
    page.get_by_label("why not").fill("it has five legs")
    page.locator("#review-item button[data-word='pass']").last.click()  # a word on another loses nothing
    expect(page.locator("#review-item button[aria-pressed='true']")).to_have_count(2)
    expect(page.get_by_label("why not")).to_have_value("it has five legs")
    page.locator("#review-head").click()
    page.keyboard.press("r")
    expect(head.locator("b")).to_have_text(f"{left - 10} left")
    (why,) = store.reviews.log(who="carl")[-1].reasons.values()
    assert why == "it has five legs"
    expect(page.locator("#review-judge")).to_contain_text("five legs")
    page.keyboard.press("u")
    expect(page.get_by_label("why not")).to_have_value("it has five legs")
    page.keyboard.press("s")
    expect(head.locator("b")).to_have_text(f"{left - 10} left")
    page.keyboard.press("e")
    expect(page.locator("#review-brief textarea")).to_be_focused()
    page.locator("#review-export").click()
    expect(page.locator("#review-files a")).to_have_count(2)
    assert len((store.out / "reviews.jsonl").read_text().splitlines()) == len(store.reviews.log())


def test_keys_pressed_at_once_each_mean_the_picture_that_comes_next(
    page: Page, store: Store, tiny_preset: Preset
) -> None:
    add_runs(store, tiny_preset, [f"a goat and a sheep, number {i}" for i in range(6)])
    open_tab(page, "Review")
    enter_name(page, "hasty")
    expect(page.locator("#review-item img")).to_be_visible()
    page.locator("#review-head").click()
    left = int(page.locator("#review-head b").inner_text().split()[0])
    for key in ("1", "Shift+2", "a", "1", "r", "a"):
        page.keyboard.press(key)
    expect(page.locator("#review-head b")).to_have_text(f"{left - 3} left")
    first, second, third = store.reviews.log(who="hasty")
    assert [r.decision for r in (first, second, third)] == ["approve", "reject", "approve"]
    assert (first.requirements, second.requirements, third.requirements) == (
        {"r1": "pass", "r2": "fail"}, {"r1": "pass"}, {},
    )  # fmt: skip
    last = store.runs.get(third.run)
    assert last is not None
    expect(page.locator("#review-log li a").first).to_have_text(last.text)
    expect(page.locator("#review-log li").first).to_contain_text(f"candidate {third.candidate}")


def test_a_key_that_is_held_decides_once(page: Page, store: Store, tiny_preset: Preset) -> None:
    add_runs(store, tiny_preset, [f"a goat and a hen, number {i}" for i in range(4)])
    open_tab(page, "Review")
    enter_name(page, "heavy")
    expect(page.locator("#review-item img")).to_be_visible()
    page.locator("#review-head").click()
    for _ in range(3):
        page.keyboard.down("a")  # the second and third are repeats
    page.keyboard.up("a")
    page.keyboard.press("r")
    wait_for(lambda: store.reviews.log(who="heavy")[-1:], "the first decision")
    wait_for(lambda: store.reviews.log(who="heavy")[-1].decision == "reject", "the last decision")
    assert [r.decision for r in store.reviews.log(who="heavy")] == ["approve", "reject"]


def test_the_name_is_remembered(page: Page) -> None:
    wait_for_answers(page)  # the page has kept the name that it began with
    before = page.evaluate("localStorage.getItem('easel.name')")
    enter_name(page, "ruth")
    page.wait_for_function("before => localStorage.getItem('easel.name') !== before", arg=before)
    wait_for_answers(page)
    page.reload()
    page.wait_for_selector("body[data-opened]")
    expect(page.locator("#who input, #who textarea")).to_have_value("ruth")


def test_thirty_decisions_change_what_the_loop_decides(
    page: Page, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tiny = load_preset(str(write_preset(tmp_path_factory.mktemp("unmeasured"), loop={"reader": "rules"})))
    preset = with_scorer(tiny, {"a picture of an otter": 0.319})  # as much as SigLIP gives to what is true
    rows = [Row(i, Brief(text="an otter", seed=10 * i), preset, run=f"otter-{i}") for i in range(30)]
    with registered():
        outcomes = [h[1] for h in play(rows, store) if isinstance(h, tuple) and isinstance(h[1], Outcome)]
    assert {o.reason for o in outcomes} == {"not checked yet: 22 more decisions on objects"}

    open_tab(page, "Review")
    enter_name(page, "dora")
    head, item = page.locator("#review-head b"), page.locator("#review-item")
    expect(item.locator("img")).to_be_visible()
    page.locator("#review-head").click()  # so that keys are not typed into the name
    decided = 0
    while decided < 30:
        left = int(head.inner_text().split()[0])
        if item.locator("h2").inner_text() == "an otter":
            expect(item).to_contain_text("Each yes or no measures the judge")
            item.get_by_role("button", name="an otter: yes").click()
            expect(item.locator("button[aria-pressed='true']")).to_have_count(1)
            page.keyboard.press("a")
            decided += 1
        else:
            page.keyboard.press("s")
        if left > 1:
            expect(head).to_have_text(f"{left - 1} left")
        else:
            expect(head).to_have_count(0)
    assert sum(r.requirements != {} for r in store.reviews.log(who="dora")) == 30

    open_tab(page, "Models")
    shown = page.locator("#models-bands tr", has_text="people's decisions")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("Wrong accepts at most 7.4 % with 90 % confidence")
    with registered():
        accepted = play_one(Brief(text="an otter", seed=900), preset, store)
    assert (accepted.status, accepted.images) == ("accepted", 1)

    page.locator("#models-bands-export").click()
    with page.expect_download() as download:
        page.locator("#models-bands-files a").click()
    (row,) = json.loads(download.value.path().read_text())["object"]
    assert (row["source"], row["wrong_accepts"]["of"]) == ("people", 30)
    page.locator("#models-bands-chosen input").click()
    page.get_by_role("option", name=re.compile("object: told scorer")).click()
    page.locator("#models-bands-reset").click()
    expect(page.locator("#models-bands tr", has_text="people's decisions")).to_have_count(0)
    with registered():
        again = play_one(Brief(text="an otter", seed=901), preset, store)
    assert again.reason == "not checked yet: 22 more decisions on objects"


def test_the_gallery_shows_what_was_typed_last(
    page: Page, store: Store, accepted: str, tiny_preset: Preset
) -> None:
    """The answer for the empty search that stood there when the tab was opened arrives after a word was typed."""
    add_runs(store, tiny_preset, [f"a kitten, number {i}" for i in range(26)])
    cards = page.locator("#gallery [data-run]")
    with held_calls(page):
        with page.expect_request("**/queue/join*"):
            open_tab(page, "Gallery")
        page.locator("#gallery-search input, #gallery-search textarea").fill("panda on")
        page.wait_for_timeout(
            1500
        )  # a page that asks at once is caught by it; one that waits passes without it
    expect(page.locator(f"#gallery [data-run='{accepted}']")).to_be_visible()
    wait_for_answers(page)
    expect(page.locator(f"#gallery [data-run='{accepted}']")).to_be_visible()
    page.locator("#gallery-search input, #gallery-search textarea").fill("kitten")
    expect(cards).to_have_count(24)
    page.get_by_role("button", name="Show more").click()
    expect(cards).to_have_count(26)


def test_the_judge_is_overruled_in_the_gallery(page: Page, store: Store, accepted: str) -> None:
    run = store.runs.get(accepted)
    assert run is not None
    folder = store.out / run.folder
    enter_name(page, "ann")
    open_tab(page, "Gallery")
    page.locator("#gallery-search input, #gallery-search textarea").fill("panda")
    card = page.locator(f"#gallery [data-run='{accepted}']")
    card.click()
    expect(page.locator("#gallery-about h2")).to_have_text(PANDA)
    expect(page.locator("#overrule-undo")).to_be_hidden()
    page.get_by_label("Reason", exact=True).fill("it looks sad")
    page.locator("#overrule-reject").click()
    expect(page.locator("#overrule-said")).to_contain_text("is rejected")
    expect(card.locator(".mark")).to_have_text(["✗ rejected by ann"])
    said = store.reviews.log(run=accepted, who="ann")[-1]
    assert (said.decision, said.reason) == ("reject", "it looks sad")
    assert outcome(store, accepted) == ("rejected", "ann")
    assert not (folder / "accepted.png").exists()
    enter_name(page, "bob")
    page.locator("#overrule-approve").click()
    expect(page.locator("#overrule-said")).to_contain_text("is approved")
    expect(card.locator(".mark")).to_have_text(["✓ accepted by bob", "✗ rejected by ann"])
    expect(page.locator("#gallery-attempts .mark.approve")).to_have_text("✓ approved by bob")
    assert outcome(store, accepted) == ("accepted", "bob")
    for name in ("bob", "ann"):
        enter_name(page, name)
        page.locator("#overrule-undo").click()
        expect(page.locator("#gallery-about")).to_contain_text(f"taken back 1-1 by {name}")
    expect(page.locator("#overrule-undo")).to_be_hidden()
    expect(card.locator(".mark")).to_have_text(["✓ accepted"])
    assert outcome(store, accepted) == ("accepted", None)
    assert (folder / "accepted.png").read_bytes() == (folder / f"attempts/{run.best}.png").read_bytes()


def test_a_picture_that_waits_is_decided_in_create(
    page: Page, app: App, store: Store, tiny_preset: Preset
) -> None:
    (id,) = add_runs(store, tiny_preset, ["a cat that waits in Create"])
    run = store.runs.get(id)
    assert run is not None
    go(page, f"{app.url}/?job={id}")
    result = page.locator("#result")
    expect(result.locator(".decide h3")).to_have_text("A person must decide")
    enter_name(page, "")
    result.get_by_role("button", name="Approve").click()
    expect(page.locator(".toast-body", has_text="Enter your name")).to_be_visible()
    enter_name(page, "ann")
    yes = result.get_by_role("button", name=": yes").first
    yes.click()
    expect(yes).to_have_attribute("aria-pressed", "true")
    result.get_by_label("Reason for the decision").fill("a fine cat")
    result.get_by_role("button", name="Approve").click()
    expect(result.locator(".mark").first).to_have_text("✓ accepted by ann")
    expect(result).to_contain_text("Approved by ann: a fine cat.")
    expect(result).to_contain_text("The loop ended with: needs review")
    expect(result.locator(".checks")).to_contain_text("ann said yes")
    expect(page.locator("#stand figcaption")).to_contain_text("Accepted by ann")
    link = result.locator("a[download]", has_text="Picture").get_attribute("href")
    assert str(link).endswith("accepted.png")
    assert httpx.get(f"{app.url}/{link}").status_code == 200
    (review,) = store.reviews.log(run=id)
    assert (review.why, review.requirements, review.reason) == ("unchecked", {"r1": "pass"}, "a fine cat")
    page.reload()
    page.wait_for_selector("body[data-opened]")
    expect(result.locator(".mark").first).to_have_text("✓ accepted by ann")
    enter_name(page, "bob")
    result.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast-body", has_text="Ann decided this")).to_be_visible()
    enter_name(page, "ann")
    result.get_by_role("button", name="Undo").click()
    expect(result.locator(".mark").first).to_have_text("? needs review")
    assert outcome(store, id) == ("needs_review", None)
    assert not (store.out / run.folder / "accepted.png").exists()


def test_rows_of_a_batch_are_decided_where_they_stand(
    page: Page, client: Client, store: Store, tiny_preset: Preset
) -> None:
    content = "brief\na cat in a row\na dog in a row\n"
    id = client.predict(content, "csv", "waiting", tiny_preset.name, api_name="/submit_batch")["id"]
    wait_for(lambda: state(store, id) == "done", "the batch")
    open_tab(page, "Batch")
    enter_name(page, "ann")
    table = page.locator("#batch-table")
    expect(table.locator(".mark.needs_review")).to_have_count(2)
    expect(table.locator("button[data-report]")).to_have_count(0)
    table.get_by_role("button", name="Approve: a cat in a row").click()
    expect(table.locator(".mark.accepted")).to_have_text("✓ accepted by ann")
    table.get_by_role("button", name="Reject: a dog in a row").click()
    expect(table.locator(".mark.rejected")).to_have_text("✗ rejected by ann")
    rows = client.predict(id, api_name="/batch")["rows"]
    assert [(row["outcome"], row["decided_by"]) for row in rows] == [("accepted", "ann"), ("rejected", "ann")]
    report = store.out / f"report-{id}.html"
    assert "accepted by ann" not in report.read_text().lower()
    table.locator("button[data-report]").click()
    expect(table.locator("button[data-report]")).to_have_count(0)
    assert "accepted by ann" in report.read_text().lower()
    table.get_by_role("button", name="Undo: a dog in a row").click()
    expect(table.locator(".mark.needs_review")).to_have_count(1)
    expect(table.locator("button[data-report]")).to_have_count(1)
