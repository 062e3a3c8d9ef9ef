"""Steps that tests of the page share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, Route

from pipeline.store import Store

PANDA = "a panda on a purple background, cartoon style"


def write(page: Page, text: str, seed: int = 0, images: int = 6) -> None:
    """Fill the form."""
    page.locator("#brief textarea").fill(text)
    page.get_by_role("button", name="Settings").first.click()
    page.get_by_label("Seed").fill(str(seed))
    page.get_by_role("button", name="Budget").click()
    page.get_by_label("number input for Images at most").fill(str(images))
    page.get_by_label("number input for Images at most").press("Tab")


def watched(page: Page) -> str:
    """The id of the job that the page shows."""
    page.wait_for_url("**job=*")
    (id,) = parse_qs(urlsplit(page.url).query)["job"]
    return id


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name).click()


def enter_name(page: Page, name: str) -> None:
    field = page.locator("#who input, #who textarea")
    field.fill(name)
    field.press("Enter")


def wait_for_answers(page: Page, count: int = 2) -> None:
    """Wait until the page has called the server that many times more; its timers call at least twice a second."""
    for _ in range(count):
        with page.expect_response("**/queue/join*"):
            pass


@contextmanager
def held_calls(page: Page) -> Iterator[None]:
    """Calls of the page reach the server only when the block ends."""
    held: list[Route] = []
    released = False

    def hold(route: Route) -> None:
        if released:
            route.continue_()
        else:
            held.append(route)

    page.route("**/queue/join*", hold)
    yield
    released = True
    for route in reversed(held):  # an answer that was asked for earlier arrives later
        route.continue_()


def outcome(store: Store, id: str) -> tuple[str, str | None]:
    run = store.runs.get(id)
    assert run is not None
    return run.status, run.decided_by
