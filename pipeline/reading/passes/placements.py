"""Which object goes where: "a left of b", "on the left a, on the right b", "b with a above it"."""

from __future__ import annotations

from models.english import OPPOSITE
from pipeline.reading.finding import Found
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern

# What may stand between a preposition and its object: "my two big red ..."
_BEFORE_OBJECT = "DETERMINER POSSESSIVE ADJECTIVE COLOUR MOOD LOOK NUMBER"
# "[a cat on] the red car"
_OBJECT = pattern("[DETERMINER ADJECTIVE COLOUR MOOD LOOK]* OBJECT")
# "[left of] the two red cars"
_TARGET = pattern(f"[{_BEFORE_OBJECT} FUNCTION MOOD_NOUN BE]* (?P<object> OBJECT)")
# "[left of] it"; "[under] this, a dog"
_PRONOUN = pattern("PRONOUN | DETERMINER (?= [COMMA SEMICOLON] | $)")
# "[left of it] is a big dog"
_AFTER_PRONOUN = pattern(f"[BE COMMA FUNCTION]* [{_BEFORE_OBJECT} UNKNOWN]* (?P<object> OBJECT)")
# "[left of the car] is a big dog"; "[left of the car], a big dog"
_AFTER_TARGET = pattern(f"(?P<link> [COMMA BE FUNCTION]*) [{_BEFORE_OBJECT} UNKNOWN]* (?P<object> OBJECT)")
# "[above] the picture"; "[a dog below], a cat above": the relation names no second object, and so a side
_NO_TARGET = pattern("[DETERMINER POSSESSIVE ADJECTIVE]* NOT_DRAWN | [COMMA SEMICOLON AND] | $")
# "a cat next to a big dog, [on its left]"
_PAIR = pattern(f"(?P<first> OBJECT) BESIDE [{_BEFORE_OBJECT}]* (?P<second> OBJECT) COMMA $")
# "[a cat next to a dog, on the left] a third object"
_THIRD = pattern(f"[COLON BE FUNCTION {_BEFORE_OBJECT} UNKNOWN]* OBJECT")
# "[on the left] I want it to be a dog"
_AFTER_SIDE = pattern(f"[COMMA COLON BE FUNCTION {_BEFORE_OBJECT} UNKNOWN REQUEST PRONOUN]* OBJECT")
_MARK = pattern("[COMMA SEMICOLON COLON]")
_PART_ENDS = any_of("COMMA SEMICOLON COLON AND")
# What an object does at its place anyway.
_MOVING = frozenset(
    (
        "fly",
        "flying",
        "flies",
        "hovering",
        "hovers",
        "soaring",
        "soars",
        "floating",
        "drifting",
        "gliding",
        "swimming",
        "swims",
    )
)
_ATOP = frozenset(("on", "upon", "sitting on", "standing on", "placed on", "onto"))


def placements(sentence: Sentence, context: Context) -> list[Found]:
    """The relations between objects. An object on a side of nothing that is named yet is an `other` want, until a later
    sentence names the other object: then that want leaves `context.found`, and the relation holds."""
    found: list[Found] = []
    sides: list[int] = []
    tags = sentence.tag_string
    for i, tag in enumerate(sentence.tags):
        if tag is Tag.RELATION:
            related = _related(sentence, context, i)
            if related is not None:
                moving = i > 0 and sentence.tokens[i - 1].text in _MOVING  # "flying above a cloud"
                sentence.claim(i - 1 if moving else i, i + 1)
            found += related or []
            if related is None and _NO_TARGET.match(tags, i + 1):
                sides.append(i)
        elif tag is Tag.SIDE or _is_bare_side(sentence, i):
            sides.append(i)
        elif tag is Tag.BESIDE and _beside(sentence, context, i):
            sentence.claim(i, i + 1)  # both are there, which is all that it asks for
        elif tag is Tag.ON and (on_top := _on_top(sentence, i)):
            found += on_top
            sentence.claim(i, i + 1)
    return found + _on_sides(sentence, context, sides)


def _relation(at: int, subject: str, where: str, other: str) -> list[Found]:
    return [Found("relation", subject, where, other, at)] if subject != other else []


def _is_bare_side(sentence: Sentence, i: int) -> bool:
    """Whether a word is the side in "cat left, dog right"."""
    follows_object = i > 0 and sentence.tags[i - 1] is Tag.OBJECT
    return (
        follows_object and sentence.tags[i] is Tag.NOT_DRAWN and sentence.tokens[i].text in ("left", "right")
    )


def _beside(sentence: Sentence, context: Context, i: int) -> bool:
    """Whether an object stands on both sides of the word at index `i`: "a cat next to a dog", "a star next to it", "a
    cat and a dog side by side"."""
    before = [j for j in sentence.objects() if j < i]
    after = _TARGET.match(sentence.tag_string, i + 1) or _PRONOUN.match(sentence.tag_string, i + 1)
    if after is None and before and sentence.tokens[before[-1]].plural:
        return True  # "two candles side by side"
    there = before or context.objects or Tag.USED in sentence.tags[:i]  # used: what must not be there
    return len(before) > 1 or (bool(there) and after is not None)


