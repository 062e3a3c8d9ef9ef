"""What a person does at the page, in a real browser."""

from __future__ import annotations

import re
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from playwright.sync_api import Browser, Page, Route, expect

from pipeline.config import Preset
from pipeline.store import Store
from tests.ui.conftest import NEVER_MET, PASSWORD, PATIENCE, SHOTS, App, add_runs, go, state, wait_for
from tests.ui.steps import PANDA, open_tab, wait_for_answers, watched, write
from ui.batch import EXAMPLE

pytestmark = pytest.mark.browser

TABS = {  # and what is there once a tab is filled
    "Create": "#result .mark", "Batch": "#batch-start", "Review": "#review-log h3", "Gallery": "#gallery .card img",
    "Observe": "#observe-trace .tree", "Models": "#models-judge table",
}  # fmt: skip
# Pictures below the fold are loaded only when they are scrolled to.
ALL_DRAWN = """() => [...document.images].every(
  (image) => image.complete || !image.getClientRects().length  // of a tab that is not shown
    || image.loading === "lazy" && image.getBoundingClientRect().top > innerHeight)"""


def test_a_brief_becomes_an_accepted_picture(accepted: str, store: Store) -> None:
    run = store.runs.get(accepted)
    assert run is not None
    assert run.status == "accepted"


def test_downloads_are_named_after_the_brief(page: Page, app: App, accepted: str, store: Store) -> None:
    run = store.runs.get(accepted)
    assert run is not None
    go(page, f"{app.url}/?job={accepted}")
    names = [link.get_attribute("download") for link in page.locator("#result a[download]").all()]
    assert names == [f"{run.folder}-{run.best}.png", f"{run.folder}-sheet.png", f"{run.folder}.json"]
    with page.expect_download() as download:
        page.locator("#result a[download]").first.click()
    assert download.value.suggested_filename == names[0]


def test_an_edited_requirement_is_what_is_painted_and_checked(page: Page, store: Store) -> None:
    write(page, PANDA, seed=7, images=1)
    field = page.locator("#wants .want", has_text="background").locator("input")
    field.fill("the background is blue")
    field.press("Tab")
    expect(page.locator("#wants")).to_contain_text("Read by you")
    page.locator("#wants .want", has_text="style").get_by_role(
        "button", name="press for nice to have"
    ).click()
    expect(page.locator("#wants").get_by_role("button", name="press for must have")).to_have_count(1)
    page.locator("#paint").click()
    expect(page.locator("#result .mark").first).to_be_visible()
    run = store.runs.get(watched(page))
    assert run is not None
    assert run.reading is not None
    wants = {w["text"]: w["must"] for w in run.reading["requirements"]}
    assert wants == {"a panda": True, "the background is blue": True, "cartoon style": False}
    assert "blue" in page.locator("#history .prompt").inner_text()


def test_an_edited_list_is_not_lost_with_a_word_of_the_brief(page: Page) -> None:
    brief, wants = page.locator("#brief textarea"), page.locator("#wants .want")
    brief.fill(PANDA)
    expect(wants).to_have_count(3)
    wants.last.get_by_role("button", name="Remove").click()
    expect(wants).to_have_count(2)
    brief.fill(PANDA.replace("panda", "fox"))
    expect(wants).to_have_count(3)
    page.get_by_role("button", name="Bring back my list").click()
    expect(wants).to_have_count(2)
    expect(page.locator("#wants")).to_contain_text("Read by you")
    expect(page.get_by_role("button", name="Bring back my list")).to_have_count(0)
    expect(brief).to_have_value(PANDA.replace("panda", "fox"))


def test_the_field_for_a_further_requirement_is_free_for_the_next(page: Page) -> None:
    page.locator("#brief textarea").fill("a panda")
    expect(page.locator("#wants .want")).to_have_count(1)
    page.get_by_label("A further requirement").click()
    for number, words in enumerate(("flat style", "no dogs", "blue background"), 2):
        page.keyboard.type(words)
        page.keyboard.press("Enter")
        expect(page.locator("#wants .want")).to_have_count(number)
        expect(page.get_by_label("A further requirement")).to_have_value("")
        expect(page.get_by_label("A further requirement")).to_be_focused()
    said = [field.input_value() for field in page.locator("#wants .want input").all()]
    assert said == ["a panda", "flat style", "no dog", "the background is blue"]


