"""Words by the bundled text model: what passes is used, and what does not is replaced by the template's."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.protocols import ModelError
from pipeline.calls.pool import ModelPool
from pipeline.config import Preset, load_preset
from pipeline.pieces.folder import PieceFolder
from pipeline.pieces.make import make
from pipeline.pieces.record import Made, Words
from pipeline.pieces.words import Facts
from pipeline.pieces.workflow import load_workflow
from pipeline.pieces.writer import invented, writer_of
from pipeline.store import Store

BRIEF = "a fox and a tree, flat design, for a hiking map"
WORDS_ONLY = """\
about: words for a picture
steps:
  picture: {kind: image}
  words:
    kind: text
    from: [picture]
    writer: model
    tries: 2
    fields:
      headline: {most: MOST, names: one}
      alt: {most: 160}
"""


def made(tmp_path: Path, brief: str, most: int) -> Words:
    (tmp_path / "own.yaml").write_text(WORDS_ONLY.replace("MOST", str(most)), encoding="utf-8")
    store, folder = Store(tmp_path / "out"), PieceFolder(tmp_path / "out", "piece")
    events = make(
        load_workflow(str(tmp_path / "own.yaml")), brief, load_preset("mini"), store, folder, seed=7
    )
    (words,) = [event.product for event in events if isinstance(event, Made) and event.step == "words"]
    assert isinstance(words, Words)
    return words


def test_words_of_the_model_are_used_where_they_pass(tmp_path: Path, loaded_once: None) -> None:
    words = made(tmp_path, BRIEF, 48)
    assert words.writer == {"headline": "model", "alt": "template"}
    assert words.tried[-1] == ({"headline": words.fields["headline"]}, ())
    assert "fox" in words.fields["headline"].lower()


def test_the_template_takes_over_and_what_was_tried_is_kept(tmp_path: Path, loaded_once: None) -> None:
    words = made(tmp_path, BRIEF, 4)
    assert words.writer["headline"] == "template"
    assert words.fields["headline"] == "Fox"
    assert len(words.tried) == 2
    assert all(faults for _, faults in words.tried)


def test_words_that_the_brief_lacks_are_invented() -> None:
    facts = Facts(brief="a green frog for our pond walks", wants=())
    assert invented("A green frog, for your pond walk", facts) == []
    assert invented("A frog on a leaf in the castle", facts) == ["leaf", "castle"]


def test_a_preset_without_a_text_model_says_so(loaded_once: None) -> None:
    ruled: Preset = load_preset("mini", ["loop.reader=rules", "loop.first=template", "loop.writer=template"])
    with pytest.raises(ModelError, match="write words by the template"):
        writer_of(ruled, None, ModelPool())
