"""Which object a word stands for: before the other passes, objects get the names by which findings tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.english import singular
from pipeline.reading.lexicon import Token
from pipeline.reading.tags import Tag, any_of, pattern

# "a blue vase", "two nice red balls"
_COLOURED = pattern("""
    [DETERMINER NUMBER] [ADJECTIVE MOOD LOOK]* (?P<colour> COLOUR) [ADJECTIVE MOOD LOOK]* (?P<object> OBJECT)
""")
_KNOWN_ALREADY = frozenset(("the", "this", "that", "these", "those"))
_DEFINITE = frozenset(("the", "this", "that"))
_NOUNS = any_of("OBJECT UNKNOWN")


def told_apart(tokens: Sequence[Token]) -> list[Token]:
    """The tokens, with objects of one kind and different colours named by their colours: "a blue vase left of a red
    vase" has a "blue vase" and a "red vase"."""
    line = list(tokens)
    introduced: dict[str, list[tuple[int, int]]] = {}
    for match in _COLOURED.finditer("".join(token.tag for token in line)):
        if line[match.start()].text not in _KNOWN_ALREADY:
            colour, noun = match.start("colour"), match.start("object")
            introduced.setdefault(line[noun].value, []).append((colour, noun))
    for name, places in introduced.items():
        if len({line[colour].value for colour, _ in places}) > 1:
            for colour, noun in places:
                line[noun] = replace(line[noun], value=f"{line[colour].value} {name}")
                line[colour] = replace(line[colour], tag=Tag.ADJECTIVE)
    return line


def resolved(tokens: Sequence[Token], objects: Sequence[str]) -> list[Token]:
    """The tokens, with a short name for one of the `objects` of earlier sentences, or of this one, replaced by the
    full one: after "a soccer ball", "the ball" is that ball."""
    line = list(tokens)
    named = list(objects)
    for i, token in enumerate(line):
        word = singular(token.text)
        if token.tag in _NOUNS and token.value not in named:
            definite = i > 0 and line[i - 1].tag is Tag.DETERMINER and line[i - 1].text in _DEFINITE
            full = [name for name in named if definite and name.endswith(" " + word)]
            full += [name for name in named if name == word]
            if full:
                line[i] = replace(token, tag=Tag.OBJECT, value=full[-1])
        elif token.tag is Tag.UNKNOWN:
            line[i] = replace(token, tag=Tag.OBJECT, value=word if word in named else token.value)
        if line[i].tag is Tag.OBJECT:
            named.append(line[i].value)
    return line
