"""The objects of a sentence: how many there are, what adjectives say of them, and choices between two."""

from __future__ import annotations

from pipeline.reading.finding import Found
from pipeline.reading.lexicon import ENGLISH, PLURAL_ONLY
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern

# "a cat or a small dog"
_CHOICE = pattern("""
    [DETERMINER NUMBER]? [ADJECTIVE COLOUR MOOD LOOK]* OBJECT
    (?: COMMA? AND [DETERMINER NUMBER]? [ADJECTIVE COLOUR MOOD LOOK]* OBJECT)+
""")
# "three more big red [balls]": what stands between a number and its object, with one function word at most
_COUNTED = pattern("""
    NUMBER PRONOUN? (?: [DETERMINER ADJECTIVE COLOUR MOOD LOOK UNKNOWN ALL AND OF] | FUNCTION (?! .* FUNCTION))* $
""")
# "several of the big red [balls]"
_VAGUE = pattern("QUANTITY [DETERMINER POSSESSIVE OF ADJECTIVE COLOUR MOOD LOOK]* $")
# "[bees,] four of them"; "[the owls] should be three"; a sentence of its own: "exactly three"
_COUNT_ALONE = pattern("""
    NUMBER [FUNCTION ALL]? [PRONOUN OF]
  | (?<= [BE FUNCTION ADJECTIVE PRONOUN REQUEST]) NUMBER $
  | ^ ADJECTIVE? NUMBER $
""")
# "[four of the] big red balls"
_OBJECT_FOLLOWS = pattern("[DETERMINER ADJECTIVE COLOUR MOOD LOOK UNKNOWN]* OBJECT")
# "[a cat] with two big blue eyes"
_PARTS = pattern("""
    (?<= [OBJECT BACKGROUND PRONOUN COLOUR]) WITH
    [DETERMINER POSSESSIVE NUMBER QUANTITY ADJECTIVE COLOUR MOOD LOOK AND]* [UNKNOWN OBJECT NOT_DRAWN]
""")
_SIZED = pattern("[DETERMINER NUMBER]? [ADJECTIVE LOOK] [ADJECTIVE COLOUR MOOD LOOK]* (?P<object> OBJECT)")
_SIZES = frozenset(ENGLISH["sizes"])
_PART_NAMES = frozenset(ENGLISH["parts"])
_ADJECTIVES = any_of("ADJECTIVE COLOUR MOOD LOOK ALL")
_LEADS = _ADJECTIVES | any_of("DETERMINER")
_MORE = frozenset(("another", "second", "third", "also", "further"))
_PAIRS = PLURAL_ONLY - {"grapes", "cherries"}  # "a pair of scissors" is one


def alternatives(sentence: Sentence, context: Context) -> list[Found]:
    """ "a cat or a dog" as one `other` want: no judge can be asked for either of two."""
    found = []
    for match in sentence.matches(_CHOICE):
        start, end = match.span()
        if any(t.text == "or" for t in sentence.tokens[start:end] if t.tag is Tag.AND):
            found.append(Found("other", value=sentence.text(start, end), at=start))
            sentence.use(start, end)
    return found


def parts(sentence: Sentence, context: Context) -> list[Found]:
    """What an object has, as one `other` want: "[a cat] with blue eyes"."""
    found = []
    for match in sentence.matches(_PARTS):
        last = sentence.tokens[match.end() - 1]
        if last.text in _PART_NAMES and not (last.known and last.tag is Tag.OBJECT):
            found.append(Found("other", value=sentence.text(*match.span()), at=match.start()))
            sentence.use(*match.span())
    return found


def objects(sentence: Sentence, context: Context) -> list[Found]:
    """Each object or its count, with the looks before it ("a smiling dog"); then counts that stand apart from their
    object ("Bees! Four of them.")."""
    found = []
    tags = sentence.tag_string
    for i in sentence.objects():
        token = sentence.tokens[i]
        sentence.claim(i, i + 1)
        number = _COUNTED.search(tags, 0, i)
        if number and not (token.value in _PAIRS and "pair" in sentence.tokens[number.start()].text):
            count = sentence.tokens[number.start()].value
            found.append(Found("count", token.value, count, at=number.start(), sure=token.known))
            sentence.claim(number.start(), number.start() + 1)
        else:
            found.append(Found("object", token.value, at=i, sure=token.known))
            if number:
                sentence.claim(number.start(), number.start() + 1)
        if again := _again(sentence, context, i):
            found.append(again)
        if vague := _VAGUE.search(tags, 0, i):
            found.append(Found("other", value=sentence.text(vague.start(), i + 1), at=vague.start()))
            sentence.claim(vague.start(), vague.start() + 1)
        found += _looks(sentence, i)
    return found + _counts_alone(sentence, context)


def _again(sentence: Sentence, context: Context, noun: int) -> Found | None:
    """ "[a rabbit and] another white rabbit", "[a friend,] also a mouse": how many there are in all is for a person."""
    name = sentence.tokens[noun].value
    before = [sentence.tokens[i].value for i in sentence.objects() if i < noun]
    lead = noun
    while lead and sentence.tokens[lead - 1].tag in _LEADS:
        lead -= 1
    words = {token.text for token in sentence.tokens[max(0, lead - 1) : noun]}
    if name not in (*before, *context.objects) or not words & _MORE:
        return None
    return Found("other", value=f"another {name}", at=noun)


def sizes(sentence: Sentence, context: Context) -> list[Found]:
    """Sizes of two objects, as one `other` want: "a big dog and a small cat". One size alone is a soft word."""
    sized = [
        match
        for match in sentence.matches(_SIZED)
        if _SIZES & {token.text for token in sentence.tokens[match.start() : match.end()]}
    ]
    if len({sentence.tokens[match.start("object")].value for match in sized}) < 2:
        return []
    start, end = sized[0].start(), sized[-1].end()
    return [Found("other", value=sentence.text(start, end), at=start)]


def _looks(sentence: Sentence, noun: int) -> list[Found]:
    """What the adjectives before an object say of it, from the nearest on."""
    found = []
    for i in range(noun - 1, -1, -1):
        if sentence.tags[i] not in _ADJECTIVES:
            break
        if sentence.tags[i] is Tag.LOOK:
            look = sentence.tokens[i]
            sentence.claim(i, i + 1)
            found.append(Found("attribute", sentence.tokens[noun].value, look.text, at=i, sure=look.known))
    return found


def _counts_alone(sentence: Sentence, context: Context) -> list[Found]:
    """Counts with no object after them: of the last object before them, in this sentence or an earlier one."""
    found = []
    tags = sentence.tag_string
    for match in _COUNT_ALONE.finditer(tags):
        before = [sentence.tokens[i].value for i in sentence.objects() if i < match.start()]
        subject = (before or context.objects)[-1:]
        if subject and not _OBJECT_FOLLOWS.match(tags, match.end()):
            at = tags.index(Tag.NUMBER, match.start())
            sentence.claim(at, at + 1)
            found.append(Found("count", subject[0], sentence.tokens[at].value, at=at))
    return found
