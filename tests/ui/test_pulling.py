"""The Models tab with a hub of this machine: what a download takes, its progress, its end; a load that fails."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from pipeline.config import Preset
from tests import hub as hubs
from tests.hub import Hub
from tests.hub_preset import write_hub_preset
from tests.ui.conftest import PATIENCE, SHOTS, App, go

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hub, Path]]:
    """A hub, and a preset whose models are there."""
    path, repositories = write_hub_preset(tmp_path_factory.mktemp("preset"))
    with hubs.serve() as served:
        served.repositories |= repositories
        yield served, path


@pytest.fixture(scope="module")
def served(
    hub: tuple[Hub, Path], tiny_preset: Preset, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """An app that offers the preset, and one whose files are here."""
    folder = tmp_path_factory.mktemp("served")
    running = App(
        folder / "out", "--preset", str(hub[1]), "--preset", str(tiny_preset.source),
        HF_HUB_DOWNLOAD_TIMEOUT=str(int(PATIENCE)),
        **hub[0].environment(folder / "hf"),
    )  # fmt: skip
    yield running
    running.stop()


@pytest.fixture
def tab(browser: Browser, served: App) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE * 1000)
    page = context.new_page()
    go(page, served.url)
    page.get_by_role("tab", name="Models").click()
    yield page
    context.close()


def choose(page: Page, preset: str) -> None:
    page.locator("#models-chosen input").click()
    page.get_by_role("option", name=preset).click()
    expect(page.locator("#models-preset h2")).to_have_text(preset)


def picture(page: Page, name: str) -> None:
    """Saves the page at a laptop's width and a phone's, for a person to look at."""
    SHOTS.mkdir(exist_ok=True)
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.screenshot(path=SHOTS / f"models-{name}-{width}.png", full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})


def test_a_load_that_fails_says_why_and_what_was_in_memory_stays(tab: Page, hub: tuple[Hub, Path]) -> None:
    hub[0].repositories["owner/painter"].gated = 401
    choose(tab, "tiny")
    tab.locator("#models-load").click()
    held = tab.locator("#models-memory tbody tr")
    expect(held).to_have_count(2)
    before = held.all_inner_texts()
    choose(tab, "fetched")
    tab.locator("#models-load").click()
    said = tab.locator("#models-said [role=alert]")
    expect(said).to_contain_text("The preset fetched was not loaded. The weights of owner/painter")
    expect(said).to_contain_text("then log in with: hf auth login")
    expect(said).to_contain_text("; the models that were in memory stay there")
    picture(tab, "failed")
    assert held.all_inner_texts() == before
    hub[0].repositories["owner/painter"].gated = None


def test_a_download_is_planned_asked_about_shown_stopped_and_continued(
    tab: Page, hub: tuple[Hub, Path]
) -> None:
    served = hub[0]
    choose(tab, "fetched")
    tab.locator("#models-get").click()
    plan = tab.locator("#models-plan")
    expect(plan.locator("tbody tr")).to_have_count(5)
    expect(plan.locator("tr", has_text="owner/judge")).to_contain_text("cc-by-nc-4.0")
    expect(plan).to_contain_text("are free")
    picture(tab, "plan")
    tab.locator("#models-pull-not").click()
    expect(plan).not_to_contain_text("owner/judge")
    expect(tab.locator("#models-pull")).to_be_hidden()

    weights = served.repositories["owner/painter"].files["unet/diffusion_pytorch_model.safetensors"]
    fault = served.fail(
        f"GET /blobs/{hubs.sha256(weights)}", cut=len(weights) // 2, hold=threading.Event(), times=1
    )
    assert fault.hold is not None
    tab.locator("#models-get").click()
    tab.locator("#models-pull").click()
    progress = tab.locator("#models-pulled")
    expect(progress).to_contain_text("Downloading fetched")
    expect(progress).to_contain_text("MB of")
    picture(tab, "progress")
    tab.locator("#models-pull-stop").click()
    expect(progress).to_contain_text("Stopping")
    fault.hold.set()  # the next bytes arrive, and the download sees that it is to stop
    expect(progress).to_contain_text("was stopped")
    expect(tab.locator("#models-pull-stop")).to_be_hidden()

    served.fail("/resolve/", status=403, code="GatedRepo", times=1)
    tab.locator("#models-get").click()
    tab.locator("#models-pull").click()
    expect(progress).to_contain_text("fetched was not downloaded")
    expect(progress).to_contain_text("your account has not been given access to it")

    tab.locator("#models-get").click()
    tab.locator("#models-pull").click()
    expect(progress).to_contain_text("fetched is here")
    tab.locator("#models-get").click()
    expect(plan).to_contain_text("Everything is here")
    expect(tab.locator("#models-pull")).to_be_hidden()
    picture(tab, "here")
