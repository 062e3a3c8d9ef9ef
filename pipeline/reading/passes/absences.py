"""What must not show: "no text", "without dogs or people", "it is not red", "people must not appear"."""

from __future__ import annotations

from models.english import singular
from pipeline.reading.finding import Found
from pipeline.reading.lexicon import ENGLISH
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern

# "no text"; "without any red dogs"; "no cartoon look"; "no background"
_NEGATED = pattern("""
    NO (?: OF? PRONOUN)? (?: [DETERMINER POSSESSIVE ADJECTIVE FUNCTION] | NUMBER (?= UNKNOWN | OBJECT))*
    (?P<colours> (?: COLOUR COLOUR_NOUN?)*)
    (?: (?P<noun> [UNKNOWN OBJECT NOT_DRAWN]{1,2})
      | (?P<style> STYLE) [COLOUR_NOUN NOT_DRAWN]?
      | (?P<background> BACKGROUND))?
""")
# "[an owl that is] not brown"
_NOT_COLOURED = pattern("NOT [BE FUNCTION ADJECTIVE DETERMINER]* (?P<colour> COLOUR)")
# "[a photo,] not cartoon", "not in a cartoon style"
_NOT_STYLED = pattern("NOT [BE FUNCTION ADJECTIVE DETERMINER IN]* (?P<style> STYLE) [COLOUR_NOUN NOT_DRAWN]?")
_NOT_ONLY = frozenset(("only", "just", "merely", "simply"))
# "people must not appear"
_FORBIDDEN = pattern("(?P<noun> [UNKNOWN OBJECT NOT_DRAWN]) (?= [FUNCTION BE]? FORBIDDEN)")
# "[no dogs] or people"; not "[no dogs] and text background"
_ONE_MORE = pattern("""
    COMMA? AND (?P<before> [DETERMINER ADJECTIVE]*) (?P<noun> [UNKNOWN OBJECT NOT_DRAWN]) (?! BACKGROUND)
""")
# "[no dogs], cats or people"
_IN_LIST = pattern("""
    COMMA (?P<before> [DETERMINER ADJECTIVE]*) (?P<noun> [UNKNOWN OBJECT])
    (?= COMMA? [UNKNOWN OBJECT]? COMMA? AND)
""")
_NOUNS = any_of("UNKNOWN OBJECT NOT_DRAWN")
_NO_OBJECT = any_of("UNKNOWN NOT_DRAWN")
_NOT_THING = pattern(
    "NOT [DETERMINER ADJECTIVE]* (?P<noun> OBJECT | UNKNOWN{1,2} (?= [COMMA SEMICOLON] | $))"
)
_SHARPENING = pattern("""
    NOT [DETERMINER ADJECTIVE FUNCTION]* (?: NUMBER OBJECT? | RELATION | SIDE | [MOOD ADJECTIVE])
        (?= [COMMA SEMICOLON AND] | $)
  | NO (?= COMMA)
""")
# "[carrots yes,] hot dogs no"
_AFTER = pattern("(?P<noun> OBJECT) [COMMA COLON]? NO (?= [COMMA SEMICOLON] | $)")
# "any colour except purple"
_ANY_BUT = pattern(
    "[ALL FUNCTION DETERMINER UNKNOWN] COLOUR_NOUN (?P<but> [FUNCTION NO NOT AND UNKNOWN]+) (?P<colour> COLOUR)"
)
_NOBODY = frozenset(("nobody", "no one", "noone", "not a soul"))
_EXCEPT = frozenset(("except", "but", "other", "besides", "save", "bar"))  # "other than"
_IDIOMS = frozenset(ENGLISH["not_absent"])  # "no rush", "no problem"


