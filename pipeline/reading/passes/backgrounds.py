"""Backgrounds: a colour ("on pink"), a scene ("in a forest") or other words ("on a gradient background")."""

from __future__ import annotations

from pipeline.reading.finding import Found
from pipeline.reading.lexicon import ENGLISH
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern

# One colour, or several of one thing: "red"; "black and white"; "red, green and blue".
COLOURS = "COLOUR (?: COMMA? AND COLOUR | COMMA COLOUR (?= (?: COMMA COLOUR)* COMMA? AND COLOUR))*"
# Nothing follows that the colour could belong to: not in "red cat", not in "red background".
BELONGS_TO_NOTHING = "(?! COLOUR_NOUN? [ADJECTIVE COLOUR MOOD LOOK]* [OBJECT UNKNOWN BACKGROUND])"

# "on a sunny beach"; "behind, a forest"
_SCENE = pattern(
    "[ON IN BEHIND] COMMA? [DETERMINER POSSESSIVE ADJECTIVE MOOD]* (?P<place> [LOOK UNKNOWN OBJECT]{1,3})"
)
_COLOUR_ALONE = pattern(
    f"[FUNCTION DETERMINER ADJECTIVE MOOD REQUEST BE]* (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING}"
)
# "on a white ground"
_ON_GROUND = pattern(f"""
    [ON IN] [DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK]* (?P<colour> {COLOURS}) [ADJECTIVE LOOK]?
    [UNKNOWN OBJECT NOT_DRAWN]
""")
_GROUNDS = frozenset(ENGLISH["grounds"])
# "a background with pink stripes", "the background running from pink into orange"
_DRAWN_OVER = pattern("""
    BACKGROUND (?P<words>
        (?: WITH | [ACTION LOOK] | [BE FUNCTION]* UNKNOWN)
        [FUNCTION DETERMINER ADJECTIVE MOOD LOOK COLOUR AND IN UNKNOWN OBJECT NUMBER]*
    )
""")
_IT_IS = pattern(f"""
    (?: (?P<before> BACKGROUND) [^ OBJECT PRONOUN]* | ^ [FUNCTION COMMA]* )
    PRONOUN [BE FUNCTION DETERMINER ADJECTIVE MOOD ALL]*
    (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING}
""")
_LAST_COLOUR = pattern(f"(?P<colour> {COLOURS}) FUNCTION? UNKNOWN? (?= [COMMA SEMICOLON] | $)")
_EVEN = frozenset(("plain", "solid", "just", "all", "simply"))
_PLACES = frozenset(ENGLISH["places"])

