"""Words from requirements, and their checks."""

from __future__ import annotations

import pytest

from pipeline.brief import Requirement
from pipeline.pieces.text_step import from_template, of_user
from pipeline.pieces.word_checks import check_field, claims_in, lix
from pipeline.pieces.words import WORDINGS, Facts
from pipeline.pieces.workflow import TextField

APPLES = Facts(
    brief="two red apples above a banana on a white background, flat style, no dog",
    wants=(
        Requirement(id="r1", kind="count", subject="apple", value="2", text="two apples"),
        Requirement(id="r2", kind="attribute", subject="apple", value="red", text="the apples are red"),
        Requirement(id="r3", kind="object", subject="banana", text="a banana"),
        Requirement(id="r4", kind="relation", subject="apple", value="above", other="banana", text="above"),
        Requirement(id="r5", kind="absence", subject="dog", text="no dog"),
    ),
    ground="white",
    style="flat",
)


@pytest.mark.parametrize(
    ("field", "most", "text"),
    [
        ("headline", 60, "Two red apples and banana"),
        ("headline", 22, "Two apples and banana"),
        ("headline", 18, "Apples and banana"),
        ("headline", 8, "Apples"),
        ("body", 100, "The apples are above the banana. Drawn in flat style on a white background."),
        ("body", 50, "Drawn in flat style on a white background."),
        ("body", 10, ""),
        ("alt", 100, "Two red apples and a banana on a white background, flat style"),
        ("file_name", 60, "two-red-apples-and-banana"),
    ],
)
def test_the_template_writes_the_fullest_wording_that_fits(field: str, most: int, text: str) -> None:
    wanted = TextField(most=most, least=0)
    assert from_template(field, wanted, APPLES) == text
    assert all(check.outcome == "pass" for check in check_field("words", field, text, wanted, APPLES))


def test_where_no_wording_fits_the_shortest_is_left_and_fails() -> None:
    wanted = TextField(most=3)
    text = from_template("headline", wanted, APPLES)
    assert text == "Apples"
    (failed,) = check_field("words", "headline", text, wanted, APPLES)
    assert (failed.outcome, failed.name, failed.mends) == ("fail", "headline: length", ("words",))


@pytest.mark.parametrize(("field", "outcome"), [("headline", "pass"), ("alt", "unsure")])
def test_the_users_words_may_name_anything_but_an_alt_text_goes_to_a_person(field: str, outcome: str) -> None:
    wanted = TextField(most=80, names="all")
    (check,) = of_user(check_field("words", field, "A cat", wanted, APPLES))
    assert (check.outcome, check.mends) == (outcome, ())


@pytest.mark.parametrize(
    ("text", "claim"),
    [
        ("Three red apples", "Three"),
        ("Apples in 24 hours", "24"),
        ("Red apples for 3 €", "3"),
        ("The best red apples", "best"),
        ("The crispiest apples", "crispiest"),
        ("Premium apples", "Premium"),
        ("Red apples from Kent", "Kent"),
        ("Apples at 20%", "20"),
    ],
)
def test_claims_that_the_brief_lacks_are_found(text: str, claim: str) -> None:
    assert claim in claims_in(text, APPLES)


@pytest.mark.parametrize(
    "text", ["Two red apples", "2 apples. Red ones.", "A banana in the forest", "Red banana"]
)
def test_what_the_brief_says_is_no_claim(text: str) -> None:
    assert claims_in(text, APPLES) == []


@pytest.mark.parametrize(
    ("text", "wanted", "what"),
    [
        ("Red fruit", TextField(most=40, names="one"), "names"),
        ("Red apples", TextField(most=40, names="all"), "names"),
        ("An apple and a dog", TextField(most=40), "never"),
        ("An apple, cheap", TextField(most=40, never=("apple",)), "never"),
        ("Zwei rote Äpfel und eine Banane auf dem Tisch", TextField(most=60), "language"),
        ("", TextField(most=60), "length"),
        ("apples " * 60, TextField(most=600), "reading"),
    ],
)
def test_each_fault_is_told(text: str, wanted: TextField, what: str) -> None:
    told = [check for check in check_field("words", "body", text, wanted, APPLES) if check.outcome == "fail"]
    assert f"body: {what}" in [check.name for check in told]
    assert all(check.reason for check in told)


def test_every_field_can_be_written_of_an_empty_reading() -> None:
    facts = Facts(brief="something calm for our door", wants=())
    assert {field: wordings(facts)[0] for field, wordings in WORDINGS.items()} == {
        "headline": "Something calm for our door",
        "body": "",
        "alt": "Something calm for our door",
        "file_name": "something-calm-for-our-door",
    }


def test_readability_grows_with_words_and_sentences() -> None:
    assert lix("") == 0
    assert lix("An apple. A banana.") == 2
    assert (
        lix("The extraordinarily complicated administrative considerations of it are many and varied.") > 45
    )
