"""Pieces end to end, with the bundled models and a real Chromium: a card that passes, and faults that are mended or
sent to a person."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from pipeline.config import load_preset
from pipeline.pieces.folder import PieceFolder
from pipeline.pieces.make import make
from pipeline.pieces.record import PartCheck, PieceAttempt, PieceOutcome
from pipeline.pieces.workflow import Workflow, load_workflow
from pipeline.store import Store

BRIEF = "two red apples on a yellow background, flat style"
SEED = 7
Result = tuple[PieceOutcome, list[PieceAttempt], Path]
Maker = Callable[..., Result]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="session")
def chromium() -> None:
    if not shutil.which("chromium"):
        pytest.skip("no chromium: install Debian's package of that name")


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory, loaded_once: None, chromium: None) -> Maker:
    """Makes pieces in one store, so that the same picture is painted once."""
    out = tmp_path_factory.mktemp("out")
    store = Store(out)

    def made(workflow: Workflow, brief: str = BRIEF, **given: str) -> Result:
        folder = PieceFolder(out, "piece")
        events = list(make(workflow, brief, load_preset("mini"), store, folder, seed=SEED, given=given))
        outcome = events[-1]
        assert isinstance(outcome, PieceOutcome)
        return outcome, [event for event in events if isinstance(event, PieceAttempt)], folder.path

    return made


def card(tmp_path: Path, first: str, change: Callable[[str], str] = lambda text: text) -> Workflow:
    """The social card, its first template `first` and its second that of Easel. `change`: of the workflow's YAML."""
    text = load_workflow("social-card").source.read_text(encoding="utf-8")
    text = text.replace("[social-card.html.j2]", "[first.html.j2, social-card.html.j2]")
    (tmp_path / "first.html.j2").write_text(first, encoding="utf-8")
    (tmp_path / "own.yaml").write_text(change(text), encoding="utf-8")
    return load_workflow(str(tmp_path / "own.yaml"))


def failed(attempt: PieceAttempt) -> list[PartCheck]:
    return [check for made in attempt.made for check in made.checks if check.outcome != "pass"]


def page(body: str, style: str = "") -> str:
    return (
        "{% extends '_page.html.j2' %}{% block style %}" + style + "{% endblock %}"
        "{% block body %}<h1>{{ words.headline }}</h1>"
        "{% if words.body %}<p>{{ words.body }}</p>{% endif %}" + body + "{% endblock %}"
    )


PICTURE = '<img src="{{ pictures[0].file }}" alt="{{ words.alt }}" width="200"/>'


def test_a_social_card_has_everything_that_is_needed_to_use_it(maker: Maker) -> None:
    outcome, attempts, folder = maker(load_workflow("social-card"))
    assert outcome.status == "accepted", outcome.reason
    assert len(attempts) == 1
    assert outcome.main == "card.png"
    with Image.open(folder / "card.png") as image:
        assert image.size == (1200, 630)
    record = json.loads((folder / "piece.json").read_text(encoding="utf-8"))
    assert record["outcome"]["paid"]["images"] == 1
    assert {model["stage"] for model in record["outcome"]["models"]} >= {"text", "image", "detector"}
    checks = {check["name"] for made in record["attempts"][0]["made"] for check in made["checks"]}
    assert {
        "headline: read",
        "headline: contrast",
        "headline: shown",
        "picture",
        "alt text",
        "well-formed",
    } <= checks
    with zipfile.ZipFile(folder / str(outcome.zip)) as packed:
        packed_names = {name.partition("/")[2] for name in packed.namelist()}
    assert packed_names == set(outcome.files)
    assert {"card.html", "card.png", "picture.png", "painted/picture.png", "piece.json"} <= packed_names
    (picture,) = record["attempts"][0]["made"][0]["product"]["each"]
    assert (folder.parent / picture["run"] / "run.json").is_file()


@pytest.mark.parametrize(
    ("first", "check"),
    [
        (page(PICTURE + "<div><b></div></b>"), "well-formed"),
        (page('<img src="gone.png" alt="An apple"/>'), "picture"),
        (page(PICTURE + "<script>document.title = 1</script>"), "nothing runs"),
        (page(PICTURE, "h1 { color: #fd3; }"), "headline: contrast"),
        (page(PICTURE, "h1 { height: 20px; overflow: hidden; font-size: 90px; }"), "headline: visible"),
        (page(PICTURE, "img { width: 1400px; }"), "fits"),
        ("{{ words.slogan }}", "template"),
    ],
)
def test_a_fault_of_the_page_is_found_and_mended(
    tmp_path: Path, maker: Maker, first: str, check: str
) -> None:
    outcome, attempts, _ = maker(card(tmp_path, first))
    assert check in [found.name for found in failed(attempts[0])]
    assert attempts[0].next
    assert outcome.status == "accepted", outcome.reason
    assert failed(attempts[-1]) == []


def test_words_that_do_not_fit_the_page_are_written_shorter(tmp_path: Path, maker: Maker) -> None:
    narrow = page(PICTURE, "h1 { width: 500px; font-size: 80px; white-space: nowrap; }")
    outcome, attempts, folder = maker(card(tmp_path, narrow))
    assert [check.field for check in failed(attempts[0])] == ["headline"]
    assert list(attempts[0].next) == ["words"]
    assert outcome.status == "accepted", outcome.reason
    assert "<h1>Two apples</h1>" in (folder / "card.html").read_text(encoding="utf-8")


def test_the_users_words_are_text_and_never_markup(maker: Maker) -> None:
    smuggled = "<script>alert(1)</script> & <b>"
    outcome, attempts, folder = maker(load_workflow("social-card"), headline=smuggled)
    source = (folder / "card.html").read_text(encoding="utf-8")
    assert "<script" not in source
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in source
    assert "nothing runs" not in [check.name for check in failed(attempts[-1])]
    assert outcome.status in ("accepted", "needs_review")


def test_the_users_words_that_are_too_long_are_told_and_kept(maker: Maker) -> None:
    outcome, attempts, _ = maker(load_workflow("social-card"), headline="Apples " * 20)
    assert outcome.status == "exhausted"
    assert "headline: length: 140 characters" in outcome.reason
    assert "headline: length" in [check.name for check in failed(attempts[0])]


def test_a_smuggled_script_in_the_brief_is_data(maker: Maker) -> None:
    outcome, _, folder = maker(load_workflow("social-card"), BRIEF + " <script>alert(1)</script>")
    assert "<script" not in (folder / "card.html").read_text(encoding="utf-8")
    assert outcome.status in ("accepted", "needs_review", "exhausted")


@pytest.mark.parametrize(
    ("named", "said"), [("", "no Chromium found"), ("/nowhere/chromium", "is no program")]
)
def test_without_a_browser_a_person_must_look(
    maker: Maker, monkeypatch: pytest.MonkeyPatch, named: str, said: str
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("EASEL_CHROMIUM", named)
    outcome, attempts, folder = maker(load_workflow("social-card"))
    assert outcome.status == "needs_review"
    assert said in outcome.reason
    assert (folder / "card.html").is_file()
    assert [check.outcome for check in failed(attempts[0])] == ["unchecked"]
