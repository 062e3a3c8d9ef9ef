"""What is read from the text itself, before it becomes tokens: sizes, contrast, palette, lettering, times."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from pipeline.range import Range
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import tokens
from pipeline.reading.numerals import numerals
from pipeline.reading.tags import Tag

_SIZE = re.compile(
    r"\b(\d{2,4})\s*(?:px|pixels?)?\s*(?:x|×|by|\*)\s*(\d{2,4})\b"
    r"(?:\s*(?:px|pixels?))?(?:\s+(?:big|in size))?"
)
_SIDE = re.compile(r"\b(\d{2,4})\s*(?:px|pixels?)(?:\s+(wide|tall|high|across|square|in width|in height))?\b")
_NAMED_SIDE = re.compile(r"\b(width|height)\s+(?:of|is|:|should be|must be)?\s*(\d{2,4})\s*(?:px|pixels?)?\b")
_FORMAT = re.compile(
    r"\b(?:a |in )?(square|landscape|portrait)"
    r"(?:[ -](?:format|shaped?|image|picture|orientation|size|crop))\b"
)
_RATIOS = {(1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (4, 5), (5, 4), (2, 1), (1, 2), (21, 9)}
_RATIO = re.compile(r"(?<![\d:])(\d{1,2})\s?:\s?(\d{1,2})(?![\d:]|\s*(?:o'clock|[ap]\.?m))")
_CONTRAST = re.compile(
    r"\b(high|low|strong|soft|good)(?:er)?[ -]contrast\b"
    r"|\bcontrast\s+(?:should|must|has to)?\s*(?:be)?\s*(high|low|strong)\b"
    r"|\bcontrast:\s*(high|low)\b"
)
_TIME = re.compile(
    r"\b(at (?:night|dawn|dusk|sunrise|sunset|noon|midnight)|in the (?:rain|snow|fog|moonlight))\b"
)
_NOT_COLOURED = re.compile(
    r"\b(?:do not|don't|never) (?:make|paint|colou?r|draw) (?:it|them|the \w+) ([a-z]+)\b"
)
_NO_BACKGROUND = re.compile(
    r"\b(?:(?:with )?(?:a )?(?:transparent|see[ -]through|cut[ -]?out)|(?:with )?no|without (?:any|a)) background\b"
    r"(?! (?:clutter|noise|music|text|details?|objects?|people))"
)
_MANNER = re.compile(r"\bin the style of (?:an? )?((?:[a-z'-]+ ?){1,3}?)(?=[,.;]|$| with| on| and)")
_LETTERING = re.compile(
    r"\b(?:(?:with|add|include|has|having)\s+)?(?:the\s+)?"
    r"(?:text|words?|caption|slogan|title|saying|says|reading|reads)"
    r"\s*:?\s*[\"“']([^\"”']+)[\"”']"
)
_IF_POSSIBLE = re.compile(r"[ ,]*if (?:possible|you can)")
_NEAR = 14  # characters after a want in which "if possible" must end
_QUOTED = re.compile(r"[\"“]([^\"”]*)[\"”]")
_MOSTLY = re.compile(
    r"\b(?:mostly|mainly|predominantly|largely|primarily)(?: in)? "
    r"((?:(?:light|dark|pale|bright|olive|cherry|lemon|navy|sky) )?[a-z]+)(?! background)\b"
    r"|\b(?:in )?shades of ([a-z]+)\b"
    r"|\b(?:an? |the )?([a-z]+) (?:colou?r )?(?:palette|colou?r scheme|colou?ring|tones|hues)\b"
    r"|\b(?:palette|colou?r scheme)(?: (?:is|of|should be|must be))?:? ((?:mostly )?[a-z]+)\b"
)


def technical(text: str, drawable: Range | None) -> tuple[str, list[Found]]:
    """The text in lower case without sizes, contrast, palette, lettering and times; and the wants that these are.
    A comma stands where they were."""
    found: list[Found] = []
    text = text.lower()

    def take(pattern: re.Pattern[str], make: Callable[[re.Match[str]], Found | None]) -> None:
        nonlocal text

        def replaced(match: re.Match[str]) -> str:
            item = make(match)
            if item is None:
                return match.group()
            optional = _IF_POSSIBLE.match(text, match.end(), match.end() + _NEAR)
            found.append(replace(item, must=optional is None))
            return " , "

        text = pattern.sub(replaced, text)

    def side(match: re.Match[str]) -> Found:
        n, which = match.groups()
        value = {"wide": f"{n} wide", "across": f"{n} wide", "in width": f"{n} wide"}.get(which or "", "")
        tall = f"{n} tall" if which in ("tall", "high", "in height") else f"{n}x{n}"
        return Found("technical", "size", value or tall)

    def ratio(match: re.Match[str]) -> Found | None:
        wide, tall = int(match[1]), int(match[2])
        if (wide, tall) not in _RATIOS:
            return None  # 10:15 is a time
        return Found(
            "technical", "size", "square" if wide == tall else "landscape" if wide > tall else "portrait"
        )

    def not_coloured(match: re.Match[str]) -> Found | None:
        known = [t for t in tokens(match[1], drawable) if t.tag is Tag.COLOUR]
        return Found("other", value=f"not {match[1]}") if known else None

    def colour(match: re.Match[str]) -> Found | None:
        word = next(g for g in match.groups() if g).removeprefix("mostly ")
        known = [t for t in tokens(word, drawable) if t.tag is Tag.COLOUR]
        return Found("technical", "palette", known[0].value) if known else None

    strong = {"strong": "high", "good": "high", "soft": "low"}
    take(_LETTERING, lambda m: Found("other", value=f"the text “{m[1]}”"))
    take(_SIZE, lambda m: Found("technical", "size", f"{int(m[1])}x{int(m[2])}"))
    take(_NAMED_SIDE, lambda m: Found("technical", "size", f"{m[2]} {'wide' if m[1] == 'width' else 'tall'}"))
    take(_SIDE, side)
    take(_RATIO, ratio)
    take(_FORMAT, lambda m: Found("technical", "size", m[1]))
    take(
        _CONTRAST,
        lambda m: Found("technical", "contrast", strong.get(m[1] or m[2] or m[3], m[1] or m[2] or m[3])),
    )
    take(_MOSTLY, colour)
    take(_NOT_COLOURED, not_coloured)
    take(_NO_BACKGROUND, lambda m: Found("other", value=m[0]))
    take(_MANNER, lambda m: Found("style", value=m[1].strip(), sure=False))
    take(_TIME, lambda m: Found("other", value=m[1]))
    text, counted = numerals(_QUOTED.sub(" ", text))
    return text, found + counted
