"""The colours of objects: "a red cat", "the cat is red", "both blue". Backgrounds have taken theirs before."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.reading.finding import NOT_UNDERSTOOD, Found
from pipeline.reading.passes.backgrounds import BELONGS_TO_NOTHING, COLOURS
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, pattern

# "a red cat", "a black and white paper cat"
_BEFORE = pattern(f"(?P<colour> {COLOURS}) [ADJECTIVE MOOD LOOK UNKNOWN COLOUR_NOUN]{{0,3}} (?= OBJECT)")
# A sentence of its own: "[Three stars.] All blue."
_ALONE = pattern("[ADJECTIVE ALL BE]* (?P<colour> COLOUR) [ADJECTIVE COLOUR_NOUN]*")
# "[a bus and a car,] both of them blue"; "[a bus and a car], blue both"; "they should all be red"; "make it red"
_REFERRING = pattern(f"""
    ALL [PRONOUN BE FUNCTION IN COMMA OF]* (?P<all_are> COLOUR) {BELONGS_TO_NOTHING}
  | COMMA [ADJECTIVE MOOD]* (?P<colour_all> COLOUR) ALL {BELONGS_TO_NOTHING}
  | PRONOUN [BE FUNCTION DETERMINER COLOUR_NOUN]* ALL? BE* (?P<it_is> COLOUR) {BELONGS_TO_NOTHING}
  | [BE COLOUR_NOUN REQUEST IN] PRONOUN (?P<make_it> COLOUR)
""")
# "the cat should be red", "cats, all red", "the cat in red"
_AFTER = pattern(f"""
    OBJECT (?= [NOT_DRAWN FUNCTION COLOUR_NOUN]* [COMMA COLON]?
               [BE PRONOUN FUNCTION IN ALL COLOUR_NOUN DETERMINER]*
               (?P<colour> {COLOURS}) {BELONGS_TO_NOTHING})
""")
# "[a fox.] Orange, of course"; not "orange juice"
_STRAY = pattern(f"(?<! ON) (?P<colour> {COLOURS}) (?! [COLOUR UNKNOWN])")
_SEVERAL = frozenset(("they", "them", "which", "these"))


def colours(sentence: Sentence, context: Context) -> list[Found]:
    """The colours of objects, as attributes: of those in the sentence, or of those that its pronouns refer to."""
    found = []
    for match in sentence.matches(_BEFORE):
        found.append(_coloured(sentence, sentence.tokens[match.end()].value, *match.span("colour")))
    if context.group and (alone := _ALONE.fullmatch(sentence.tag_string)):
        start, end = alone.span("colour")
        if len(context.group) > 1 and Tag.ALL not in sentence.tags:
            # "[A cat and a dog.] Black.": one of them, both or the background
            found.append(Found("other", NOT_UNDERSTOOD, sentence.text(start, end), at=start, sure=False))
            sentence.use(start, end)
        else:
            for name in context.group[-2 if sentence.tokens[0].text == "both" else -1 :]:
                found.append(_coloured(sentence, name, start, end))
    for match in sentence.matches(_REFERRING):
        assert match.lastgroup
        start, end = match.span(match.lastgroup)
        before = [t.value for t in sentence.tokens[: match.start()] if t.tag is Tag.OBJECT]
        names = list(dict.fromkeys(before)) or context.group
        of_all = match.lastgroup in ("all_are", "colour_all")
        for name in _referred(names, sentence.tokens[match.start()].text, of_all, context.found):
            found.append(_coloured(sentence, name, start, end))
        sentence.use(start, end, Tag.ADJECTIVE)
    for match in sentence.matches(_AFTER):
        start, end = match.span("colour")
        if sentence.tags[start] is Tag.COLOUR:
            found.append(_coloured(sentence, sentence.tokens[match.start()].value, start, end))
    return found + _stray(sentence, context)


def _stray(sentence: Sentence, context: Context) -> list[Found]:
    """Colours that are left, as those of the last object before them: "a fox, of course orange", "A red one."; of all
    that was named, after "both" or "all"."""
    found = []
    for match in sentence.matches(_STRAY):
        start, end = match.span("colour")
        before = [sentence.tokens[i].value for i in sentence.objects() if i < start]
        names = (before or context.objects)[-1:]
        if any(tag is Tag.ALL for tag in sentence.tags[:start]) and (group := before or context.group):
            names = list(dict.fromkeys(group))
        if not names:
            names = [sentence.tokens[i].value for i in sentence.objects() if i > end][:1]
        for name in names:
            found.append(_coloured(sentence, name, start, end))
    return found


def _coloured(sentence: Sentence, name: str, start: int, end: int) -> Found:
    sentence.use(start, end, Tag.ADJECTIVE)
    return Found("attribute", name, sentence.colour(start, end), at=start)


def _referred(names: Sequence[str], word: str, of_all: bool, found: Sequence[Found]) -> Sequence[str]:
    """Those of `names` that a reference stands for, by its first word: the last for "it", two for "both", all for
    "they". The last also where there are several of it: "a dog and three cats, all red"."""
    if not of_all and word not in _SEVERAL:
        return names[-1:]
    if names and any(f.kind == "count" and f.subject == names[-1] and int(f.value) > 1 for f in found):
        return names[-1:]
    return names[-2:] if word == "both" or of_all else names
