"""The report of a batch: groups, folded rows, search and sort in a real browser, and the size of what it shows."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from pipeline.config import Preset
from pipeline.store import Store
from pipeline.work.play import play
from pipeline.work.report import Report, gather, write_report
from pipeline.work.rows import parse_rows
from tests.pipeline.test_loop import NEVER_PASS

Tiny = Callable[..., Preset]


@pytest.fixture
def report(tiny: Tiny, tmp_path: Path) -> Report:
    """Three rows that are not met, one that contradicts itself, and seven bad ones."""
    source = tiny(judge=NEVER_PASS, loop={"images": 1}).source
    bad = "".join(f"a dog,{word}\n" for word in ("x", "x", "x", "x", "x", "y")) + ",3\n"
    text = "brief,seed\na cat,1\na dog,2\na cat,3\nan apple but no apples,4\n" + bad
    rows, store = parse_rows(text, "csv", "pets", str(source)), Store(tmp_path)
    list(play(rows.good, store, batch=rows.name))
    made = gather(rows, store)
    write_report(made, store)
    return made


def test_reasons_are_grouped_by_kind(report: Report) -> None:
    groups = {group.name: group for group in report.reasons()}
    assert (groups["object"].rows, groups["object"].examples) == (3, (("a cat", 2), ("a dog", 1)))
    assert groups["failed"].rows == 1
    assert "contradicts itself" in groups["failed"].examples[0][0]


def test_bad_rows_are_grouped_and_folded(report: Report, tmp_path: Path) -> None:
    assert [group.rows for group in report.bad_rows()] == [5, 1, 1]
    page = (tmp_path / "report.html").read_text()
    assert "7 rows could not be run" in page
    assert "<details><summary><span>each row" in page


def test_the_best_picture_is_one_file_with_two_names(report: Report, tmp_path: Path) -> None:
    for best in tmp_path.glob("*/best.png"):
        (attempt,) = (best.parent / "attempts").glob("*.png")
        assert best.stat().st_ino == attempt.stat().st_ino
        assert not list(best.parent.glob(".*"))
    assert len(list(tmp_path.glob("*/best.png"))) == 3


@pytest.mark.browser
def test_rows_are_searched_and_sorted(report: Report, tmp_path: Path) -> None:
    if not (found := shutil.which("chromium")):
        pytest.skip("no chromium: install Debian's package of that name")
    # In a thread: the browser of other tests in this process may hold a loop in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(search_and_sort, (tmp_path / "report.html").as_uri(), found).result()


def search_and_sort(address: str, chromium: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(address)
        lines = "all => all.filter(one => one.checkVisibility()).map(one => one.dataset.line)"
        assert page.eval_on_selector_all("article", lines) == ["2", "3", "4", "5"]
        page.fill("#find", "CAT met")
        assert page.eval_on_selector_all("article", lines) == ["2", "4"]
        assert page.inner_text("#found") == "2 found"
        page.fill("#find", "")
        page.select_option("#sort", "score")
        order = page.eval_on_selector_all("article", "all => all.map(one => Number(one.dataset.score))")
        assert order == sorted(order)
        browser.close()


def test_a_page_needs_nothing_from_elsewhere(report: Report, tmp_path: Path) -> None:
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(src|href)="https?:', page)
