"""What a brief says that is not a want: who is asking, and what the picture is for; and guesses at nouns."""

from __future__ import annotations

import re
from dataclasses import replace

from pipeline.lexicon import ENGLISH, Token, singular

_OPENERS = frozenset(ENGLISH["ends_business"])  # what ends talk about the business
_CLAUSE = frozenset(ENGLISH["begins_clause"])
_FOR_A_WANT = frozenset(ENGLISH["for_a_want"])  # "looking for a cat" is no business
PICTURES = frozenset(ENGLISH["pictures"])
_VERBS = frozenset(ENGLISH["verbs"])
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
                line[k] = replace(line[k], code="n")

    start = 0
    while start < len(line):
        end = _clause_end(line, texts, start)
        words = " ".join(texts[start:end])
        if _ABOUT_US.match(words) and not _ASKING.match(words):
            hush(start, _business_end(line, texts, start))
            end = _business_end(line, texts, start)
        start = end + 1
    for k, text in enumerate(texts):
        if text != "for" or line[k].code == "n" or (k and _FOR_A_WANT & set(texts[max(0, k - 1)].split())):
            continue
        if any(token.code in "BS" for token in line[k + 1 : k + 4]):
            continue
        stop = k + 1
        while (
            stop < len(line)
            and line[stop].code not in ",;:RLXYyowVS"
            and texts[stop].split()[0] not in _OPENERS
        ):
            stop += 1
        hush(k, stop)
    for k, token in enumerate(line[:-1]):
        # "pizza night", "our bicycle": something of theirs, not something to draw
        follows = line[k + 1]
        if (
            token.code in "OS"
            and follows.code == "n"
            and follows.text not in PICTURES
            and not _position(follows)
            and sentence[k + 1].code == "n"
        ):
            line[k] = replace(token, code="n")
    for k, text in enumerate(texts):
        if text in ("called", "named") and line[k].code == "f":
            stop = k + 1
            while stop < len(line) and line[stop].code in "WODACn" and stop < k + 5:
                stop += 1
            hush(k, stop)
    return line


def _position(token: Token) -> bool:
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
        request = line[k].code == "r" and texts[k].split()[0] in (
            "need",
            "want",
            "wants",
            "looking",
            "we'd",
            "i'd",
            "give",
            "draw",
            "show",
        )
        if request or (k > start + 1 and texts[k] in ("so", "would", "we'd", "i'd", "please", "who'd")):
            return k
    return len(line)


def guess_objects(line: list[Token], anything: bool) -> list[Token]:
    """Unknown nouns as objects the reader is not sure of. `anything`: the range names no objects, so a word
    that stands alone between commas is one too."""
    line = list(line)
    listed = any(token.code in "SBC" for token in line)
    k = 0
    while k < len(line):
        if line[k].code != "W":
            k += 1
            continue
        end = k
        while end < len(line) and line[end].code == "W" and not (end > k and _verbal(line[end].text)):
            end += 1
        if (word := _noun(line, k, end, anything, listed)) is not None:
            line[word] = line[word].as_object(
                singular(line[word].text), line[word].text, _many(line[word].text)
            )
            head = line[word]
            mine = [t.text for t in line[max(k, word - 1) : word] if not _verbal(t.text)]
            if mine and anything:
                line[word] = head.as_object(
                    f"{mine[-1]} {head.value}", f"{mine[-1]} {head.text}", head.plural
                )
                line[word - 1 : word] = []
                end -= 1
        k = max(end, k + 1)
    return line


def _noun(line: list[Token], k: int, end: int, anything: bool, listed: bool) -> int | None:
    """Where the head noun of the unknown words from `k` to `end` stands, if they are a thing to draw."""
    follows = line[end].code if end < len(line) else ""
    head = end - 1
    word = line[head].text
    if follows in ("O", "B", "K", "M") or (
        follows == "n" and line[end].text not in PICTURES and not _position(line[end])
    ):
        return None
    if _verbal(word) or word.endswith("ly") or len(word) < 3:
        return None
    back = k - 1
    while back >= 0 and line[back].code in "ACQSb":
        back -= 1
    before = line[back] if back >= 0 else None
    if before is None:
        bare = follows in ("o", "R", "L", "w", "t") or (follows in (",", "", "&") and (anything or listed))
        return head if bare and len(line) > 1 else None
    if before.code == "D":
        definite = before.text in ("the", "this", "that", "these", "those", "its")
        return head if not definite or follows in ("V", "R", "L", "t") else None
    if before.code == "N":
        return head
    if before.code == "&" and back and line[back - 1].code == "O":
        return head
    if before.code == "e" and back and line[back - 1].text in PICTURES:
        return head
    if before.code in "rwtR" and _many(word):
        return head
    if before.code == "," and (anything or listed) and follows in (",", "&", "", "o", "R", "L"):
        return head if anything else None
    return None


def _verbal(word: str) -> bool:
    return word in _VERBS or (
        len(word) > 4 and word.endswith(("ing", "ed")) and word not in ("king", "ring", "bed")
    )


def _many(word: str) -> bool:
    return singular(word) != word
