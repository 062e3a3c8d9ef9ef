"""The page's address says what is shown; Back and Forward go between addresses."""

from __future__ import annotations

import re

import pytest
from gradio_client import Client
from playwright.sync_api import Page, expect

from pipeline.config import Preset
from pipeline.store import Store
from tests.ui.conftest import App, add_runs, go, state, wait_for
from tests.ui.steps import open_tab

pytestmark = pytest.mark.browser

ROWS = "brief,images\n" + "".join(f'"{n} owls, mostly purple",5000\n' for n in (2, 3))


@pytest.fixture
def batches(client: Client, store: Store) -> list[str]:
    """Two batches that were cancelled before they ended, the newest last."""
    ids = []
    for name in ("older", "newer"):
        id = client.predict(ROWS, "csv", name, "mini", api_name="/submit_batch")["id"]
        client.predict(id, "cancel", api_name="/ask")
        wait_for(lambda id=id: state(store, id) == "cancelled", "the end of the batch")  # type: ignore[misc]
        ids.append(id)
    return ids


def test_back_goes_to_the_tab_before(page: Page) -> None:
    page.locator("#brief textarea").fill("a half-written brief")
    open_tab(page, "Gallery")
    page.wait_for_url("**/?tab=gallery")
    open_tab(page, "Observe")
    page.wait_for_url("**/?tab=observe")
    page.go_back()
    expect(page.get_by_role("tab", name="Gallery")).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.get_by_role("tab", name="Create")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#brief textarea")).to_have_value("a half-written brief")
    page.go_forward()
    expect(page.get_by_role("tab", name="Gallery")).to_have_attribute("aria-selected", "true")
    page.reload()
    page.wait_for_selector("body[data-opened]")
    expect(page.get_by_role("tab", name="Gallery")).to_have_attribute("aria-selected", "true")


def test_a_run_of_the_gallery_and_its_filters_are_in_the_address(
    page: Page, app: App, store: Store, tiny_preset: Preset
) -> None:
    (id,) = add_runs(store, tiny_preset, ["a walrus that has an address"])
    open_tab(page, "Gallery")
    page.locator("#gallery-search input, #gallery-search textarea").fill("walrus")
    page.wait_for_url("**words=walrus*")
    page.locator(f"#gallery [data-run='{id}']").click()
    page.wait_for_url(f"**run={id}*")
    page.reload()
    page.wait_for_selector("body[data-opened]")
    expect(page.locator("#gallery [data-run]")).to_have_count(1)
    expect(page.locator("#gallery-about h2")).to_have_text("a walrus that has an address")


def test_every_batch_can_be_opened_and_continued(
    page: Page, app: App, store: Store, batches: list[str]
) -> None:
    older, newer = batches
    name = page.locator("#batch-table .stage b")
    go(page, f"{app.url}/?tab=batch&batch={older}")
    expect(name).to_have_text("older")
    page.locator("#batch-chosen input").click()
    page.get_by_role("option", name=re.compile("^newer")).first.click()
    expect(name).to_have_text("newer")
    page.wait_for_url(f"**batch={newer}*")
    page.go_back()
    expect(name).to_have_text("older")
    go(page, f"{app.url}/?job={older}")  # as links of other pages had it
    expect(name).to_have_text("older")
    expect(page.locator("#told .callout")).to_have_count(0)
    page.locator("#batch-continue").click()
    expect(page.locator("#batch-table .mark.running").first).to_be_visible()
    page.locator("#batch-table tbody a").first.click()
    page.wait_for_selector("body[data-opened]")
    expect(page.locator("#brief textarea")).to_have_value(re.compile("owls, mostly purple"))
    (going,) = store.jobs.list("running", kinds=("batch",))
    store.jobs.ask(going.id, "cancel")
    wait_for(lambda: state(store, going.id) == "cancelled", "the end of the batch")
