"""Workflow files: those that ship with Easel, and faults told with their line."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BriefError, ConfigError
from pipeline.pieces.given import given_words
from pipeline.pieces.workflow import available, load_workflow

GOOD = """\
about: a card
steps:
  picture:
    kind: image
  words:
    kind: text
    from: [picture]
    fields:
      headline: {most: 40}
  card:
    kind: code
    from: [picture, words]
    templates: [social-card.html.j2]
    width: 1200
    height: 630
    file: card.html
"""


@pytest.mark.parametrize("name", available())
def test_the_workflows_of_easel_are_valid(name: str) -> None:
    workflow = load_workflow(name)
    assert workflow.name == name
    assert workflow.about


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("kind: image", "kind: image\n    widht: 300", "5: unknown key steps.picture.widht; did you mean width?"),
        ("kind: image", "kind: picture", "own.yaml:4: steps.picture.kind is 'picture'; known kinds: image, text, code"),
        ("kind: image", "width: 300", "own.yaml:3: steps.picture.kind is missing; known kinds: image, text, code"),
        ("most: 40", "mots: 40", "own.yaml:9: unknown key steps.words.fields.headline.mots; did you mean most?"),
        ("headline: {", "headlines: {", "own.yaml:9: unknown key steps.words.fields.headlines; did you mean headline?"),
        ("from: [picture]", "from: [pictures]", "own.yaml:7: steps.words.from: there is no step 'pictures' before it"),
        ("from: [picture, words]", "from: [picture]", "own.yaml:12: steps.card.from: name a step of kind text"),
        ("social-card.html", "social.html", "own.yaml:13: no template 'social.html.j2'; those of Easel are"),
        ("width: 1200", "width: 12", "own.yaml:14: steps.card.width: input should be greater than or equal to 64"),
        ("about: a card", "abuot: a card", "own.yaml:1: unknown key abuot; did you mean about?"),
        ("about: a card", "- about", "not YAML"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(tmp_path: Path, before: str, after: str, said: str) -> None:
    assert before in GOOD
    path = tmp_path / "own.yaml"
    path.write_text(GOOD.replace(before, after), encoding="utf-8")
    with pytest.raises(ConfigError) as told:
        load_workflow(str(path))
    assert said in str(told.value)
    assert "\n" not in str(told.value)


def test_an_unknown_workflow_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="did you mean social-card"):
        load_workflow("social-cart")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("headline", "write it as FIELD=TEXT"),
        ("headlin=x", "did you mean headline"),
        ("headline=\x07", "binary data"),
        ("headline=" + "x" * 3000, "shorten it"),
        ("headline=", "0 characters; it must have 1 to 48"),
        ("headline=<b>Sale</b>", "it holds HTML"),
        ("file_name=../../x", "letters, digits and hyphens only"),
    ],
)
def test_words_that_cannot_be_used_are_refused(said: str, why: str) -> None:
    with pytest.raises(BriefError, match=why):
        given_words(load_workflow("social-card"), [said])