def test_a_reading_that_comes_late_is_shown(page: Page, client: Client, store: Store, busy: str) -> None:
    write(page, "two frogs, flat style", images=1)
    expect(page.locator("#wants")).to_contain_text("Read by the rules")
    expect(page.locator("#heard")).to_contain_text("The text model is reading")
    page.locator("#paint").click()
    id = watched(page)
    client.predict(busy, "cancel", api_name="/ask")
    expect(page.locator("#result .mark").first).to_be_visible()
    expect(page.locator("#wants")).to_contain_text("Read by SmolLM2")
    expect(page.locator("#heard .soft")).to_have_count(0)
    assert state(store, id) == "done"


def test_a_reading_is_not_laid_over_what_is_being_typed(
    page: Page, client: Client, store: Store, busy: str
) -> None:
    write(page, "three cats, flat style")
    expect(page.locator("#heard")).to_contain_text("The text model is reading")
    field = page.locator("#wants .want").first.locator("input")
    field.focus()
    page.keyboard.press("End")
    page.keyboard.type(" and")
    client.predict(busy, "cancel", api_name="/ask")
    wait_for(lambda: not store.jobs.list("queued", "running"), "the text model's answer")
    wait_for_answers(page)
    expect(field).to_be_focused()
    page.keyboard.type(" a dog")
    expect(field).to_have_value(re.compile(".+ and a dog"))
    page.keyboard.press("Tab")
    expect(page.locator("#wants")).to_contain_text("Read by you")


def test_what_the_rules_read_is_not_laid_over_it_either(page: Page, busy: str) -> None:
    """The text model is asked before the answer of the rules has arrived."""
    late: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if late or "three cats" not in (route.request.post_data or ""):
            route.continue_()
        else:
            late.append(route)

    page.route("**/queue/join*", hold_the_first)
    write(page, "three cats, flat style")
    expect(page.locator("#heard")).to_contain_text("The text model is reading")
    field = page.locator("#wants .want").first.locator("input")
    field.focus()
    page.keyboard.press("End")
    page.keyboard.type(" and")
    late[0].continue_()
    wait_for_answers(page, 3)
    expect(field).to_be_focused()
    page.keyboard.type(" a dog")
    expect(field).to_have_value(re.compile(".+ and a dog"))
    expect(page.locator("#heard")).to_contain_text("The text model is reading")


def test_a_contradiction_is_pointed_out_before_painting(page: Page) -> None:
    page.locator("#brief textarea").fill("a red cat, the cat is blue, it should feel premium")
    expect(page.locator("#wants .contradiction")).to_have_count(2)
    expect(page.locator("#wants .uncheckable")).to_have_count(1)
    expect(page.locator("#wants .callout")).to_contain_text("contradicts itself")
    paint = page.locator("#paint")
    expect(paint).to_be_disabled()
    page.locator("#wants .contradiction").first.get_by_role("button", name="Remove").click()
    expect(page.locator("#wants .contradiction")).to_have_count(0)
    expect(paint).to_be_enabled()


def test_a_budget_is_held(page: Page, store: Store) -> None:
    write(page, "a cat on a red background, mostly blue", images=24)
    page.get_by_label("Money").fill("0.01")
    page.locator("#paint").click()
    expect(page.locator(".toast-body")).to_contain_text("machine.price is 0")
    page.get_by_label("Money").fill("")  # as good as 0
    page.get_by_label("Image-steps").fill("1")
    page.locator("#paint").click()
    expect(page.locator("#result")).to_contain_text("image-steps of the brief's budget")
    job = store.jobs.get(watched(page))
    assert job is not None
    assert job.payload["set"] == ["loop.images=24", "loop.image_steps=1"]


def test_ctrl_enter_paints(page: Page, store: Store, client: Client, busy: str) -> None:
    page.locator("#brief textarea").fill("a cat on a red background")
    page.keyboard.press("Control+Enter")
    id = watched(page)
    job = store.jobs.get(id)
    assert job is not None
    assert job.payload["brief"]["text"] == "a cat on a red background"
    client.predict(id, "cancel", api_name="/ask")


def test_errors_of_what_was_done_before_go(page: Page) -> None:
    page.get_by_role("button", name="Settings").first.click()
    page.locator("#brief textarea").fill("a cat")
    page.get_by_label("Seed").fill("x")
    page.locator("#paint").click()
    expect(page.locator(".toast-body")).to_contain_text("is not a seed")
    page.get_by_label("Seed").fill("1")
    page.get_by_label("Width").fill("1024")
    page.get_by_label("Height").fill("256")
    page.locator("#paint").click()
    expect(page.locator(".toast-body", has_text="paints squares, not 1024 × 256")).to_be_visible()
    expect(page.locator(".toast-body")).to_have_count(1)


