"""What the passes over a brief work on: one sentence at a time, and what the sentences before it said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipeline.reading.finding import Found
from pipeline.reading.lexicon import Token
from pipeline.reading.tags import Tag


class Sentence:
    """The tokens of a sentence, and the tags that are left of them.

    A pass that has read a word sets its tag to USED, or to ADJECTIVE where other words should still be joined
    across it, so that no later pass reads it again. `tokens` keep the tags that they came with. A pass that reads
    a word which later passes should see too claims it. `owned`: whether a want has been made of the word.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = list(tokens)
        self.tags: list[Tag] = [token.tag for token in tokens]
        self.owned: list[bool] = [False] * len(self.tokens)

    @property
    def tag_string(self) -> str:
        """The tags that are left, one character each: what a `pattern` searches."""
        return "".join(self.tags)

    def matches(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """Every match in the tags as they are now; what is used meanwhile changes nothing."""
        return pattern.finditer(self.tag_string)

    def use(self, start: int, end: int, tag: Tag = Tag.USED) -> None:
        """Mark the words from `start` up to `end` as read."""
        self.tags[start:end] = [tag] * (end - start)
        self.claim(start, end)

    def claim(self, start: int, end: int) -> None:
        """Note that a want was made of the words from `start` up to `end`, which later passes may still read."""
        self.owned[start:end] = [True] * (end - start)

    def objects(self) -> list[int]:
        """The indices of the objects that are left."""
        return [i for i, tag in enumerate(self.tags) if tag is Tag.OBJECT]

    def text(self, start: int, end: int) -> str:
        return " ".join(token.text for token in self.tokens[start:end])

    def written(self, start: int, end: int) -> str:
        """The words as the brief says them, in its capitals."""
        return " ".join(token.written or token.text for token in self.tokens[start:end])

    def colour(self, start: int, end: int) -> str:
        """The colours from `start` up to `end` as one value: "black and white" is one look of one thing, not two that
        contradict each other."""
        tokens = self.tokens[start:end]
        colours = list(dict.fromkeys(token.value for token in tokens if token.tag is Tag.COLOUR))
        joint = "or" if any(token.text == "or" for token in tokens) else "and"
        return f" {joint} ".join(colours)


@dataclass(slots=True)
class Context:
    """What was read so far: in the sentences before, and by the passes before in this one."""

    found: list[Found] = field(default_factory=list)
    # Objects of the sentences before, the last mentioned last: what "it" and "the bear" refer to.
    objects: list[str] = field(default_factory=list)
    # Objects of the last sentence that named any: what "both" and "they" refer to.
    group: list[str] = field(default_factory=list)
    # By object, the finding that it is on a side of something that no sentence has named yet.
    unplaced: dict[str, Found] = field(default_factory=dict)

    # Whether the sentence before is about the background: what "it" then refers to.
    of_background: bool = False
    # Negated colours, with what they are of ("background" or an object) and the colour.
    not_coloured: list[tuple[Found, str, str]] = field(default_factory=list)

    def mention(self, names: Sequence[str]) -> None:
        """Note the objects that a sentence named, in its order."""
        for name in names:
            if name in self.objects:
                self.objects.remove(name)
            self.objects.append(name)
        self.group = list(dict.fromkeys(names)) or self.group
