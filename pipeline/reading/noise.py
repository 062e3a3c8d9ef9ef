"""What a brief says that asks for nothing: who is asking, and what the picture is for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.reading.lexicon import ENGLISH, Token
from pipeline.reading.names import marked_names
from pipeline.reading.tags import Tag, any_of, pattern

PICTURES = frozenset(ENGLISH["pictures"])
_THINGS = frozenset(ENGLISH["things"])
_POSITIONS = frozenset(ENGLISH["positions"])
_ENDS_BUSINESS = frozenset(ENGLISH["ends_business"])
_BEGINS_CLAUSE = frozenset(ENGLISH["begins_clause"])
_FOR_A_WANT = frozenset(ENGLISH["for_a_want"])
_STATEMENT = frozenset(ENGLISH["statement"])
_SUBJECTS = frozenset(ENGLISH["subjects"])
_ASKS = frozenset(ENGLISH["asks"])
_ASKS_FIRST = frozenset(ENGLISH["asks_first"])
_WANT_VERBS = frozenset(ENGLISH["want_verbs"])
_REQUESTS = frozenset(ENGLISH["requests"])
_BEGINS_REQUEST = frozenset(("so", "would", "we'd", "i'd", "please", "who'd"))

_CARRIERS = frozenset(ENGLISH["carriers"])
_FIXTURES = frozenset(ENGLISH["fixtures"])
_PUTTING = frozenset(
    ("go", "goes", "hang", "hangs", "print", "printed", "put", "stick", "for", "placed", "display", "it")
)
_BEFORE_CARRIER = any_of("DETERMINER POSSESSIVE ADJECTIVE ALL")
_CLAUSE_MARKS = any_of("COMMA SEMICOLON COLON")
_PURPOSE_ENDS = _CLAUSE_MARKS | any_of("RELATION SIDE NO IDEALLY IF_POSSIBLE ON WITH BE STYLE")
_ORDERS = frozenset(
    (
        "forget",
        "drop",
        "cut",
        "scrap",
        "erase",
        "delete",
        "remove",
        "kill",
        "skip",
        "omit",
        "ban",
        "lose",
        "leave",
    )
)
_SWAPS = frozenset(("swap", "replace", "exchange", "substitute"))
_SUBJECT_OF_VERB = any_of("OBJECT UNKNOWN NOT_DRAWN DETERMINER POSSESSIVE PRONOUN")
_SKETCHED = any_of("DETERMINER NUMBER POSSESSIVE")
_NOUNS = any_of("OBJECT UNKNOWN LOOK")
_OWNED = any_of("POSSESSIVE DETERMINER")
_WANTED = any_of("BACKGROUND AS_BACKGROUND STYLE NO FORBIDDEN")
_NAME = any_of("UNKNOWN OBJECT DETERMINER ADJECTIVE COLOUR NOT_DRAWN")
_NAMED_WORDS = 4

# "cat adoption day"; "the cat show," where "show" has the tag of a request
_OBJECT_OF_BUSINESS = pattern(
    "OBJECT (?: [UNKNOWN REQUEST]? (?P<business> NOT_DRAWN+) | REQUEST (?= [COMMA SEMICOLON COLON] | $))"
)
_INDEFINITE = pattern("AND? (?: NUMBER | QUANTITY) [ADJECTIVE COLOUR MOOD LOOK]* [OBJECT UNKNOWN]")
_FOR_THE_THING = pattern(
    "DETERMINER OBJECT [COMMA FUNCTION REQUEST PRONOUN DETERMINER COLON BE]* COLOUR [FUNCTION COMMA]* $"
)
# "the trophy being above [the ball]"
_PLACED = pattern("DETERMINER OBJECT BE RELATION")
# "[a cat,] on blue if you ask me"
_ON_COLOUR = pattern(
    "ON [DETERMINER ADJECTIVE MOOD]* COLOUR (?! [ADJECTIVE MOOD]* [OBJECT UNKNOWN NOT_DRAWN])"
)
_COLOURED_THING = pattern("(?: [DETERMINER NUMBER]? COLOUR | NUMBER) OBJECT (?: [ON WITH COMMA] | $)")
# "they are all pink": of the things, not of people
_THEY_LOOK = pattern(
    "AND? PRONOUN [BE ALL FUNCTION ADJECTIVE IN]+ (?: COLOUR | LOOK | SIDE | RELATION | STYLE)"
)
_PAST = frozenset(("ago", "last", "yesterday", "used to"))
_ABOUT_US = re.compile(
    r"^(?:and |so |but |because |as |since )?"
    r"(?:(?:we|i|they) (?:are|am|were|run|sell|own|bake|make|serve|teach|fix|repair|rent|offer|grow|love|like"
    r"|specialise in|work|operate|organise|organize|have|do|breed|brew|host|print|build|cook|produce)(?! not)"
    r"|we're|i'm|we've|i've|it's about|it is about|this is about|this is for|it's for|it is for"
    r"|(?:our|my|the) (?:\w+ ){0,3}?(?:love|loves|like|likes|sell|sells|opens|open|starts|takes place"
    r"|is called|celebrates|turns|enjoy|enjoys|adore|adores|is about|is named)"
    r"|(?:i|we|you) (?:had |have |already )?(?:asked|ordered|wanted|requested|got|received|sent|said)"
    r"|(?:our|my) (?:\w+ )?(?:shop|company|bakery|brand|business|team|store|club|firm|agency|school|cafe"
    r"|restaurant|office|farm|studio|salon|garage|charity|zoo|hotel|bar|pub) (?:is|are|has|was))\b"
)
_ASKING = re.compile(r"^(?:we're|i'm|we are|i am) (?:looking|after|hoping|searching|asking)\b")
_WILL = re.compile(r"\b(?:we|i|they|you)(?:'ll| will)\b")


def without_names(sentence: Sequence[Token], capitals: bool = False) -> list[Token]:
    """The sentence with names, headings and askers tagged NOT_DRAWN. `capitals`: whether capital letters tell names in
    the brief."""
    line = _without_verbs(sentence)
    for k, named in enumerate(marked_names(line, capitals)):
        if named:
            _mark(line, k, k + 1)
    return line


def without_noise(sentence: Sequence[Token], capitals: bool = False) -> list[Token]:
    """The sentence with all words that ask for nothing tagged NOT_DRAWN, so that no rule takes them for a want."""
    line = without_names(sentence, capitals)
    _mark_sketch_requests(line)
    _mark_purposes(line)
    _mark_carriers(line)
    _mark_aims(line)
    _mark_statements(line)
    _mark_possessions(line, sentence)
    _mark_events(line, sentence)
    _mark_names(line)
    return line


def _without_verbs(sentence: Sequence[Token]) -> list[Token]:
    """The sentence with words that only sometimes rule something out tagged by what they do here: "forget" does as an
    order, "over" and "than" do after "prefer" and "rather", and "swap" before "for"."""
    line = list(sentence)
    for k, token in enumerate(line):
        first = token.text.split()[0]
        before = " ".join(t.text for t in line[:k])
        if (token.text == "over" and "prefer" in before) or (token.text == "than" and "rather" in before):
            line[k] = replace(token, tag=Tag.NO)
            line[:k] = [replace(t, tag=Tag.REQUEST) if t.tag is Tag.IDEALLY else t for t in line[:k]]
        elif k and token.tag is Tag.NO and first in _ORDERS and line[k - 1].tag in _SUBJECT_OF_VERB:
            line[k] = replace(token, tag=Tag.FUNCTION)
        elif first in _SWAPS:
            instead = next(
                (j for j in range(k + 2, min(k + 6, len(line))) if line[j].text in ("for", "with", "by")),
                None,
            )
            if instead is not None and any(t.tag in (Tag.OBJECT, Tag.UNKNOWN) for t in line[k + 1 : instead]):
                line[k] = replace(token, tag=Tag.NO)
                line[instead] = replace(line[instead], tag=Tag.WITH, text="with")
    return line


def is_position(token: Token) -> bool:
    """Whether the word says where or how something is shown ("cat left"), rather than what an object is for."""
    return token.text in _POSITIONS


def _mark(line: list[Token], start: int, end: int) -> None:
    """Tag the words from `start` up to `end` as NOT_DRAWN, and leave marks as they are."""
    for k in range(start, min(end, len(line))):
        if line[k].tag not in _CLAUSE_MARKS:
            line[k] = replace(line[k], tag=Tag.NOT_DRAWN, value="")


def _mark_sketch_requests(line: list[Token]) -> None:
    """ "could you sketch a fox", "a sketch of a fox": a word for asking, not a style"""
    for k, token in enumerate(line[:-1]):
        follows = line[k + 1]
        if token.text == "sketch" and (
            follows.tag in _SKETCHED or follows.text in ("of", "us", "me", "some")
        ):
            _mark(line, k, k + 1)


def _mark_purposes(line: list[Token]) -> None:
    """ "[a cat] for our pet shop"; not "looking for a cat", "for a flat style" """
    for k, token in enumerate(line):
        if token.text != "for" or token.tag is Tag.NOT_DRAWN:
            continue
        if _colours_a_thing(line, k):
            continue
        if k and _FOR_A_WANT & set(line[k - 1].text.split()):
            continue
        if any(t.tag in (Tag.BACKGROUND, Tag.STYLE) for t in line[k + 1 : k + 4]):
            continue
        end = k + 1
        while (
            end < len(line)
            and line[end].tag not in _PURPOSE_ENDS
            and not (line[end - 1].tag not in _OWNED and _counted_or_coloured(line, end))
            and (
                line[end].text.split()[0] not in _ENDS_BUSINESS
                or _of_owner(line, end)
                or _tells_of_owner(line, end)
            )
        ):
            end += 1
        _mark(line, k, end)


def _colours_a_thing(line: Sequence[Token], k: int) -> bool:
    """Whether the word at `k` is the "for" in "for the cat we chose blue"."""
    tags = "".join(token.tag for token in line[k + 1 :])
    return _FOR_THE_THING.match(tags) is not None


def _mark_carriers(line: list[Token]) -> None:
    """ "[a cat] on our T-shirts", "on the van" """
    for k, token in enumerate(line):
        if (
            token.text not in ("on", "onto", "for", "at", "to go on", "over", "above", "in")
            or token.tag is Tag.NOT_DRAWN
        ):
            continue
        end = k + 1
        while end < len(line) and line[end].tag in _BEFORE_CARRIER:
            end += 1
        if token.text in ("in", "at") and any(t.tag is Tag.POSSESSIVE for t in line[k + 1 : end]):
            business = next(
                (j for j in range(end, min(end + 3, len(line))) if line[j].tag is Tag.NOT_DRAWN), None
            )
            if business is not None:
                _mark(line, k, business + 1)
                continue
        ours = any(
            line[j].tag is Tag.POSSESSIVE or line[j].text in ("the", "all our") for j in range(k + 1, end)
        )
        for size in (2, 1):
            words = " ".join(t.text for t in line[end : end + size])
            if (words in _CARRIERS and token.tag is not Tag.RELATION) or (
                ours and words in _FIXTURES and _printed(line, k)
            ):
                _mark(line, k, end + size)
                break


def _printed(line: Sequence[Token], k: int) -> bool:
    """Whether the words before index `k` say that a picture is put somewhere: "to hang on", "it goes on"."""
    return bool(_PUTTING & {word for t in line[max(0, k - 4) : k] for word in t.text.split()})


def _of_owner(line: Sequence[Token], k: int) -> bool:
    """Whether the word at `k` is the "of" in "the website of our music school"."""
    if line[k].tag is not Tag.OF or k + 1 == len(line):
        return False
    return line[k + 1].tag in _OWNED and line[k + 1].text != "a"


def _counted_or_coloured(line: Sequence[Token], k: int) -> bool:
    """Whether a wanted thing begins at `k`: "[for the shop] yellow ring on black", "[for our poster] one bell"."""
    return _COLOURED_THING.match("".join(token.tag for token in line[k:])) is not None


def _tells_of_owner(line: Sequence[Token], k: int) -> bool:
    """Whether the word at `k` is the "that" in "for a practice that mostly sees dogs"; not in "that shows a dog"."""
    follows = line[k + 1] if k + 1 < len(line) else None
    return line[k].text == "that" and follows is not None and follows.tag in (Tag.UNKNOWN, Tag.FUNCTION)


def _mark_aims(line: list[Token]) -> None:
    """ "[a cat] to celebrate our fair", "to hang up"; not "to see a cat" """
    for k, token in enumerate(line[:-1]):
        if token.text == "to" and line[k + 1].text in _PUTTING:
            end = next((j for j in range(k, len(line)) if line[j].tag in _CLAUSE_MARKS), len(line))
            _mark(line, k, end)
    for k, token in enumerate(line[:-3]):
        verb = line[k + 1]
        is_aim = (
            token.text == "to" and verb.tag in (Tag.UNKNOWN, Tag.FUNCTION) and verb.text not in _WANT_VERBS
        )
        owner = k + 3 if line[k + 2].tag is Tag.WITH else k + 2
        if is_aim and line[owner].tag in _OWNED:
            end = k + 1
            while end < len(line) and line[end].tag not in _PURPOSE_ENDS:
                end += 1
            _mark(line, k, end)


def _mark_statements(line: list[Token]) -> None:
    """ "We are a bakery", "our customers love dogs" """
    start = 0
    while start < len(line):
        end = next((k for k in range(start, len(line)) if line[k].tag in _CLAUSE_MARKS), len(line))
        words = " ".join(token.text for token in line[start:end])
        looks = _THEY_LOOK.match("".join(token.tag for token in line[start:end])) is not None
        about_us = _ABOUT_US.match(words) is not None and _ASKING.match(words) is None and not looks
        if about_us or (not looks and _is_statement(line, start, end)):
            end = _statement_end(line, start)
            _mark(line, start, end)
        start = end + 1


def _is_statement(line: Sequence[Token], start: int, end: int) -> bool:
    """Whether the clause from `start` up to `end` states something about somebody, and asks for nothing."""
    spoken = [token for token in line[start:end] if token.tag is not Tag.NOT_DRAWN or token.value]
    if not spoken or any(token.tag in _WANTED for token in spoken):
        return False
    if _WILL.search(" ".join(token.text for token in line[start:end])):
        return True
    # "our logo with a lion" asks for a lion
    if any(
        line[k].text in PICTURES and line[k + 1].tag in (Tag.WITH, Tag.REQUEST) for k in range(start, end - 1)
    ):
        return False
    if spoken[0].tag is Tag.REQUEST or _asks(line, start, end) or spoken[0].text.split()[0] in _ASKS_FIRST:
        return False
    if _PLACED.search("".join(token.tag for token in spoken)):
        return False
    if _ON_COLOUR.match("".join(token.tag for token in spoken)):
        return False
    subject = {token.text for token in spoken[:3]}
    if _INDEFINITE.match("".join(token.tag for token in spoken)) and not _PAST & {
        token.text for token in spoken
    }:
        return False  # "two fish were in the pond"
    return bool(_STATEMENT & {token.text for token in spoken} or _SUBJECTS & subject)


def _asks(line: Sequence[Token], start: int, end: int) -> bool:
    """Whether a word of the clause asks for something, as "show" does, but not in "the cat show"."""
    for k in range(start, end):
        spoken = line[k].tag is not Tag.NOT_DRAWN or line[k].value
        if spoken and line[k].text in _ASKS and not (k and line[k - 1].tag in _NOUNS):
            return True
    return False


def _statement_end(line: Sequence[Token], start: int) -> int:
    """Where a statement ends: at a mark that a new clause follows, or at a request."""
    for k in range(start + 1, len(line)):
        if line[k].tag in (Tag.SEMICOLON, Tag.COLON):
            return k
        if line[k].tag is Tag.COMMA and k + 1 < len(line) and line[k + 1].text.split()[0] in _BEGINS_CLAUSE:
            return k
        if line[k].tag is Tag.COMMA and any(token.tag is Tag.BACKGROUND for token in line[k + 1 : k + 4]):
            return k
        if line[k].tag is Tag.REQUEST and line[k].text.split()[0] in _REQUESTS:
            return k
        if k > start + 1 and line[k].text in _BEGINS_REQUEST:
            return k
    return len(line)


def _mark_possessions(line: list[Token], sentence: Sequence[Token]) -> None:
    """ "pizza night", "cartoon festival": an object or style that only says what the business is about"""
    for k, token in enumerate(line[:-1]):
        if (
            token.tag in (Tag.OBJECT, Tag.STYLE)
            and line[k + 1].tag is Tag.NOT_DRAWN
            and sentence[k + 1].tag is Tag.NOT_DRAWN
            and not _shows(line[k + 1])
            and not _names_thing(line, k)
        ):
            line[k] = replace(token, tag=Tag.NOT_DRAWN)


def _mark_events(line: list[Token], sentence: Sequence[Token]) -> None:
    """ "at the cat show", "the cat adoption day" """
    for match in _OBJECT_OF_BUSINESS.finditer("".join(token.tag for token in sentence)):
        start, end = match.span()
        business = match.start("business")
        if business < 0 or (business > start + 1 and not _shows(sentence[business])):
            _mark(line, start, end)


def _names_thing(line: Sequence[Token], k: int) -> bool:
    """Whether the object at index `k` and the word after it are one thing: "a fire station", but "our pizza night"."""
    if line[k + 1].text not in _THINGS or k == 0:
        return False
    before = line[k - 1]
    return before.tag in (Tag.NUMBER, Tag.COLOUR) or before.text in ("a", "an")


def _shows(word: Token) -> bool:
    """Whether the word is for the picture or a place in it: "cat picture", "cat left" ask for a cat."""
    return word.text in PICTURES or is_position(word)


def _mark_names(line: list[Token]) -> None:
    """ "[a shop] called The Lion" """
    for k, token in enumerate(line):
        if token.text in ("called", "named") and token.tag is Tag.FUNCTION:
            end = k + 1
            while end < min(len(line), k + 1 + _NAMED_WORDS) and line[end].tag in _NAME:
                end += 1
            _mark(line, k, end)
