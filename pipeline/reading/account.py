"""The account of words: what no pass has read, and could be a want.

Every word has one owner. A pass has made a want of it; or it belongs to talk that asks for nothing (`noise.py`, and the
clauses here that are about people and not about the picture); or it only holds the sentence together. What is left was
not understood, and a person decides about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.lexicon import ENGLISH, Token
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern
from pipeline.reading.word_kinds import tells_nothing

_PICTURES = frozenset(ENGLISH["pictures"])
_THINGS = frozenset(ENGLISH["things"])
_ABOUT_PEOPLE = frozenset(ENGLISH["about_people"])
_JUDGING = frozenset(ENGLISH["judging"])
_OPENS_TALK = frozenset(ENGLISH["opens_talk"])
_PREPOSITIONS = frozenset(ENGLISH["prepositions"])

# Words that may be wants wherever they stand.
_CONTENT = any_of(
    "UNKNOWN LOOK COLOUR NUMBER QUANTITY ACTION RELATION SIDE BESIDE MOOD NO NOT FORBIDDEN OBJECT"
)
# Before what is wanted, only these: "please supply artwork depicting a cat" asks for a cat.
_CONTENT_BEFORE = any_of("QUANTITY ACTION NO NOT")
_PLACES = any_of("IN ON BEHIND SPATIAL")
_JOINS = any_of("DETERMINER POSSESSIVE OF AND ADJECTIVE WITH IN ON BE FUNCTION NUMBER COLOUR_NOUN PRONOUN")
_LEADS = any_of("DETERMINER POSSESSIVE ADJECTIVE NUMBER COLOUR ALL")
# "in the house": a place that an object gives
_PLACE = pattern("[DETERMINER POSSESSIVE ADJECTIVE COLOUR MOOD LOOK NUMBER ALL USED]* OBJECT")
# "[riding] a red bicycle", "[wearing] a hat"
_ACTED_ON = pattern("""
    [RELATION ON IN WITH SPATIAL]? [DETERMINER POSSESSIVE ADJECTIVE COLOUR MOOD LOOK NUMBER USED UNKNOWN]* OBJECT