# Opens a section, types into its fields in the moment in which each is there, and paints at once.
TYPE_AND_PAINT = """async ([section, values]) => {
  const turn = () => new Promise((done) => setTimeout(done));
  [...document.querySelectorAll("button")].find((b) => b.textContent.trim().startsWith(section)).click();
  const named = (words) => document.querySelector(`[aria-label="${words}"]`)
    ?? [...document.querySelectorAll("label")].find((l) => l.textContent.trim().startsWith(words))
      ?.querySelector("input, textarea");
  for (const [label, value] of Object.entries(values)) {
    let field;
    while (!(field = named(label))) await turn();
    field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  // As long as a slow hand needs: until the browser has drawn the page some times.
  for (let n = 0; n < 30; n++) await new Promise(requestAnimationFrame);
  document.querySelector("#paint button, button#paint").click();
}"""


@pytest.mark.parametrize(
    ("section", "typed", "expected"),
    [
        (
            "Budget",
            {
                "number input for Images at most": "24", "Image-steps": "9", "Seconds": "50", "Tokens": "8000",
                "Joules": "900", "Money": "2", "Price per hour": "0.5",
            },
            [
                "loop.images=24", "loop.seconds=50", "loop.tokens=8000", "loop.image_steps=9", "loop.joules=900",
                "loop.money=2", "machine.price=0.5",
            ],
        ),
        ("Settings", {"Seed": "17", "Width": "256", "Height": "256"}, [17, 256, 256]),
    ],
)  # fmt: skip
def test_what_is_typed_at_once_is_painted(
    page: Page,
    store: Store,
    client: Client,
    busy: str,
    section: str,
    typed: dict[str, str],
    expected: list[Any],
) -> None:
    page.locator("#brief textarea").fill("a cat on a red background")
    page.evaluate(TYPE_AND_PAINT, [section, typed])
    id = watched(page)
    job = store.jobs.get(id)
    assert job is not None
    brief = job.payload["brief"]
    said = job.payload["set"] if section == "Budget" else [brief["seed"], brief["width"], brief["height"]]
    assert said == expected
    client.predict(id, "cancel", api_name="/ask")


def test_requirements_edited_at_once_are_painted(page: Page, store: Store, client: Client, busy: str) -> None:
    """Every answer to an edit arrives after Paint was pressed."""
    late: list[Route] = []
    page.locator("#brief textarea").fill(PANDA)
    expect(page.locator("#wants .want")).to_have_count(3)
    page.route(
        "**/queue/join*",
        lambda route: (
            late.append(route) if '"edits"' in (route.request.post_data or "") else route.continue_()
        ),
    )
    page.locator("#wants .want", has_text="background").locator("input").fill("the background is blue")
    page.locator("#wants .want", has_text="style").get_by_role("button", name="press for nice").click()
    page.locator("#wants .want", has_text="object").get_by_role("button", name="Remove").click()
    page.get_by_label("A further requirement").fill("no text")  # not even added
    page.locator("#paint").click()
    id = watched(page)
    job = store.jobs.get(id)
    assert job is not None
    wants = [(want["text"], want["must"]) for want in job.payload["brief"]["requirements"]]
    assert wants == [("the background is blue", True), ("cartoon style", False), ("no text", True)]
    for route in reversed(late):  # in any order
        route.continue_()
    expect(page.locator("#wants .want")).to_have_count(3)
    expect(page.locator("#wants")).to_contain_text("Read by you")
    expect(page.locator("#wants input").nth(2)).to_have_value("no text")
    client.predict(id, "cancel", api_name="/ask")


def test_reload_then_cancel_mid_image(page: Page, app: App, store: Store, busy: str) -> None:
    go(page, f"{app.url}/?job={busy}")
    expect(page.get_by_alt_text("Preview of the picture being painted")).to_be_visible()
    page.reload()
    expect(page.locator("#brief textarea")).to_have_value(NEVER_MET)
    expect(page.locator("#status")).to_contain_text("attempt")
    other = page.context.new_page()  # a second window shows the same job
    go(other, app.url)
    expect(other.locator("#brief textarea")).to_have_value(NEVER_MET)
    other.close()
    page.locator("#cancel").click()
    wait_for(lambda: state(store, busy) == "cancelled", "the end of the job")
    expect(page.locator("#result")).to_contain_text(re.compile("Stopped by the user|Cancelled"))
    run = store.runs.get(busy)
    assert run is not None
    assert run.images == len(store.runs.candidates(busy)) < 5000


