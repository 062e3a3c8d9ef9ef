"""Numbers that are neither counts nor pixels: lengths, resolutions, lenses, years, ordinals, colour codes. They are
wants that nothing can check, kept in the user's words."""

from __future__ import annotations

import re

import numpy as np

from models.palette import COLOURS, nearest
from pipeline.reading.finding import Found

_NUMBER = r"(?<![\w.,/#])\d+(?:[.,]\d+)?"
_DIMENSION = r"(?:[ -](?:tall|high|wide|long|deep|thick|across|away|old))?"
_BEFORE = r"(?:\b(?:in|at|with|weighing|from|of) )?"  # taken with what follows: "in 8k"
_UNITS = (
    r"(?:[mcdk]m|m|nm|[mk]?g|lbs?|oz|ft|mph|km/h|[kmgt]b|[kmg]?hz|fps|dpi|ppi|mp|bits?|megapixels?|°[cf]?|degrees?"
    r"|(?:centi|milli|kilo)?(?:met(?:er|re)|gram)s?|inch(?:es)?|yards?|miles?|pounds?|ounces?|kilos?"
    r"|(?:feet|foot)(?=[ -](?:tall|high|wide|long|deep|away))"
    r"|(?:years?|months?|weeks?|days?|hours?|minutes?|seconds?)(?=[ -](?:old|long|ago)))"
)
_KINDS = (
    # "8k", "4K UHD", "8k resolution", "1080p"
    rf"{_BEFORE}(?:\bu?hd )?{_NUMBER}(?:k|p)(?![\w'])(?: (?:u?hd|resolution|quality))*",
    # "35mm lens", "f/1.8", "ISO 100", "1/200s"
    rf"{_BEFORE}{_NUMBER} ?mm lens",
    r"\bf/?\d+(?:\.\d+)?\b",
    r"\biso ?\d+\b",
    r"\b1/\d{2,5} ?s(?:ec(?:onds?)?)?\b",
    # "300 dpi", "1.5 meters tall", "3-inch", "2-year-old"
    rf"{_BEFORE}{_NUMBER}[ -]?{_UNITS}(?![\w'’]){_DIMENSION}",
    # '3"' tall
    rf"{_NUMBER}[\"″](?=[ ,.]|$)(?![^\"″]*[\"″]){_DIMENSION}",
    # "-2 cats" is no count; "- 2 cats" is an item of a list
    r"(?<![^\s(])[-−–]\d+(?:[.,]\d+)?(?= [a-z])",
    # "50%"
    rf"{_BEFORE}{_NUMBER} ?(?:%|percent\b)",
    # "1920s", "90s", "from 1990", "the year 2024"
    r"\b(?:in |from )?(?:the )?(?:\d{2})?\d0s\b",
    r"\b(?:from|since|circa|(?:in |from )?(?:the )?year) (?:1\d|20)\d\d\b",
    # "the 2nd", "no. 5", "version 2", "v2", "page 3"
    r"\b\d+(?:st|nd|rd|th)\b",
    r"\b(?:no\.|nr\.?|version|v|page|chapter|volume|level|seed|steps?|cfg(?: scale)?|top) ?\d+(?:\.\d+)?\b"
    r"(?! ?(?:px|x))",
    # "3/4 view", "10x zoom", "$5", "2d"
    r"(?<![\w/])\d{1,2}/\d{1,2}(?![\w/])(?: (?:view|angle|profile))?",
    r"\b\d+x (?:zoom|magnification)\b",
    r"[$€£]\d+(?:[.,]\d+)?\b",
    r"\b2d\b",
)  # fmt: skip
_MEASURE = re.compile("|".join(f"(?:{kind})" for kind in _KINDS), re.IGNORECASE)
_WHOLLY = re.compile(r"(?<![\w.])100 ?(?:%|percent\b) (?=[a-z])", re.IGNORECASE)  # "100% red" is red
_CODE = re.compile(r"(?<![\w#])#(?:[0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
# Weights of words in prompts: "(cat:1.3)"
_WEIGHT = re.compile(r":\d(?:\.\d+)?(?=\))")


def measures(text: str) -> tuple[str, list[Found]]:
    """The text without such numbers, and the wants that they are. A colour code becomes the nearest colour word, and
    that it is exactly this colour a want of its own."""
    found: list[Found] = []

    def take(match: re.Match[str]) -> str:
        found.append(Found("other", value=" ".join(match.group().lower().split())))
        return " "

    def take_code(match: re.Match[str]) -> str:
        code = match.group()
        found.append(Found("other", value=f"exactly {code.lower()}"))
        return _colour_word(code.removeprefix("#"))

    text = _CODE.sub(take_code, _WEIGHT.sub("", text))
    return _MEASURE.sub(take, _WHOLLY.sub("", text)), found


def _colour_word(code: str) -> str:
    full = code if len(code) == 6 else "".join(digit * 2 for digit in code)
    rgb = np.array([[int(full[at : at + 2], 16) for at in (0, 2, 4)]], np.float32)
    return list(COLOURS)[int(nearest(rgb)[0])]