_COLOURED = tuple(
    pattern(text)
    for text in (
        # "cookies brown background pink": the colour before it is the object's
        f"(?<= OBJECT COLOUR ) BACKGROUND (?P<colour> {COLOURS}) (?= [COMMA SEMICOLON] | $)",
        # "on a plain pink background"; "a pink colour backdrop"
        f"""(?: [ON WITH IN BEHIND] | RELATION)? [DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK]*
            (?P<colour> {COLOURS}) ADJECTIVE? COLOUR_NOUN? ADJECTIVE? BACKGROUND""",
        # "the background should be pink"; "background colour: pink"
        f"""[DETERMINER POSSESSIVE]? BACKGROUND COLOUR_NOUN?
            [BE DETERMINER ADJECTIVE IN COLOUR_NOUN OF FUNCTION COLON MOOD ALL]*
            (?P<colour> {COLOURS}) COLOUR_NOUN? (?! [ADJECTIVE COLOUR MOOD LOOK]* OBJECT)""",
        # "colour of the background, pink"
        f"COLOUR_NOUN? OF? [DETERMINER POSSESSIVE]? BACKGROUND COMMA (?P<colour> {COLOURS}) (?= [COMMA SEMICOLON] | $)",
        # "with a soft pink behind it"
        f"[ON WITH] [DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK]* (?P<colour> {COLOURS}) BEHIND",
        # "pink behind them", "a white page behind"
        f"(?P<colour> {COLOURS}) [NOT_DRAWN FUNCTION]? BEHIND",
        # "behind it all in solid pink"
        f"""BEHIND [PRONOUN ALL IN BE FUNCTION DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK NOT_DRAWN]*
            (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING}""",
        # "pink as the background"
        f"(?P<colour> {COLOURS}) AS_BACKGROUND",
        # "behind it, a pale pink"
        f"BEHIND [COMMA COLON]? [BE DETERMINER POSSESSIVE ADJECTIVE MOOD]* (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING}",
        # "pink for the background"
        f"(?P<colour> {COLOURS}) FUNCTION [DETERMINER POSSESSIVE]? BACKGROUND",
        # "on a sheet of pink"
        f"""ON DETERMINER [UNKNOWN OBJECT] OF [DETERMINER ADJECTIVE MOOD]*
            (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING}""",
        # "background: paint pink"
        f"""BACKGROUND [COMMA COLON] [REQUEST BE DETERMINER POSSESSIVE]*
            (?P<colour> {COLOURS}) COLOUR_NOUN? {BELONGS_TO_NOTHING}""",
        # "on plain pink"; not "on a pink chair", "on a pink poster"
        f"""ON [DETERMINER POSSESSIVE ADJECTIVE MOOD ALL]* (?P<colour> {COLOURS})
            (?! [ADJECTIVE COLOUR MOOD LOOK]* [OBJECT UNKNOWN NOT_DRAWN BACKGROUND])""",
        # "is on a pink card"
        f"BE? ON [DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK]* (?P<colour> {COLOURS}) (?= NOT_DRAWN)",
    )
)
_WORDED = tuple(
    pattern(text)
    for text in (
        # "with a city skyline in the background"
        """(?: WITH | COMMA | AND | ^ | IDEALLY) [DETERMINER POSSESSIVE ADJECTIVE MOOD]*
           (?P<words> LOOK* UNKNOWN{1,2}) AS_BACKGROUND""",
        # "on a gradient background"
        "ON? [DETERMINER POSSESSIVE] [ADJECTIVE MOOD]* (?P<words> LOOK* UNKNOWN{1,2}) BACKGROUND",
        # "gradient background, a cat"
        "^ [ADJECTIVE MOOD]* (?P<words> LOOK* UNKNOWN{1,2}) BACKGROUND",
        # "background: a city skyline"
        "BACKGROUND (?: BE | COLON)+ [DETERMINER POSSESSIVE ADJECTIVE MOOD LOOK]* (?P<words> [UNKNOWN OBJECT]{1,2})",
    )
)
_NAMES_BACKGROUND = any_of("BACKGROUND AS_BACKGROUND")
# "a red [cat]"
_COLOUR_OF_OBJECT = pattern("COLOUR [ADJECTIVE COLOUR MOOD LOOK]* OBJECT")
_MARK = pattern("[COMMA SEMICOLON AND]")
_NEAR = 7  # words


def backgrounds(sentence: Sentence, context: Context) -> list[Found]:
    """The backgrounds that the sentence asks for. Colours are certain, words are guesses."""
    found = _scenes(sentence)
    found += _on_ground(sentence)
    found += _in_note(sentence, context)
    found += _drawn_over(sentence)
    found += _by_pronoun(sentence, context)
    for form in _COLOURED:
        while match := form.search(sentence.tag_string):
            colour = sentence.colour(*match.span("colour"))
            found.append(Found("background", value=colour, at=match.start("colour")))
            sentence.use(*match.span())
    for form in _WORDED:
        while match := form.search(sentence.tag_string):
            words = sentence.text(*match.span("words"))
            found.append(Found("background", value=words, at=match.start("words"), sure=False))
            sentence.use(*match.span())
    for i, tag in enumerate(sentence.tags):
        if tag in _NAMES_BACKGROUND:
            if not any(item.kind == "background" for item in (*context.found, *found)):
                found += _nearest_colour(sentence, i)
            sentence.use(i, i + 1)
    return found