def test_the_server_is_restarted_mid_job(page: Page, app: App, store: Store, busy: str) -> None:
    wait_for(lambda: bool(store.runs.candidates(busy)), "the first picture")
    app.stop()  # and its worker
    assert state(store, busy) == "queued"
    painted = len(store.runs.candidates(busy))
    app.start()
    go(page, f"{app.url}/?job={busy}")
    expect(page.locator("#history article").first).to_be_visible()
    wait_for(lambda: len(store.runs.candidates(busy)) > painted, "the next picture")
    page.locator("#cancel").click()
    expect(page.locator("#result .mark").first).to_be_visible()
    run = store.runs.get(busy)
    assert run is not None
    assert run.images == len(store.runs.candidates(busy)) > painted


def test_a_batch_with_a_bad_row(page: Page, tmp_path: Path, store: Store) -> None:
    file = tmp_path / "fruit.csv"
    file.write_text(f'brief,seed,images\n"{PANDA}",7,1\n"a fox","x",1\n')
    open_tab(page, "Batch")
    page.set_input_files("#batch-file input", file)
    expect(page.locator("#batch-rows .mark.bad")).to_have_count(1)
    expect(page.locator("#batch-rows")).to_contain_text("Seed: 'x' is not a whole number")
    page.locator("#batch-start").click()
    expect(page.locator("#batch-table .mark.done")).to_be_visible()
    expect(page.locator("#batch-table .mark.bad")).to_have_count(1)
    expect(page.locator("#batch-table a[download]").first).to_be_visible()
    assert not list((store.out / "easel.uploads").rglob("*.csv"))  # what was uploaded does not stay


def test_a_batch_is_paused_resumed_and_cancelled(page: Page, tmp_path: Path, store: Store) -> None:
    # Nobody can meet these, so that they are still being painted when they are paused.
    file = tmp_path / "many.csv"
    file.write_text("brief,images\n" + "".join(f'"{n} owls, mostly purple",5000\n' for n in (2, 3, 4)))
    open_tab(page, "Batch")
    page.set_input_files("#batch-file input", file)
    expect(page.locator("#batch-rows .mark.ready")).to_have_count(3)
    page.locator("#batch-start").click()
    pause, resume, cancel = (page.locator(f"#batch-{what}") for what in ("pause", "resume", "cancel"))
    stage = page.locator("#batch-table .stage")
    expect(stage.locator(".mark.running")).to_be_visible()
    id = next(job.id for job in store.jobs.list() if job.kind == "batch")  # the newest
    before = store.results.count().get("image", 0)
    wait_for(lambda: store.results.count().get("image", 0) > before, "the first picture")
    pause.click()
    expect(stage.locator(".mark.paused")).to_be_visible()
    assert state(store, id) == "paused"
    expect(pause).to_be_hidden()
    page.reload()  # what is paused waits, whoever looks
    page.wait_for_selector("body[data-opened]")
    open_tab(page, "Batch")
    expect(stage.locator(".mark.paused")).to_be_visible()
    assert {run.status for run in store.runs.find(job=id)} == {"stopped"}
    painted = store.results.count()["image"]
    resume.click()
    expect(stage.locator(".mark.running")).to_be_visible()
    wait_for(lambda: store.results.count()["image"] > painted, "the next picture")
    expect(resume).to_be_hidden()
    cancel.click()
    expect(stage.locator(".mark.cancelled")).to_be_visible()
    assert state(store, id) == "cancelled"
    for button in (pause, resume, cancel):
        expect(button).to_be_hidden()
    expect(page.locator("#batch-table tbody .mark.cancelled")).to_have_count(3)
    assert store.results.count()["image"] > painted  # what was painted is kept


def test_the_example_of_a_batch_is_shown_and_read(page: Page, store: Store) -> None:
    open_tab(page, "Batch")
    link = page.locator("#batch-guide a[download]")
    if any(job.kind == "batch" for job in store.jobs.list()):  # then the example is folded away
        expect(page.locator("#batch-table .stage")).to_be_visible()
        page.get_by_role("button", name="What a file of briefs looks like").click()
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "briefs.csv"
    assert download.value.path().read_text() == EXAMPLE
    page.locator("#batch-example").click()
    expect(page.locator("#batch-rows .mark.ready")).to_have_count(3)
    expect(page.locator("#batch-start")).to_be_enabled()


