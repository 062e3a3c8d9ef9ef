"""What is read from the text itself, before it becomes tokens: sizes, contrast, palette, lettering, times."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from pipeline.range import Range, draws_anything
from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.lexicon import ENGLISH, tokens
from pipeline.reading.measures import measures
from pipeline.reading.numerals import numerals
from pipeline.reading.plain_words import plain
from pipeline.reading.tags import Tag, any_of

_any_case = partial(re.compile, flags=re.IGNORECASE)

# "256x256"; "640 by 480 pixels"
_SIZE = _any_case(
    r"\b(\d{2,4})\s*(?:px|pixels?)?\s*(?:x|×|by|\*)\s*(\d{2,4})\b"
    r"(?:\s*(?:px|pixels?))?(?:\s+(?:big|in size))?"
)
# "512 pixels wide"; "256 px" alone is a square
_SIDE = _any_case(r"\b(\d{2,4})\s*(?:px|pixels?)(?:\s+(wide|tall|high|across|square|in width|in height))?\b")
# "width of 512 px"
_NAMED_SIDE = _any_case(r"\b(width|height)\s+(?:of|is|:|should be|must be)?\s*(\d{2,4})\s*(?:px|pixels?)?\b")
# "in square format"
_FORMAT = _any_case(
    r"\b(?:a |in )?(square|landscape|portrait)"
    r"(?:[ -](?:format|shaped?|image|picture|orientation|size|crop))\b"
)
_RATIOS = {(1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (4, 5), (5, 4), (2, 1), (1, 2), (21, 9)}
# "16:9"; "aspect ratio 16:9"; "--ar 16:9"
_RATIO = _any_case(
    r"(?:(?:(?:in |with )?(?:an? |the )?(?:aspect )?ratio(?: of|:)?|--ar) )?"
    r"(?<![\d:])(\d{1,2})\s?:\s?(\d{1,2})(?![\d:]|\s*(?:o'clock|[ap]\.?m))"
)
_CONTRASTS = {"strong": "high", "good": "high", "soft": "low", "little": "low"} | dict.fromkeys(
    ("lots of", "plenty of", "much", "strongly"), "high"
)
# "high contrast"; "contrast should be low"; "contrast: high"
_CONTRAST = _any_case(
    r"\b(high|low|strong|soft|good)(?:er)?[ -]contrast\b"
    r"|\bcontrast\s+(?:should|must|has to)?\s*(?:be)?\s*(high|low|strong)\b"
    r"|\bcontrast:\s*(high|low)\b"
    r"|\b(lots of|plenty of|little|much|strongly) contrast(?:ed)?\b"
)
# "at night"
_TIME = _any_case(
    r"\b(at (?:night|dawn|dusk|sunrise|sunset|noon|midnight)|in the (?:rain|snow|fog|moonlight))\b"
)
# "don't make it yellow"
_NOT_COLOURED = _any_case(
    r"\b(?:do not|don't|never) (?:make|paint|colou?r|draw) (?:it|them|the \w+) ([a-z]+)\b"
)
# "with a transparent background"; "no background"
_NO_BACKGROUND = _any_case(
    r"\b(?:(?:with )?(?:a )?(?:transparent|see[ -]through|cut[ -]?out)|(?:with )?no|without (?:any|a)) background\b"
    r"(?! (?:clutter|noise|music|text|details?|objects?|people))"
)
# "in the style of van gogh"
_MANNER = _any_case(r"\bin the style of (?:an? )?((?:[a-z'-]+ ?){1,3}?)(?=[,.;]|$| with| on| and)")
_IF_POSSIBLE = _any_case(r"[ ,]*if (?:possible|you can)")
_NEAR = 14  # characters after a want in which "if possible" must end
_LETTERED = _any_case(
    r"\b(?:letter(?:s|ing|ed)?|written|writing|write|text|caption|says?|saying|reads?|printed|engraved)\b"
)
_QUOTES_NEAR = 24  # characters
# In double quotes, or in single ones that are no apostrophes; with the words before that say what it is: "with the text
# 'Sale'".
_QUOTED = _any_case(
    r"(?P<said>\b(?:(?:with|add|include|has|having)\s+)?(?:the\s+)?"
    r"(?:text|words?|caption|slogan|title|saying|says|reading|reads)\s*:?\s*)?"
    r"(?:[\"“](?P<double>[^\"”]*)[\"”]|(?<!\w)['‘](?P<single>(?:[^'’\"\n]|(?<=\w)['’](?=\w))+)['’](?!\w))"
)
# "with “Just married” on it", "“Hi” across the top"
_PLACED = _any_case(
    r"\s*(?:on (?:it|them|top|the|its|each)|across|along|above|below|under(?:neath)?|at the|in the middle)\b"
)
# "a book called “Dune”"; not "our band called “Dune”"
_TITLED = _any_case(
    r"\b(?:books?|posters?|magazines?|newspapers?|albums?|signs?|banners?|billboards?|menus?|labels?|cards?|shirts?|mugs?)"
    r" (?:that is )?(?:called|titled|named|entitled|labell?ed)\W*$"
)
_SHOUTED = re.compile(r"[.!?;:,]\s*(?P<words>[A-Z]{2,}(?:[ ,]+[A-Z]{2,}){0,3})\s*[.!?]*$")
_ASK_NOTHING = frozenset(ENGLISH["closings"]) | frozenset(ENGLISH["haste"])
_READ = any_of("COLOUR OBJECT NUMBER STYLE BACKGROUND")
_JOINED = _any_case(r"\s*(?:,|and|or|,\s*(?:and|or)|&|/|\+)\s*")
# "mostly blue"; "in shades of blue"; "a blue palette"; "colour scheme: blue"
_MOSTLY = _any_case(
    r"\b(?:mostly|mainly|predominantly|largely|primarily)(?: in)? "
    r"((?:(?:light|dark|pale|bright|olive|cherry|lemon|navy|sky) )?[a-z]+)(?! background)\b"
    r"|\b(?:in )?shades of ([a-z]+)\b"
    r"|\b(?:an? |the )?([a-z]+) (?:colou?r )?(?:palette|colou?r scheme|colou?ring|tones|hues)\b"
    r"|\b(?:palette|colou?r scheme)(?: (?:is|of|should be|must be))?:? ((?:mostly )?[a-z]+)\b"
)


def technical(text: str, drawable: Range | None) -> tuple[str, list[Found]]:
    """The text without sizes, contrast, palette, lettering and times; and the wants that these are.
    A comma stands where they were."""
    found: list[Found] = []
    text, quoted = _unquoted(plain(text, drawable), drawable)
    text, shouted = _shouted(text, drawable)
    for pattern, want in _WANTS:
        text, more = _taken(text, pattern, want, drawable)
        found += more
    text, measured = measures(text)
    text, counted = numerals(text)
    return text, quoted + shouted + found + measured + counted


def _unquoted(text: str, drawable: Range | None) -> tuple[str, list[Found]]:
    """The text without lettering: what is in quotation marks and in capitals, near a word such as "letters", on a
    thing, or joined to other lettering ("HI" and "bye"). Else double quotes hold a name or a theme, which asks for
    nothing, and single ones any words."""
    found: list[Found] = []
    lettering_ended = -1

    def take(match: re.Match[str]) -> str:
        nonlocal lettering_ended
        words = match["double"] or match["single"] or ""
        before, after = text[: match.start()], text[match.end() :]
        joined = lettering_ended >= 0 and _JOINED.fullmatch(text[lettering_ended : match.start()])
        lettered = _LETTERED.search(before[-_QUOTES_NEAR:] + match.group() + after[:_QUOTES_NEAR])
        placed = before.rstrip().lower().endswith("with") and _PLACED.match(after)
        signs = match["said"], words.isupper(), lettered, joined, placed, _TITLED.search(before)
        if words.strip() and any(signs):
            lettering_ended = match.end()
            optional = _IF_POSSIBLE.match(text, match.end(), match.end() + _NEAR)
            found.append(replace(_letters(words, drawable), must=optional is None))
            return " , "
        return f" {words} " if match["single"] else " "

    return _QUOTED.sub(take, text), found


def _shouted(text: str, drawable: Range | None) -> tuple[str, list[Found]]:
    """The text without a last sentence in capitals, as in "a star. HELLO": it may be letters to be written."""
    match = _SHOUTED.search(text)
    if match is None or not any(char.islower() for char in text[: match.start()]):
        return text, []
    words = match["words"]
    read = any(token.tag in _READ for token in tokens(words, drawable))
    if read or _ASK_NOTHING.issuperset(words.lower().replace(",", " ").split()):
        return text, []
    return text[: match.start("words")], [Found("other", NOT_UNDERSTOOD, words, sure=False)]


Want = Callable[[re.Match[str], Range | None], Found | None]


def _taken(
    text: str, pattern: re.Pattern[str], want: Want, drawable: Range | None
) -> tuple[str, list[Found]]:
    """The text without the matches that are a want, and those wants; "if possible" after one makes it optional."""
    found: list[Found] = []

    def take(match: re.Match[str]) -> str:
        item = want(match, drawable)
        if item is None:
            return match.group()
        optional = _IF_POSSIBLE.match(text, match.end(), match.end() + _NEAR)
        found.append(replace(item, must=optional is None))
        return " , "

    return pattern.sub(take, text), found


def _letters(words: str, drawable: Range | None) -> Found:
    if draws_anything(drawable):
        return Found("text", value=words)
    return Found("other", value=f"the text “{words}”")


def _size(match: re.Match[str], drawable: Range | None) -> Found:
    return Found("technical", "size", f"{int(match[1])}x{int(match[2])}")


def _named_side(match: re.Match[str], drawable: Range | None) -> Found:
    return Found("technical", "size", f"{match[2]} {'wide' if match[1].lower() == 'width' else 'tall'}")


def _side(match: re.Match[str], drawable: Range | None) -> Found:
    pixels, which = match[1], (match[2] or "").lower()
    if which in ("wide", "across", "in width"):
        return Found("technical", "size", f"{pixels} wide")
    if which in ("tall", "high", "in height"):
        return Found("technical", "size", f"{pixels} tall")
    return Found("technical", "size", f"{pixels}x{pixels}")


def _ratio(match: re.Match[str], drawable: Range | None) -> Found | None:
    wide, tall = int(match[1]), int(match[2])
    if (wide, tall) not in _RATIOS:
        return None  # 10:15 is a time
    shape = "square" if wide == tall else "landscape" if wide > tall else "portrait"
    return Found("technical", "size", shape)


def _format(match: re.Match[str], drawable: Range | None) -> Found:
    return Found("technical", "size", match[1].lower())


def _contrast(match: re.Match[str], drawable: Range | None) -> Found:
    word = next(filter(None, match.groups())).lower()
    return Found("technical", "contrast", _CONTRASTS.get(word, word))


def _palette(match: re.Match[str], drawable: Range | None) -> Found | None:
    word = next(group for group in match.groups() if group).lower().removeprefix("mostly ")
    colour = _colour(word, drawable)
    return Found("technical", "palette", colour) if colour else None


def _not_coloured(match: re.Match[str], drawable: Range | None) -> Found | None:
    return Found("other", value=f"not {match[1].lower()}") if _colour(match[1], drawable) else None


def _colour(words: str, drawable: Range | None) -> str | None:
    """The first colour among the words, as the range names it."""
    return next((token.value for token in tokens(words, drawable) if token.tag is Tag.COLOUR), None)


def _as_written(match: re.Match[str], drawable: Range | None) -> Found:
    return Found("other", value=match[0].lower())


def _manner(match: re.Match[str], drawable: Range | None) -> Found:
    return Found("style", value=match[1].strip().lower(), sure=False)


# In this order: a size must be gone before its numbers could be taken for a side or a ratio.
_WANTS: tuple[tuple[re.Pattern[str], Want], ...] = (
    (_SIZE, _size),
    (_NAMED_SIDE, _named_side),
    (_SIDE, _side),
    (_RATIO, _ratio),
    (_FORMAT, _format),
    (_CONTRAST, _contrast),
    (_MOSTLY, _palette),
    (_NOT_COLOURED, _not_coloured),
    (_NO_BACKGROUND, _as_written),
    (_MANNER, _manner),
    (_TIME, _as_written),
)