def _on_ground(sentence: Sentence) -> list[Found]:
    """ "on a white ground" """
    found = []
    for match in sentence.matches(_ON_GROUND):
        if sentence.tokens[match.end() - 1].text in _GROUNDS:
            colour = sentence.colour(*match.span("colour"))
            found.append(Found("background", value=colour, at=match.start("colour")))
            sentence.use(*match.span())
    return found


def _in_note(sentence: Sentence, context: Context) -> list[Found]:
    """ "[cat, gray,] blue back"; "[Carrot. Orange.] Plain white." """
    for match in sentence.matches(_LAST_COLOUR):
        start, end = match.span("colour")
        at_back = [token.text for token in sentence.tokens[end : end + 2]] in (["back"], ["back", "ground"])
        coloured = any(item.kind == "attribute" for item in context.found)
        alone = start and coloured and all(token.text in _EVEN for token in sentence.tokens[:start])
        if at_back or alone:
            sentence.use(start, match.end())
            return [Found("background", value=sentence.colour(start, end), at=start)]
    return []


def _by_pronoun(sentence: Sentence, context: Context) -> list[Found]:
    """ "[The background should not be white,] it should be yellow"; also from one sentence to the next"""
    match = _IT_IS.search(sentence.tag_string)
    if match is None and context.of_background and not any(f.kind == "background" for f in context.found):
        match = _COLOUR_ALONE.match(sentence.tag_string)  # "The background? Black, please."
        if match is not None:
            sentence.use(*match.span("colour"))
            return [
                Found("background", value=sentence.colour(*match.span("colour")), at=match.start("colour"))
            ]
    if match is None or (match["before"] is None and not context.of_background):
        return []
    sentence.use(*match.span("colour"))
    colour = sentence.colour(*match.span("colour"))
    return [Found("background", value=colour, at=match.start("colour"))]


def _drawn_over(sentence: Sentence) -> list[Found]:
    """Backgrounds of more than one plain colour, in the words of the brief."""
    found = []
    for match in sentence.matches(_DRAWN_OVER):
        start, end = match.span("words")
        shown = any(token.tag is Tag.OBJECT and token.known for token in sentence.tokens[start:end])
        colours = sum(tag is Tag.COLOUR for tag in sentence.tags[start:end])
        varied = any(
            (t.text.endswith(("ing", "s")) and t.tag is Tag.UNKNOWN) or t.tag is Tag.ACTION
            for t in sentence.tokens[start:end]
        )
        if colours and (varied or colours > 1) and not shown:
            found.append(Found("background", value=sentence.text(start, end), at=start))
            sentence.use(match.start(), end)
    return found


def _scenes(sentence: Sentence) -> list[Found]:
    found = []
    for match in sentence.matches(_SCENE):
        place, last = sentence.text(*match.span("place")), sentence.tokens[match.end() - 1]
        drawable = last.known and last.tag is Tag.OBJECT
        if not drawable and _PLACES & {place, place.split()[-1]}:
            found.append(Found("background", value=place, at=match.start("place"), sure=False))
            sentence.use(*match.span())
    return found


def _nearest_colour(sentence: Sentence, at: int) -> list[Found]:
    """For "background" in no known form, the nearest colour in its clause that belongs to no object."""
    tags = sentence.tag_string
    if Tag.NO in tags:
        return []
    taken = {i for match in _COLOUR_OF_OBJECT.finditer(tags) for i in range(*match.span())}
    free = [
        i
        for i, tag in enumerate(sentence.tags)
        if tag is Tag.COLOUR
        and i not in taken
        and abs(at - i) < _NEAR
        and not _MARK.search(tags[min(at, i) : max(at, i)].strip(Tag.COMMA))
    ]
    if not free:
        return []
    nearest = min(free, key=lambda i: abs(at - i))
    sentence.use(nearest, nearest + 1)
    return [Found("background", value=sentence.tokens[nearest].value, at=nearest)]
