"""Names, headings and askers: "Blue Whale swimming school: …", "for Mr Fox", "the horse riding school needs …".

What they name is not to be drawn. Capital letters tell a name, where the brief does not write every noun with one.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.reading.lexicon import ENGLISH, Token
from pipeline.reading.tags import Tag, any_of, pattern

_TITLES = frozenset(ENGLISH["titles"])
_INSIDE_NAMES = frozenset(
    ("of", "the", "and", "&", "+", "de", "van", "von", "la", "le", "del", "in", "on", "at")
)
_NUMBERED = frozenset(ENGLISH["numbered"])
_ASKERS = frozenset(ENGLISH["askers"])
_CLOSINGS = frozenset(ENGLISH["closings"])
_LABELS = frozenset(ENGLISH["labels"])
_THINGS = frozenset(ENGLISH["things"]) | frozenset(ENGLISH["not_drawn"])
_COULD_BE_DRAWN = any_of("OBJECT COLOUR UNKNOWN STYLE LOOK MOOD NUMBER")
_WANTS_THE_NAME = any_of("NUMBER REQUEST COLOUR LOOK QUANTITY")
_MARKS = any_of("COMMA SEMICOLON COLON")
_NOT_IN_HEADING = any_of("NO NOT FORBIDDEN BACKGROUND AS_BACKGROUND STYLE RELATION SIDE ON BESIDE IDEALLY")
# "[Pet shop:] a fish", "[Owls:] two of them": after a heading, something is wanted
_WANTED_NEXT = pattern("""
    [FUNCTION REQUEST BE PRONOUN POSSESSIVE COMMA IDEALLY]*
    (?: [DETERMINER NUMBER QUANTITY] [ADJECTIVE COLOUR MOOD LOOK UNKNOWN]* | [ADJECTIVE COLOUR MOOD LOOK]*)
    [OBJECT UNKNOWN]
""")
# "three balloons[: red and green]", "two cats": what is wanted stands before the colon
_WANTED_BEFORE = pattern("(?: NUMBER | DETERMINER) [ADJECTIVE COLOUR MOOD LOOK]* OBJECT $")


def plainly_written(tokens: Sequence[Token]) -> bool:
    """Whether capital letters tell names in a brief: not where all its nouns have one."""
    return any(token.tag is Tag.OBJECT and token.written[:1].islower() for token in tokens)


def marked_names(sentence: Sequence[Token], capitals: bool) -> list[bool]:
    """Which words of the sentence belong to a name, a heading or an asker. `capitals`: whether capital letters tell
    names."""
    names = [False] * len(sentence)
    if capitals:
        _mark_capitals(sentence, names)
    _mark_titles(sentence, names)
    _mark_numbered(sentence, names)
    _mark_closing(sentence, names)
    _mark_heading(sentence, names)
    _mark_asker(sentence, names)
    return names


def _is_capital(token: Token) -> bool:
    return token.capital and token.text.split()[0] not in ("i", "i'm", "i'd", "i've", "i'll")


def _mark_capitals(line: Sequence[Token], names: list[bool]) -> None:
    """Runs of two or more capitals ("Fox & Crown Primary"); one in the middle of a clause ("my mate Duck")."""
    start = 0
    while start < len(line):
        if not _is_capital(line[start]):
            start += 1
            continue
        end = start + 1
        while end < len(line):
            link = end
            while (
                link < len(line)
                and link - end < 2
                and line[link].text in _INSIDE_NAMES
                and not _is_capital(line[link])
            ):
                link += 1
            if link == len(line) or not _is_capital(line[link]):
                break
            end = link + 1
        opens = start == 0 or line[start - 1].tag in _MARKS
        before = line[start - 1] if start else None
        asked = before is not None and (before.tag in _WANTS_THE_NAME or before.text in ("a", "an"))
        of_picture = before is not None and before.tag is Tag.OF
        capitals = sum(_is_capital(token) for token in line[start:end])
        drawable = any(token.tag in _COULD_BE_DRAWN for token in line[start:end])
        # The first word of a clause is written with a capital anyway.
        spelt = capitals - opens
        if drawable and spelt > 0 and not asked and not (of_picture and capitals == 1):
            names[start:end] = [True] * (end - start)
        start = end


def _mark_titles(line: Sequence[Token], names: list[bool]) -> None:
    """ "Mr Fox", "St Mary's" """
    for i, token in enumerate(line):
        if token.text in _TITLES:
            names[i] = True
            k = i + 1
            while k < len(line) and k < i + 3 and _is_capital(line[k]):
                names[k] = True
                k += 1


def _mark_numbered(line: Sequence[Token], names: list[bool]) -> None:
    """ "year 3", "class 2b" """
    for i, token in enumerate(line[:-1]):
        if token.text in _NUMBERED and line[i + 1].tag is Tag.NUMBER and line[i + 1].written.isdigit():
            end = i + 2
            while end < len(line) and (
                line[end].text == "-"
                or line[end].tag is Tag.NUMBER
                or (len(line[end].text) == 1 and line[end].tag is Tag.UNKNOWN)
            ):
                end += 1
            if end == len(line) or line[end].tag is not Tag.OBJECT:
                names[i:end] = [True] * (end - i)


def _mark_closing(line: Sequence[Token], names: list[bool]) -> None:
    """ "[many thanks,] Emma Bell" """
    last = max((i for i, token in enumerate(line) if token.text in _CLOSINGS), default=None)
    if last is None:
        return
    rest = [i for i in range(last + 1, len(line)) if line[i].tag not in _MARKS]
    if 0 < len(rest) <= 3 and all(_is_capital(line[i]) or len(line[i].text) == 1 for i in rest):
        for i in rest:
            names[i] = True


def _mark_heading(line: Sequence[Token], names: list[bool]) -> None:
    """ "Rainbow nursery: a teddy bear" """
    for i, token in enumerate(line):
        if token.tag is not Tag.COLON and token.text not in ("-", "–", "—"):
            continue
        head, tags = line[:i], "".join(t.tag for t in line)
        if not head or not _WANTED_NEXT.match(tags, i + 1) or any(t.tag in _NOT_IN_HEADING for t in head):
            return
        if _WANTED_BEFORE.search(tags, 0, i) or line[i - 1].text in _LABELS:
            return
        if token.tag is not Tag.COLON and not any(
            t.tag is Tag.NOT_DRAWN or names[k] for k, t in enumerate(head)
        ):
            return
        if any(t.tag is Tag.REQUEST for t in head):
            return
        for k in range(i):
            names[k] = names[k] or head[k].tag not in _MARKS | {Tag.MOOD}
        return


def _mark_asker(line: Sequence[Token], names: list[bool]) -> None:
    """ "The horse riding school [needs]", "our florist [asks for]" """
    start = 0
    for i, token in enumerate(line):
        if token.tag in _MARKS or token.tag is Tag.AND:
            start = i + 1
        elif token.text in _ASKERS and i > start:
            subject = range(start, i)
            follows = line[i + 1].text if i + 1 < len(line) else ""
            if follows in ("be", "to be") or any(line[k].tag in _NOT_IN_HEADING for k in subject):
                continue
            someone = any(
                names[k] or line[k].tag in (Tag.POSSESSIVE, Tag.NOT_DRAWN, Tag.UNKNOWN) for k in subject
            )
            if someone:
                for k in subject:
                    names[k] = True
            start = i + 1
