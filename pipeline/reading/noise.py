"""What a brief says that is not a want: who is asking, and what the picture is for."""

from __future__ import annotations

import re
from dataclasses import replace

from pipeline.reading.lexicon import ENGLISH, Token

_OPENERS = frozenset(ENGLISH["ends_business"])  # what ends talk about the business
_CLAUSE = frozenset(ENGLISH["begins_clause"])
_FOR_A_WANT = frozenset(ENGLISH["for_a_want"])  # "looking for a cat" is no business
PICTURES = frozenset(ENGLISH["pictures"])
_STATEMENT = frozenset(ENGLISH["statement"])
_SUBJECTS = frozenset(ENGLISH["subjects"])
_ASKS = frozenset(ENGLISH["asks"])
_ASKS_FIRST = frozenset(ENGLISH["asks_first"])
_WANT_VERBS = frozenset(ENGLISH["want_verbs"])
_REQUESTS = frozenset(ENGLISH["requests"])
_ABOUT_US = re.compile(
    r"^(?:and |so |but |because |as |since )?"
    r"(?:(?:we|i|they) (?:are|am|were|run|sell|own|bake|make|serve|teach|fix|repair|rent|offer|grow|love|like"
    r"|specialise in|work|operate|organise|organize|have|do|breed|brew|host|print|build|cook|produce)"
    r"|we're|i'm|we've|i've|it's about|it is about|this is about|this is for|it's for|it is for"
    r"|(?:our|my|the) (?:\w+ ){0,3}?(?:love|loves|like|likes|sell|sells|opens|open|starts|takes place"
    r"|is called|celebrates|turns|enjoy|enjoys|adore|adores|is about|is named)"
    r"|(?:our|my) (?:\w+ )?(?:shop|company|bakery|brand|business|team|store|club|firm|agency|school|cafe"
    r"|restaurant|office|farm|studio|salon|garage|charity|zoo|hotel|bar|pub) (?:is|are|has|was))\b"
)
_ASKING = re.compile(r"^(?:we're|i'm|we are|i am) (?:looking|after|hoping|searching|asking)\b")


def quiet(sentence: list[Token]) -> list[Token]:
    """The sentence with talk about the business turned into tokens of code n."""
    line = list(sentence)
    texts = [token.text for token in line]

    def hush(start: int, end: int) -> None:
        for k in range(start, min(end, len(line))):
            if line[k].code not in ",;:":
                line[k] = replace(line[k], code="n", value="")

    for k, text in enumerate(texts[:-1]):
        # "could you sketch a fox", "a sketch of a fox": a word for asking, not a look
        if text == "sketch" and (line[k + 1].code in "DNP" or texts[k + 1] in ("of", "us", "me", "some")):
            hush(k, k + 1)
    for k, text in enumerate(texts):
        if text != "for" or line[k].code == "n" or (k and _FOR_A_WANT & set(texts[max(0, k - 1)].split())):
            continue
        if any(token.code in "BS" for token in line[k + 1 : k + 4]):
            continue
        stop = k + 1
        while (
            stop < len(line)
            and line[stop].code not in ",;:RLXYyowVS"
            and (texts[stop].split()[0] not in _OPENERS or _ours(line, stop))
        ):
            stop += 1
        hush(k, stop)
    for k, text in enumerate(texts[:-3]):
        # "to celebrate our cat show"
        aims = text == "to" and line[k + 1].code in "Wf" and texts[k + 1] not in _WANT_VERBS
        if aims and line[k + 2 + (line[k + 2].code == "w")].code in "PD":
            stop = k + 1
            while stop < len(line) and line[stop].code not in ",;:RLXYyowVS":
                stop += 1
            hush(k, stop)
    start = 0
    while start < len(line):
        end = _clause_end(line, texts, start)
        words = " ".join(texts[start:end])
        about_us = _ABOUT_US.match(words) is not None and _ASKING.match(words) is None
        if about_us or _told(line, texts, start, end):
            end = _business_end(line, texts, start)
            hush(start, end)
        start = end + 1
    for k, token in enumerate(line[:-1]):
        # "pizza night", "our bicycle": something of theirs, not something to draw
        follows = line[k + 1]
        if (
            token.code in "OS"
            and follows.code == "n"
            and follows.text not in PICTURES
            and not is_position(follows)
            and sentence[k + 1].code == "n"
        ):
            line[k] = replace(token, code="n")
    for match in re.finditer("O(?:(?:W|r)?(n+)|r(?=[,;:]|$)())", "".join(token.code for token in sentence)):
        if not match.group(1):
            hush(match.start(), match.end())  # "at the cat show"
            continue
        k, n = match.start(), match.start(1)
        if n > k + 1 and sentence[n].text not in PICTURES and not is_position(sentence[n]):
            hush(k, match.end())
    for k, text in enumerate(texts):
        if text in ("called", "named") and line[k].code == "f":
            stop = k + 1
            while stop < len(line) and line[stop].code in "WODACn" and stop < k + 5:
                stop += 1
            hush(k, stop)
    return line


def _ours(line: list[Token], k: int) -> bool:
    """ "the website of our music school" is still the business."""
    return line[k].code == "e" and k + 1 < len(line) and line[k + 1].code in "PD" and line[k + 1].text != "a"


def _told(line: list[Token], texts: list[str], start: int, end: int) -> bool:
    """Whether the clause states something about somebody, and asks for nothing."""
    spoken = [k for k in range(start, end) if line[k].code != "n" or line[k].value]
    if not spoken or any(line[k].code in "BKSXx" for k in spoken):
        return False
    if re.search(r"\b(?:we|i|they|you)(?:'ll| will)\b", " ".join(texts[start:end])):
        return True
    # "our logo with a lion" asks for a lion
    if any(texts[k] in PICTURES and line[k + 1].code in "wr" for k in range(start, end - 1)):
        return False
    # "the cat show" asks for nothing
    asks = any(texts[k] in _ASKS and not (k and line[k - 1].code in "OWZ") for k in spoken)
    if asks or texts[spoken[0]].split()[0] in _ASKS_FIRST:
        return False
    subject = {texts[k] for k in spoken[:3]}
    return bool(_STATEMENT & {texts[k] for k in spoken} or _SUBJECTS & subject)


def is_position(token: Token) -> bool:
    return token.text in (
        "left",
        "right",
        "top",
        "bottom",
        "front",
        "side",
        "centre",
        "center",
        "middle",
        "style",
    )


def _clause_end(line: list[Token], texts: list[str], start: int) -> int:
    for k in range(start, len(line)):
        if line[k].code in ",;:":
            return k
    return len(line)


def _business_end(line: list[Token], texts: list[str], start: int) -> int:
    """Where talk about the business ends: at a mark that a new clause follows, or at a request."""
    for k in range(start + 1, len(line)):
        if line[k].code in ";:":
            return k
        if line[k].code == "," and k + 1 < len(line) and texts[k + 1].split()[0] in _CLAUSE:
            return k
        request = line[k].code == "r" and texts[k].split()[0] in _REQUESTS
        if request or (k > start + 1 and texts[k] in ("so", "would", "we'd", "i'd", "please", "who'd")):
            return k
    return len(line)
