"""How the picture is to look and feel: its style, and moods, which nothing can check."""

from __future__ import annotations

from pipeline.reading.finding import Found
from pipeline.reading.lexicon import Token
from pipeline.reading.sentence import Context, Sentence
from pipeline.reading.tags import Tag, any_of, pattern

# "in a brutalist style"
_UNKNOWN_STYLE = pattern("IN [DETERMINER ADJECTIVE]? (?P<style> UNKNOWN) NOT_DRAWN")
# "an elegant and calm feel"; "a sense of wonder", "conveys trust"; "a rustic vibe"; "it feels airy"
_MOOD = pattern("""
    (?: [MOOD_NOUN EVOKES] [FUNCTION OF ADJECTIVE DETERMINER POSSESSIVE]*)? (?P<adjective> MOOD)
        (?: AND [MOOD ADJECTIVE])* MOOD_NOUN?
  | [ADJECTIVE MOOD] AND (?P<second> UNKNOWN) (?= [COMMA SEMICOLON] | $)
  | (?: MOOD_NOUN OF | EVOKES [DETERMINER ADJECTIVE]*) [UNKNOWN NOT_DRAWN FUNCTION MOOD_NOUN]
  | (?P<attributive> UNKNOWN) MOOD_NOUN
  | MOOD_NOUN [FUNCTION ADJECTIVE]* UNKNOWN $
""")
_BEFORE_ATTRIBUTIVE = any_of("DETERMINER ADJECTIVE")


_DEMANDS = pattern("[BE PRONOUN] [BE FUNCTION ADJECTIVE ALL DETERMINER USED]* $")
_MUST = frozenset(
    ("must", "should", "has to", "have to", "ought to", "needs to", "need to be", "needs to be", "needs")
)
_LOOKS = frozenset(("look", "looks", "looking", "touch"))


def _says_mood(token: Token) -> bool:
    """Whether the word asks for a mood by itself: "vibe", "evokes"; a "cheeky look" is rather an adjective."""
    return token.tag is Tag.EVOKES or (token.tag is Tag.MOOD_NOUN and token.text not in _LOOKS)


def _demanded(sentence: Sentence, at: int) -> bool:
    """Whether the mood at index `at` is asked for in so many words: "it must be elegant", "it should feel calm". One
    that only comes with something else, as in "a cheerful poster", is nice to have."""
    before = _DEMANDS.search(sentence.tag_string, 0, at)
    return before is not None and any(_MUST & {t.text, t.text.split()[0]} for t in sentence.tokens[:at])


def styles(sentence: Sentence, context: Context) -> list[Found]:
    """The styles that the sentence names, known ones first. Unknown ones are guesses."""
    found = []
    for i, token in enumerate(sentence.tokens):
        if sentence.tags[i] is Tag.STYLE:
            found.append(Found("style", value=token.value, at=i))
            sentence.use(i, i + 1, Tag.ADJECTIVE)
    for match in sentence.matches(_UNKNOWN_STYLE):
        if sentence.tokens[match.end() - 1].text == "style":
            at = match.start("style")
            found.append(Found("style", value=sentence.tokens[at].text, at=at, sure=False))
            sentence.use(*match.span())
    return found


def moods(sentence: Sentence, context: Context) -> list[Found]:
    """The moods that the sentence asks for, each an `other` want in the user's words. Of unknown words, guesses."""
    found = []
    for match in sentence.matches(_MOOD):
        start, end = match.span()
        if match["attributive"] and not (start and sentence.tags[start - 1] in _BEFORE_ATTRIBUTIVE):
            continue
        sure = match["adjective"] is not None
        must = any(_says_mood(token) for token in sentence.tokens[start:end]) or _demanded(sentence, start)
        found.append(Found("other", value=sentence.text(start, end), at=start, sure=sure, must=must))
        sentence.claim(start, end)
    return found