def absences(sentence: Sentence, context: Context) -> list[Found]:
    """What must not show, as absences; what is negated and is no object, as an `other` want."""
    return [
        *_after(sentence),
        *_any_but(sentence),
        *_negated(sentence, context),
        *_not_coloured(sentence, context),
        *_not_styled(sentence, context),
        *_forbidden(sentence),
        *_kept_out(sentence),
        *_free_of(sentence),
        *_nobody(sentence),
        *_not_things(sentence, context),
    ]


def _of_what(sentence: Sentence, context: Context, at: int) -> str:
    """What the negated colour at index `at` is of: the background or an object, the last that is named before it, or
    the next."""
    tokens, tags = sentence.tokens, (Tag.OBJECT, Tag.BACKGROUND)
    before = [token for token in tokens[:at] if token.tag in tags]
    after = [token for token in tokens[at:] if token.tag in tags]
    if not before and context.of_background:
        return "background"
    named = before[-1:] or ([] if context.objects else after[:1])
    if not named:
        return context.objects[-1] if context.objects else ""
    return "background" if named[0].tag is Tag.BACKGROUND else named[0].value


def _negated(sentence: Sentence, context: Context) -> list[Found]:
    found: list[Found] = []
    at = 0
    while match := _NEGATED.search(sentence.tag_string, at):
        start, at = match.span()
        if match["style"] or (match["colours"] and not match["noun"]):
            found.append(Found("other", value=f"no {sentence.text(start + 1, at)}", at=start))
            if match["style"]:
                style = sentence.tokens[match.start("style")].value
                context.not_coloured.append((found[-1], "style", style))
            elif match["colours"]:
                colour = sentence.colour(*match.span("colours"))
                context.not_coloured.append((found[-1], _of_what(sentence, context, start), colour))
            sentence.use(start, at)
        elif match["background"]:
            sentence.use(start, at)
        elif match["noun"]:
            noun = match.start("noun")
            if sentence.tags[noun] in _NO_OBJECT and sentence.tokens[noun].text in _IDIOMS:
                sentence.use(start, noun + 1)
                continue
            if _corrected(sentence, at):
                sentence.use(start, at)
                continue
            size = 1 if sentence.tags[noun] is Tag.OBJECT else len(match["noun"])
            absent, at = _absent(sentence, start, noun, size)
            found += absent
    return found


def _after(sentence: Sentence) -> list[Found]:
    """ "hot dogs no" """
    found: list[Found] = []
    for match in sentence.matches(_AFTER):
        found += _absent(sentence, match.start(), match.start("noun"), 1)[0]
        sentence.use(*match.span())
    return found


def _any_but(sentence: Sentence) -> list[Found]:
    """ "any colour except purple": no judge can check it."""
    found = []
    for match in sentence.matches(_ANY_BUT):
        if sentence.tokens[match.start("but")].text in _EXCEPT:
            found.append(Found("other", value=sentence.text(*match.span()), at=match.start()))
            sentence.use(*match.span())
    return found


def _not_coloured(sentence: Sentence, context: Context) -> list[Found]:
    found = []
    for match in sentence.matches(_NOT_COLOURED):
        colour = sentence.tokens[match.start("colour")]
        found.append(Found("other", value=f"not {colour.text}", at=match.start()))
        context.not_coloured.append((found[-1], _of_what(sentence, context, match.start()), colour.value))
        sentence.use(*match.span())
    return found


def _not_styled(sentence: Sentence, context: Context) -> list[Found]:
    """ "not cartoon": no judge can tell every other style from it."""
    found = []
    for match in sentence.matches(_NOT_STYLED):
        style = sentence.tokens[match.start("style")]
        if _NOT_ONLY.isdisjoint(token.text for token in sentence.tokens[match.start() : match.end()]):
            found.append(Found("other", value=f"not {style.text}", at=match.start()))
            context.not_coloured.append((found[-1], "style", style.value))
            sentence.use(*match.span())
    return found


