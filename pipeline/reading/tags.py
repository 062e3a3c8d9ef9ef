"""The tags of words, and patterns over them.

The rules look at a sentence as a string of tags, one character for each word, and search it with regular
expressions. The expressions are written with the names of the tags, see `pattern`.
"""

from __future__ import annotations

import re
from enum import StrEnum, auto


class Tag(StrEnum):
    """The part that a word or phrase plays in a brief. The value is one character of Unicode's private use area."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        return chr(0xE000 + count)

    # What can be wanted.
    OBJECT = auto()  # cat
    COLOUR = auto()  # light blue
    NUMBER = auto()  # three, a pair of
    QUANTITY = auto()  # several, a few: no number that can be counted
    STYLE = auto()  # flat design
    BACKGROUND = auto()  # background, backdrop
    AS_BACKGROUND = auto()  # in the background, as a backdrop
    RELATION = auto()  # left of, under
    SIDE = auto()  # on the left, at the top
    LOOK = auto()  # smiling, striped: an adjective that can be seen
    MOOD = auto()  # elegant: an adjective that nothing can check
    MOOD_NOUN = auto()  # feel, vibe
    ACTION = auto()  # riding, wearing: what something does
    UNKNOWN = auto()  # a word of no list

    # What says that something is not wanted, or need not be.
    NO = auto()  # no, without, don't draw
    NOT = auto()  # not, isn't
    FORBIDDEN = auto()  # must not appear
    IDEALLY = auto()  # ideally: stands before what is nice to have
    IF_POSSIBLE = auto()  # if possible: stands after it, or opens a clause

    # What holds a sentence together.
    DETERMINER = auto()  # a, the, some
    POSSESSIVE = auto()  # our
    PRONOUN = auto()  # it, them, which
    ALL = auto()  # both, all, each
    BE = auto()  # is, should be, painted
    REQUEST = auto()  # draw, want
    EVOKES = auto()  # conveys, comes across as
    AND = auto()  # and, or
    OF = auto()  # of
    IN = auto()  # in, inside
    ON = auto()  # on, against
    WITH = auto()  # with, has
    BEHIND = auto()  # behind, all around
    BESIDE = auto()  # next to, near: no relation, for it has no direction
    SPATIAL = auto()  # between, in front of: a place that no requirement can state
    FUNCTION = auto()  # any other function word

    # What asks for nothing.
    ADJECTIVE = auto()  # nice, big
    COLOUR_NOUN = auto()  # colour, shade
    NOT_DRAWN = auto()  # picture, shop
    USED = auto()  # a word that a rule has read already

    COMMA = auto()  # also a bracket, a quotation mark, a dash
    SEMICOLON = auto()
    COLON = auto()
    STOP = auto()  # the end of a sentence


_NAME = re.compile(r"[A-Z][A-Z_]+")
_SPACE = re.compile(r"\s+")


def pattern(text: str) -> re.Pattern[str]:
    """A regular expression over a string of tags, from one that is written with their names.

    A name stands for its tag; spaces and line breaks only separate; the rest is the syntax of `re`. So
    `pattern("NUMBER [ADJECTIVE COLOUR]* OBJECT")` matches the tags of "three big red balls". Raises KeyError
    for a name that is no tag.
    """
    return re.compile(_SPACE.sub("", _NAME.sub(lambda name: Tag[name.group()].value, text)))


def any_of(names: str) -> frozenset[Tag]:
    """The tags with these names. Raises KeyError for a name that is no tag."""
    return frozenset(Tag[name] for name in names.split())
