"""Roundabout words, put plainly before the text is read: "make the back white" is "make background white", and of "red,
no wait, blue" only the blue is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from pipeline.range import Range
from pipeline.reading.lexicon import COLOURS, ENGLISH, tokens
from pipeline.reading.tags import any_of

Words = str | Callable[[re.Match[str]], str]  # what a match is replaced by
_MARKS = r"[\s,.;:!?…—–-]"
# "no wait", "sorry, I mean": what stands before is taken back.
_TAKEN_BACK = (
    r"(?:(?:oh|oops|ah|hmm+|er+|uh|ok|okay|well|but)\W+)*"
    r"(?:(?:actually,? )?(?:scrap|forget|cancel|bin|drop|ignore) (?:that|it|this)(?: one| please)?|"
    r"never ?mind(?: that)?|on second thoughts?|"
    r"no,? sorry|sorry,? no|no,? no|no,? wait|wait,? no|wait,? sorry|no,? actually|actually,? no|no,? i mean|"
    r"i mean(?:t)?(?: to say)?|or rather|scratch that|strike that|correction|make that|sorry,? i mean|"
    r"wait,? make (?:it|that)|no,? make (?:it|them|that)|hmm+,? no(?:,? just)?|nope|sorry|wait)"
)
# "I used to want an elephant but [now I want a lion]", "first I thought of a fox, but [a bear is better]"
_EARLIER = (
    r"\b(?:(?:at first|first|initially|originally|previously|before|once),? )?(?:i|we) "
    r"(?:(?:had )?(?:once|first|originally|initially|at first|previously) |used to )?"
    r"(?:want(?:ed)?|like[d]?|thought (?:of|about)|planned|asked for|considered|had in mind) [^.;!?]{1,60}?"
    r"(?:,? but |, (?:and |but )?|; |\. (?:but )?)"
    r"(?=now\b|then\b|today\b"
    r"|(?:i think )?(?:an?|the|one|two|three|four) [a-z ]{2,30} (?:is|are|would be|might be) better(?! known| than))"
)
_AGAIN = r"(?:(?:make|paint|colou?r|let) (?:it|them|that)(?: be)? |it should be |let's do |i want |just )?"
_COUNT = r"(?:(?:a|an|the|one|two|three|four|\d+) )"
_MEANT_COLOURS = {"mustard": "yellow", "rust": "orange", "salmon": "pink"}
_MEANT = r" (?:(?:was|were|is|are) (?:meant|supposed) to be|should have been) "
_EACH = r"(?:each|every|all|both)(?: one)?(?: of (?:them|these|those))?"
_WANTS = r"\b(?:want|need|like|love|prefer|wish|please)\b"
_ADJECTIVES = (
    r"(?:(?:plain|solid|uniform|soft|single|simple|flat|pure|bright|pale|light|dark|deep|just|only|all) )*"
)
_BETWEEN = (
    r"(?: (?:there|it|them|him|her|can|could|may|had better|better|is|are|being|be|should|must|has to|ought to|"
    r"needs to|wants to|will|stays?|remains?|keeps?|"
    r"kept|painted|filled|done|just|simply|all|to be|in|with|as|use|using|a|an|the|colou?r|of|only|please|also))*"
)
_BACK = (
    r"(?:(?:at|on|in) )?(?:the |its |their )?"
    r"(?:back(?: ?side)?|backdrop|ground|canvas(?: fill)?|rest(?: of (?:it|the (?:picture|image|page|canvas)))?|page|"
    r"fill|everything(?: else)?)(?: behind(?: (?:it|them|him|her))?)?"
)
# "the sky behind them", "the area around it"
_ROUND = (
    r"(?:the |its |their )?(?:sky|wall|area|space|surface|part|air|field|paper|surroundings)"
    r" (?:behind|around|round|surrounding) (?:it|them|him|her|this|these|that|those)"
)
_PIECES = r"(?:exactly |only )?(\d+|one|two|three|four|five|six|seven|eight|nine|ten)"


_QUOTED = re.compile(r"(?:[\"“”]|(?<!\w)['‘])([\w ]{2,40})(?:[\"“”]|['’](?!\w))")
# "a sign that says “sale”": letters that must be in the picture
_WRITTEN = re.compile(
    r"\b(?:says?|saying|reads?|reading|words?|text|letters?|lettering|titled?|called|named|caption|slogan|written|writing|"
    r"headline|label(?:led)?|with)\W*$",
    re.IGNORECASE,
)
_EMPHASIS = any_of("COLOUR OBJECT NUMBER STYLE BACKGROUND MOOD ADJECTIVE DETERMINER")


def unquoted(text: str, drawable: Range | None) -> str:
    """The text without the quotes that only stress words that can be drawn: a "red" balloon."""

    def bare(match: re.Match[str]) -> str:
        inside = tokens(match[1], drawable)
        stressed = all(token.tag in _EMPHASIS and token.known and not token.capital for token in inside)
        return match[1] if stressed and not _WRITTEN.search(text[: match.start()]) else match.group()

    return _QUOTED.sub(bare, text)


def plain(text: str, drawable: Range | None) -> str:
    """The text in plain words."""
    for pattern, words in _patterns((drawable or Range()).key):
        text = pattern.sub(words, text)
    return text


@lru_cache(maxsize=8)
def _patterns(key: str) -> tuple[tuple[re.Pattern[str], Words], ...]:
    drawable = Range.model_validate_json(key)
    colour = _either(
        {*COLOURS, *(drawable.colours or {}), *(w for ws in (drawable.colours or {}).values() for w in ws)}
    )
    thing = _either({*(drawable.objects or {}), *(w for ws in (drawable.objects or {}).values() for w in ws)})
    styles = {
        word: name
        for name, words in (drawable.styles or ENGLISH["styles"]).items()
        for word in (name, *words)
    }
    carriers = {*ENGLISH["carriers"]}
    alone = rf"(?! {thing})" if drawable.objects else "(?! )"  # of a colour: no thing follows that has it
    shade = rf"(?:(?:{'|'.join(ENGLISH['shades'])}) )?{colour}"
    again = rf"{_MARKS}+{_TAKEN_BACK}{_MARKS}+{_AGAIN}"
    forms: list[tuple[str, Words]] = [
        (_EARLIER, ""),
        # "make them black no sorry make them white"
        (rf"\b{_AGAIN}{shade}{again}(?={shade}\b)", ""),
        # "two pears, scrap that: a red apple", "the two pears were meant to be two lemons"
        (
            rf"\b{_COUNT}?(?:{shade} )?{thing}(?:{again}|{_MEANT})(?=(?:{_COUNT}(?:{shade} )?|{shade} ){thing}\b)",
            "",
        ),
        # "one basketball... no wait, soccer ball", "two red cherries? no, apples"
        (rf"\b({_COUNT}?(?:{shade} )?){thing}(?:{again}|{_MEANT}|\?+ no\W+)(?={thing}\b)", r"\1"),
        # "each one the same shade", where a colour is named
        (
            rf"(\b{colour}\b[^.;!?]*?)(?:,|,? and)? {_EACH} (?:in |of )?(?:exactly )?the same "
            r"(?:shade|colou?r|tone|hue)\b",
            r"\1",
        ),
        # "in the style of a comic book"
        (
            rf"\bin the (?:style|manner|look) of (?:an? |the )?({_either(set(styles))})s?\b",
            lambda match: f"in {styles[match[1].lower()]} style",
        ),
        # "two mushrooms would round off the soup label"
        (
            rf"({thing}) would (?:[a-z]+ ){{1,2}}?"
            rf"(?=(?:the|our|my|this|his|her|their) (?:[a-z]+ )?{_either(carriers)}\b)",
            r"\1 for ",
        ),
        # "the frog from last time [must not show up]"
        (
            rf"\b({thing}) (?:from|in|of) (?:the )?(?:last|previous|first|earlier) "
            r"(?:time|one|draft|version|picture|drawing|attempt|round|week)\b",
            r"\1",
        ),
        # "since red would send the wrong message": why, in a clause that wants nothing
        (rf"(?<=\w),? (?:since|because) (?![^.;!?]*{_WANTS})[^,.;!?]*\b(?:would|might|could)\b[^,.;!?]*", ""),
        # "left: avocado. right: tomato"
        (rf"\bleft ?[:=] ?({thing})\W+right ?[:=] ?({thing})\b", r"\1 left, \2 right"),
        (rf"\btop ?[:=] ?({thing})\W+bottom ?[:=] ?({thing})\b", r"\1 above \2"),
        # "mustard coloured"
        (
            r"\b(mustard|rust|salmon)[- ]colou?red\b",
            lambda match: f"{match[1]} {_MEANT_COLOURS[match[1].lower()]}",
        ),
        # "over plain pink"
        (
            rf"\b(?:over|upon|against) (?:a |an )?(?:plain|solid|simple|uniform) (?={shade}\b{alone})",
            "on plain ",
        ),
        # "the picture should be pink, with a rabbit in the middle"
        (
            rf"\bthe (?:whole |entire )?(?:picture|image|card|page|canvas){_BETWEEN} "
            rf"(?={shade}\b{alone}(?: too)?,? with\b)",
            "background ",
        ),
        # "the two roses should be red": how many there are
        (rf"\bthe (two|three|four|five|six) (?=(?:{shade} )?{thing}\b)", r"\1 "),
        # "a trophy, yellow fill"
        (rf"\b({shade}) fill\b", r"\1"),
        # "make the back white", "ground: white", "fill the rest with blue", "the sky behind them is pink"
        (
            rf"\b(?:(?:fill )?{_BACK}|{_ROUND}){_BETWEEN}:? (?={_ADJECTIVES}{shade}\b{alone})",
            "background ",
        ),
        # "three balloons, none of them red"
        (
            rf"\b(?:none|neither) of (?:them|these|those)(?: (?:is|are|be|in|should|may))* (?={shade}\b)",
            "not ",
        ),
        # "with plain yellow at the back", "a white ground"
        (rf"\b({shade}) (?:(?:at|in|on) the back|back ?side|ground)\b", r"\1 background"),
        # "eggs, exactly 4 pieces"; "tulips: qty 4"; "two nos. umbrellas"
        (rf"{_MARKS}+{_PIECES} (?:pieces?|pcs?|items?|of those|of these)\b(?! of)", r", \1 of them"),
        (rf"{_MARKS}*\b(?:qty|quantity)\b[ .:=]*{_PIECES}\b", r", \1 of them"),
        (rf"\b{_PIECES} (?:nos?|numbers?)\.? (?=[a-z])", r"\1 "),
    ]
    return tuple((re.compile(form, re.IGNORECASE), words) for form, words in forms)


def _either(words: set[str]) -> str:
    """The longest first, so that "hot dog" is taken before "dog". Of no words, what matches nothing."""
    return (
        "(?!)"
        if not words
        else rf"(?:{'|'.join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))})"
    )