def _on_top(sentence: Sentence, i: int) -> list[Found]:
    """ "a cat on a car" as above. Not "a wolf on a hill", whose objects are guesses: nothing follows from them."""
    tags, tokens = sentence.tag_string, sentence.tokens
    target = _OBJECT.match(tags, i + 1)
    if target is None or tokens[i].text not in _ATOP:
        return []
    above = [j for j in sentence.objects() if j < i and not _MARK.search(tags, j, i)]
    below = tokens[target.end() - 1]
    if not above or not tokens[above[-1]].known or not below.known:
        return []
    return _relation(i, tokens[above[-1]].value, "above", below.value)


def _beside_pair(sentence: Sentence, i: int) -> tuple[str, str] | None:
    """The pair in "a cat next to a dog, on its left", where the side is at index `i`."""
    tags, tokens = sentence.tag_string, sentence.tokens
    pair = _PAIR.search(tags, 0, i)
    if pair is None or _THIRD.match(tags, i + 1):
        return None
    return tokens[pair.start("first")].value, tokens[pair.start("second")].value


def _part_start(sentence: Sentence, i: int) -> int:
    """Where the part of the sentence begins, between marks or "and", that holds the word at index `i`."""
    return max((j + 1 for j in range(i) if sentence.tags[j] in _PART_ENDS), default=0)


def _related(sentence: Sentence, context: Context, i: int) -> list[Found] | None:
    """What the relation word at index `i` says; None where it names no second object, not even by a pronoun."""
    tags, names = sentence.tag_string, [token.value for token in sentence.tokens]
    if pronoun := _PRONOUN.match(tags, i + 1):
        return _related_to_pronoun(sentence, context, i, pronoun.end())
    target = _TARGET.match(tags, i + 1)
    if target is None:
        return None
    where, other = names[i], names[target.start("object")]
    start = _part_start(sentence, i)
    before = [j for j in sentence.objects() if j < i]
    if before and before[-1] >= start:
        return _relation(i, names[before[-1]], where, other)
    follows = _AFTER_TARGET.match(tags, target.end())
    separate = bool(follows and Tag.COMMA in follows["link"] and before)
    if follows and not separate and Tag.PRONOUN not in tags[start:i]:
        return _relation(i, names[follows.start("object")], where, other)
    earlier = [name for name in [names[j] for j in before] or context.objects if name != other]
    return _relation(i, earlier[-1], where, other) if earlier else []


def _related_to_pronoun(sentence: Sentence, context: Context, i: int, end: int) -> list[Found] | None:
    """What "to the left of it" says, where the relation is at index `i` and the pronoun ends at `end`."""
    names = [token.value for token in sentence.tokens]
    where = names[i]
    if pair := _beside_pair(sentence, i):
        return _relation(i, pair[0], where, pair[1])
    before = [j for j in sentence.objects() if j < i]
    earlier = [names[j] for j in before] or context.objects
    if before and before[-1] >= _part_start(sentence, i):
        subject = names[before[-1]]
        others = [name for name in earlier if name != subject] or [
            name for name in context.objects if name != subject
        ]
        return _relation(i, subject, where, others[-1]) if others else None
    after = _AFTER_PRONOUN.match(sentence.tag_string, end)
    if after and earlier:
        return _relation(i, names[after.start("object")], where, earlier[-1])
    return None


def _on_sides(sentence: Sentence, context: Context, sides: list[int]) -> list[Found]:
    """The relations that sides give: "on the left a cat, on the right a dog"."""
    found: list[Found] = []
    side_of: dict[str, int] = {}  # index of the side by object
    taken = -1
    for i in sides:
        if pair := _beside_pair(sentence, i):
            found += _relation(i, pair[0], sentence.tokens[i].value, pair[1])
            sentence.claim(i, i + 1)
            continue
        if name := _object_on_side(sentence, context, i, taken):
            sentence.claim(i, i + 1)
            side_of.setdefault(name, i)
        taken = i
    names = list(dict.fromkeys(sentence.tokens[j].value for j in sentence.objects()))
    if len(names) < 2:
        names = list(dict.fromkeys([*context.objects, *names]))
    if len(names) > 2 and len(side_of) == 2:
        names = list(side_of)
    stated: set[tuple[str, str]] = set()
    settled: list[Found] = []
    for name, i in side_of.items():
        where = sentence.tokens[i].value
        others = [n for n in names if n != name]
        if len(others) != 1:
            found.append(Found("other", value=f"{name} {sentence.tokens[i].text}", at=i))
            context.unplaced[name] = found[-1]
        elif (others[0], OPPOSITE[where]) not in stated:
            found += _relation(i, name, where, others[0])
            stated.add((name, where))
            # "A turtle on the left. A snail on the right.": now the turtle's place is known too.
            if others[0] in context.unplaced:
                settled.append(context.unplaced.pop(others[0]))
    keys = {item.key for item in settled}
    context.found = [item for item in context.found if item.key not in keys]
    return found


def _object_on_side(sentence: Sentence, context: Context, i: int, taken: int) -> str | None:
    """The object on the side at index `i`: before it in its part of the sentence and after the last side (`taken`), or
    after it, or the one that a pronoun before it refers to."""
    start = max(_part_start(sentence, i), taken)
    objects = sentence.objects()
    if inside := [j for j in objects if start <= j < i]:
        return sentence.tokens[inside[-1]].value
    if after := _AFTER_SIDE.match(sentence.tag_string, i + 1):
        return sentence.tokens[after.end() - 1].value
    if Tag.PRONOUN in sentence.tags[start:i] and context.objects:
        return context.objects[-1]
    return None