""")
# A clause with one of these before what it wants asks for it, or tells of something.
_TALKS = any_of("FUNCTION REQUEST NOT_DRAWN PRONOUN BE POSSESSIVE")
_FROM = frozenset(("from", "at", "into", "by"))  # "[a monkey hanging] from a tree"
_MARKS = any_of("COMMA SEMICOLON COLON")


def left_over(sentence: Sentence, context: Context) -> list[Found]:
    """The runs of words that nobody has read, each an `other` want in the words of the brief."""
    found = []
    for start, end in _clauses(sentence):
        for first, last in _runs(sentence, start, end):
            words = sentence.written(first, last)
            found.append(Found("other", NOT_UNDERSTOOD, words, at=first, sure=False))
            sentence.claim(first, last)
    return found


def tells(words: Sequence[Token]) -> bool:
    """Whether a sentence tells something about people or the occasion, and refers to nothing that the picture shows:
    "our sponsor is a bank", "tile needed by noon"; not "it wears a hat"."""
    if any(token.tag in (Tag.PRONOUN, Tag.ACTION, Tag.QUANTITY) for token in words):
        return False
    return any(
        token.text in _ABOUT_PEOPLE
        or (token.tag in (Tag.UNKNOWN, Tag.FUNCTION) and tells_nothing(token.text))
        for token in words
    )


def _clauses(sentence: Sentence) -> Iterator[tuple[int, int]]:
    """The parts of the sentence between marks, and before words such as "because" or "and we"."""
    tokens = sentence.tokens
    start = 0
    for i, token in enumerate(tokens):
        if token.tag in _MARKS:
            yield start, i
            start = i + 1
        elif i > start and (token.text in _OPENS_TALK or _begins_talk(tokens, i)):
            yield start, i
            start = i
    yield start, len(tokens)


def _begins_talk(tokens: Sequence[Token], i: int) -> bool:
    """Whether "and we", "and my sister" begins at index `i`."""
    return tokens[i].tag is Tag.AND and i + 1 < len(tokens) and tokens[i + 1].text in _ABOUT_PEOPLE


def _runs(sentence: Sentence, start: int, end: int) -> Iterator[tuple[int, int]]:
    wants = [i for i in range(start, end) if sentence.owned[i] and sentence.tokens[i].tag is not Tag.MOOD]
    if _is_talk(sentence, start, end, bool(wants)):
        return
    preamble = bool(wants) and any(
        sentence.tokens[k].tag in _TALKS and not sentence.owned[k] for k in range(start, wants[0])
    )
    i = start
    while i < end:
        if not _is_content(sentence, i, before=preamble and i < wants[0]):
            i += 1
            continue
        if sentence.tokens[i].text in _JUDGING:
            return
        first, last = _with_lead(sentence, i, start), _run_end(sentence, i, end)
        if not _is_purpose(sentence, first, last):
            yield first, last
        i = last


def _is_purpose(sentence: Sentence, first: int, last: int) -> bool:
    """Whether the words say what the picture is for: "for my juice bar". What is done in it, or how many, is no
    purpose."""
    tags = {token.tag for token in sentence.tokens[first:last]}
    before = sentence.tokens[first - 1].text if first else ""
    return "for" in (sentence.tokens[first].text, before) and not tags & {Tag.ACTION, Tag.QUANTITY}


def _is_talk(sentence: Sentence, start: int, end: int, wants: bool) -> bool:
    """Whether the clause is about people and purposes. One in which something is wanted is not."""
    tokens = sentence.tokens[start:end]
    if wants or not tokens:
        return False
    words = {word for token in tokens for word in token.text.split()}
    if any(token.tag in (Tag.ACTION, Tag.QUANTITY) for token in tokens):
        return False
    if words & _ABOUT_PEOPLE or tokens[0].text in _OPENS_TALK:
        return True
    if tokens[0].tag in (Tag.IN, Tag.ON, Tag.WITH, Tag.SPATIAL):
        return False
    if any(token.tag is Tag.NOT_DRAWN and not token.value for token in tokens):
        return True
    if any(token.tag is Tag.NUMBER or (token.value and token.text in _THINGS) for token in tokens):
        return False
    # A name, or a word for who asks or what for.
    return any(token.tag is Tag.NOT_DRAWN and token.text not in _THINGS for token in tokens) or (
        start > 0
        and not any(sentence.owned[:start])
        and all(token.tag is Tag.UNKNOWN and token.capital for token in tokens)
    )


def _is_content(sentence: Sentence, i: int, before: bool) -> bool:
    """Whether the word at index `i` could be a want and has no owner. `before`: its clause wants something after it."""
    token = sentence.tokens[i]
    if sentence.owned[i]:
        return False
    if token.tag in _PLACES and (token.tag is not Tag.ON or not before):
        return _PLACE.match(_tags(sentence), i + 1) is not None
    if token.text in _FROM and any(sentence.owned[:i]):
        return _PLACE.match(_tags(sentence), i + 1) is not None
    if token.tag is Tag.NOT_DRAWN:
        return not before and bool(token.value) and token.text in _THINGS
    follows = sentence.tokens[i + 1].text if i + 1 < len(sentence.tokens) else ""
    if token.tag is Tag.UNKNOWN and follows in _PICTURES:
        return False  # "a classroom poster"
    if token.tag is Tag.UNKNOWN and (
        (token.text.endswith("ly") and len(token.text) > 4) or tells_nothing(token.text)
    ):
        return False  # "absolutely", "agreed" say nothing that can be seen
    return token.tag in (_CONTENT_BEFORE if before else _CONTENT)


def _tags(sentence: Sentence) -> str:
    return "".join(token.tag for token in sentence.tokens)


def _with_lead(sentence: Sentence, i: int, start: int) -> int:
    """Where the words begin that lead to the one at index `i`: "with the", "in a"."""
    first = i
    while first > start and sentence.tokens[first - 1].tag in _LEADS and not sentence.owned[first - 1]:
        first -= 1
    before = sentence.tokens[first - 1] if first > start else None
    if (
        before
        and not sentence.owned[first - 1]
        and (
            before.tag in (Tag.IN, Tag.ON, Tag.WITH, Tag.BEHIND, Tag.SPATIAL) or before.text in _PREPOSITIONS
        )
    ):
        first -= 1
    return first


def _run_end(sentence: Sentence, i: int, end: int) -> int:
    """Where the run of words ends that begins at index `i`: with what an action is done to, and across at most two
    words that hold it together."""
    last = i
    while True:
        tag = sentence.tokens[last].tag
        if (tag in _PLACES | {Tag.ACTION} or sentence.tokens[last].text in _FROM) and (
            target := _ACTED_ON.match(_tags(sentence), last + 1)
        ):
            last = min(target.end(), end) - 1
        following = last + 1
        while (
            following < end and following - last <= 3 and sentence.tokens[following].tag in _JOINS
            and not sentence.owned[following]
            and not _is_content(sentence, following, before=False)
        ):  # fmt: skip
            following += 1
        if following >= end or not _is_content(sentence, following, before=False):
            return last + 1
        last = following