def _forbidden(sentence: Sentence) -> list[Found]:
    found: list[Found] = []
    for match in sentence.matches(_FORBIDDEN):
        found += _absent(sentence, match.start(), match.start(), 1)[0]
    for i, tag in enumerate(sentence.tags):
        if tag is Tag.FORBIDDEN and any(item.kind == "absence" for item in found):
            sentence.use(i, i + 1)
    return found


def _kept_out(sentence: Sentence) -> list[Found]:
    """ "keep text out of it" """
    found: list[Found] = []
    for i, token in enumerate(sentence.tokens):
        following = [t.text for t in sentence.tokens[i + 1 : i + 5]]
        out = next((k for k, text in enumerate(following) if text.split()[0] == "out"), None)
        if token.text in ("keep", "leave") and out is not None:
            for noun in range(i + 1, i + 1 + out):
                if sentence.tags[noun] in _NOUNS:
                    found += _absent(sentence, i, noun, 1)[0]
    return found


def _not_things(sentence: Sentence, context: Context) -> list[Found]:
    """ "[a car,] not bus"; and what only sharpens another want: "[one bee,] not two", "[on the left,] not on the
    right", "not too fancy" """
    found: list[Found] = []
    for match in sentence.matches(_NOT_THING):
        noun = match.start("noun")
        if sentence.tags[noun] is Tag.OBJECT or sentence.tokens[noun].text.endswith("s"):
            found += _absent(sentence, match.start(), noun, len(match["noun"]))[0]
    for match in sentence.matches(_SHARPENING):
        sentence.use(*match.span())
    return found


def _free_of(sentence: Sentence) -> list[Found]:
    """ "a car-free street" """
    found: list[Found] = []
    for i, token in enumerate(sentence.tokens[1:], 1):
        if token.text == "free" and sentence.tags[i - 1] in (Tag.OBJECT, Tag.UNKNOWN):
            found += _absent(sentence, i - 1, i - 1, 1)[0]
            sentence.use(i, i + 1)
    return found


def _nobody(sentence: Sentence) -> list[Found]:
    """ "nobody in the picture" """
    found = []
    for i, token in enumerate(sentence.tokens):
        if token.text in _NOBODY and sentence.tags[i] is not Tag.NOT_DRAWN:
            found.append(Found("absence", "people", at=i))
            sentence.use(i, i + 1)
    return found


def _corrected(sentence: Sentence, at: int) -> bool:
    """Whether "but" and a mood follow at index `at`: "not boring but calm" forbids nothing."""
    return sentence.text(at, at + 1) == "but" and sentence.tags[at + 1 : at + 2] == [Tag.MOOD]


def _absent(sentence: Sentence, start: int, noun: int, size: int) -> tuple[list[Found], int]:
    """The absence of the noun at index `noun`, `size` words long, and of those in a list with it; and the index where
    the list ends. The words from `start` on are marked as read."""
    found: list[Found] = []
    while True:
        words = sentence.tokens[noun : noun + size]
        is_object = words[0].tag is Tag.OBJECT and words[0].known
        name = words[0].value if is_object else singular(" ".join(word.text for word in words))
        found.append(Found("absence", name, at=noun))
        end = noun + size
        sentence.use(start, end)
        following = _next_in_list(sentence, end)
        if following is None:
            return found, end
        start, noun, size = end, following, 1


def _next_in_list(sentence: Sentence, at: int) -> int | None:
    """The index of the next noun that the negation covers, in a list that goes on at index `at`."""
    tags, tokens = sentence.tag_string, sentence.tokens
    if more := _ONE_MORE.match(tags, at):
        joint = tokens[tags.index(Tag.AND, at)].text
        wanted = joint != "or" and Tag.DETERMINER in more["before"]  # "no dogs and a cat"
        return None if wanted else more.start("noun")
    if more := _IN_LIST.match(tags, at):
        # "no dogs, cats or people"; in "no dogs, cats and people", the others may be wanted
        return more.start("noun") if tokens[tags.index(Tag.AND, at)].text == "or" else None
    return None
