"""What the passes work on: the tags that are left of a sentence, and what was named before it."""

from __future__ import annotations

from pipeline.reading.lexicon import tokens
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, pattern


def test_used_words_are_not_matched_again() -> None:
    sentence = Sentence(tokens("red, red and green", None))
    found = []
    for match in sentence.matches(pattern("COLOUR")):
        found.append(match.start())
        sentence.use(0, len(sentence.tags))
    assert found == [0, 2, 4]  # as the tags were when the search began
    assert list(sentence.matches(pattern("COLOUR"))) == []
    assert sentence.tags == [Tag.USED] * 5
    assert [token.tag for token in sentence.tokens].count(Tag.COLOUR) == 3


def test_colours_as_one_value() -> None:
    sentence = Sentence(tokens("red, green and red or blue", None))
    assert sentence.colour(0, 1) == "red"
    assert sentence.colour(0, 5) == "red and green"
    assert sentence.colour(0, 7) == "red or green or blue"
    assert sentence.text(2, 5) == "green and red"


def test_the_last_mentioned_object_is_last() -> None:
    context = Context()
    context.mention(["cat", "dog", "cat"])
    assert (context.objects, context.group) == (["dog", "cat"], ["cat", "dog"])
    context.mention([])
    context.mention(["dog"])
    assert (context.objects, context.group) == (["cat", "dog"], ["dog"])