def test_a_file_that_is_no_batch_is_a_sentence(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("colour\nred\n")
    open_tab(page, "Batch")
    page.set_input_files("#batch-file input", file)
    expect(page.locator(".toast-body")).to_contain_text("no column named brief")
    assert "Traceback" not in page.content()
    # What was there from another file is gone.
    good = tmp_path / "good.csv"
    good.write_text("brief\na cat\n")
    page.set_input_files("#batch-file input", good)
    expect(page.locator("#batch-start")).to_be_enabled()
    page.set_input_files("#batch-file input", file)
    expect(page.locator("#batch-rows .mark")).to_have_count(0)
    expect(page.locator("#batch-start")).to_be_disabled()


def test_settings_come_back_from_a_png(page: Page, store: Store, accepted: str, tmp_path: Path) -> None:
    run = store.runs.get(accepted)
    assert run is not None
    page.get_by_role("button", name="Settings").first.click()
    page.set_input_files("#reload input", store.out / run.folder / "accepted.png")
    expect(page.locator("#brief textarea")).to_have_value(PANDA)
    expect(page.get_by_label("Seed")).to_have_value("7")
    expect(page.locator("#wants .want")).to_have_count(3)
    expect(page.locator("#told")).to_contain_text("everything that made this picture")
    other = tmp_path / "other.png"
    other.write_bytes(b"\x89PNG\r\n\x1a\n")
    page.set_input_files("#reload input", other)
    expect(page.locator(".toast-body")).to_contain_text("not a PNG that can be read")


def test_settings_come_back_from_a_job(page: Page, app: App, accepted: str) -> None:
    go(page, f"{app.url}/?job={accepted}")
    expect(page.locator("#brief textarea")).to_have_value(PANDA)
    page.get_by_role("button", name="Settings").first.click()
    expect(page.get_by_label("Seed")).to_have_value("7")


def test_times_are_in_the_zone_of_the_viewer(
    browser: Browser, app: App, store: Store, tiny_preset: Preset
) -> None:
    (id,) = add_runs(store, tiny_preset, ["a cat at the time of its viewer"])
    run = store.runs.get(id)
    assert run is not None
    page = browser.new_context(timezone_id="Asia/Kathmandu", locale="en-GB").new_page()
    page.set_default_timeout(PATIENCE * 1000)
    go(page, app.url)
    page.get_by_role("tab", name="Gallery").click()
    time = page.locator(f'[data-run="{id}"] time')
    expect(time).to_have_attribute("title", f"{run.started:%Y-%m-%d %H:%M} UTC")
    there = run.started.astimezone(timezone(timedelta(hours=5, minutes=45)))
    expect(time).to_have_text(f"{there.day} {there:%b} {there.year}, {there:%H:%M}")
    page.context.close()


def test_a_wrong_password_stays_outside(browser: Browser, guarded: App) -> None:
    page = browser.new_page()
    page.goto(guarded.url)
    page.get_by_label("username").fill("ann")
    page.get_by_label("password").fill("wrong")
    page.get_by_role("button", name="Login").click()
    expect(page.get_by_text("Incorrect")).to_be_visible()
    page.get_by_label("username").fill("ann")  # Gradio empties it
    page.get_by_label("password").fill(PASSWORD)
    page.get_by_role("button", name="Login").click()
    expect(page.locator("#paint")).to_be_visible()
    page.close()


def test_each_loaded_model_says_its_memory(page: Page) -> None:
    open_tab(page, "Models")
    page.locator("#models-load").click()
    cells = page.locator("#models-memory td[data-label='Memory']")
    expect(cells).to_have_count(4)
    for said in cells.all_inner_texts():
        assert re.fullmatch(r"[\d.]+\s[MG]iB", said)
    expect(page.locator("#models-memory")).to_contain_text("parameters and buffers")


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_every_tab_is_drawn(browser: Browser, app: App, accepted: str, mode: str) -> None:
    """Saves a picture of every tab, at a laptop's width and a phone's, for a person to look at."""
    SHOTS.mkdir(exist_ok=True)
    for width in (1280, 390):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=mode)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        broken: list[str] = []
        page.on("pageerror", lambda error, broken=broken: broken.append(str(error)))
        go(page, f"{app.url}/?job={accepted}")
        expect(page.locator("#result .mark").first).to_be_visible()
        for name, sign in TABS.items():
            tab = page.get_by_role("tab", name=name)
            if not tab.is_visible():
                page.locator(".overflow-menu > button").click()
                tab = page.locator(".overflow-dropdown button", has_text=name)
            tab.click()
            expect(page.locator(sign).first).to_be_visible()
            page.wait_for_function(ALL_DRAWN)
            page.screenshot(path=SHOTS / f"{name.lower()}-{mode}-{width}.png", full_page=True)
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 1, f"{name} is {wide} pixels too wide at {width}"
            bare = page.locator("img:not([alt])").count()
            assert bare == 0, f"{bare} pictures of {name} have no alt text"
        assert not broken
        context.close()
