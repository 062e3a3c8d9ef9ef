"""Guesses at words that no list holds: which of them name a thing to draw, and which describe one."""

from __future__ import annotations

from dataclasses import replace

from pipeline.reading.lexicon import ENGLISH, Token, singular
from pipeline.reading.noise import PICTURES, is_position

_VERBS = frozenset(ENGLISH["verbs"])
_NO_THINGS = frozenset(ENGLISH["not_drawn"])
_DEFINITE = frozenset(("the", "this", "that", "these", "those", "its"))
_FRUIT = frozenset(("orange", "lime", "olive", "salmon", "violet", "rose"))
_ADJECTIVAL = ("y", "en", "ful", "ous", "ish", "less", "ive", "ical", "ble")


def guess_objects(line: list[Token], anything: bool, alone: bool = False) -> list[Token]:
    """Unknown words as objects (O) or as adjectives of what follows them (Z), both unsure.

    `anything`: the range names no objects; then a word alone between commas is one too, and an unknown
    adjective stays in the name. `alone`: the brief is this one sentence.
    """
    line = _named_by_colour(_compounds(list(line)))
    listed = any(token.code in "SBC" for token in line)
    k = 0
    while k < len(line):
        if line[k].code != "W":
            k += 1
            continue
        end = k
        while end < len(line) and line[end].code == "W" and not (end > k and _verbal(line[end].text)):
            end += 1
        acting = end < len(line) and line[end].code == "W" and line[end].text.endswith("ing")
        if acting and not _verbal(line[k].text):
            line[end] = replace(line[end], code="f")  # "two women drinking tea"
        after = end
        while after < len(line) and line[after].code in "ACQSZW":
            after += 1
        introduced = k > 0 and line[k - 1].code in "DNACQSZrw"
        if introduced and after < len(line) and line[after].code == "O":
            for j in range(k, end):
                line[j] = replace(line[j], code="Z", sure=False)
        elif introduced and after > end and line[after - 1].code == "W" and _describes(line[k].text):
            line[k] = replace(line[k], code="Z", sure=False)
            end = k + 1
        elif _is_thing(line, k, end, anything, listed, alone):
            end = _name(line, k, end, anything)
        k = max(end, k + 1)
    return line


def _compounds(line: list[Token]) -> list[Token]:
    """ "a birthday cake": a word that is no thing by itself may begin the name of one."""
    for k in range(1, len(line) - 1):
        begins = line[k].code == "n" and line[k - 1].code in "DNCAZ" and line[k + 1].code == "W"
        if begins and line[k].text not in PICTURES and not _verbal(line[k + 1].text):
            line[k] = replace(line[k], code="W")
    joined: list[Token] = []
    for token in line:
        # "a cherry tree" where the range knows cherries and trees: neither of them
        if joined and joined[-1].code == token.code == "O" and not joined[-1].plural:
            text = f"{joined[-1].text} {token.text}"
            joined[-1] = Token("O", singular(text), text, False, token.plural)
        else:
            joined.append(token)
    return joined


def _named_by_colour(line: list[Token]) -> list[Token]:
    """ "an orange on a plate": a colour that nothing follows is a fruit."""
    for k in range(1, len(line)):
        token, before = line[k], line[k - 1]
        ends = k + 1 == len(line) or line[k + 1].code in "oRLtw,;&"
        counted = before.code == "N" or (before.code == "D" and before.text in ("a", "an"))
        if token.code == "C" and ends and counted and (k < 2 or line[k - 2].code != "o"):
            name = singular(token.text)
            if name in _FRUIT:
                line[k] = Token("O", name, token.text, False)
    return line


def _name(line: list[Token], k: int, end: int, anything: bool) -> int:
    """Make one object of the last one or two words from `k` to `end`; returns the new end."""
    words = line[max(k, end - 2) : end]
    if len(words) == 2 and _describes(words[0].text) and not anything:
        line[end - 2] = replace(words[0], code="Z", sure=False)
        words = words[1:]
    text = " ".join(word.text for word in words)
    line[end - len(words) : end] = [Token("O", singular(text), text, False, singular(text) != text)]
    return end - len(words) + 1


def _is_thing(line: list[Token], k: int, end: int, anything: bool, listed: bool, alone: bool) -> bool:
    """Whether the unknown words from `k` to `end` name something to draw."""
    follows = line[end].code if end < len(line) else ""
    word = line[end - 1].text
    if follows in ("O", "B", "K", "M"):
        return False
    if follows == "n" and not (
        line[end].text in PICTURES or is_position(line[end]) or line[end].text not in _NO_THINGS
    ):
        return False
    back = k - 1
    while back >= 0 and line[back].code in "ACQSZb":
        back -= 1
    before = line[back] if back >= 0 else None
    counted = before is not None and before.code in "DN"
    if _verbal(word) or len(word) < 3 or (word.endswith("ly") and not counted):
        return False
    if before is None:
        if end == len(line) and alone:
            return True
        return len(line) > 1 and (
            follows in ("o", "R", "L", "w", "t") or (follows in (",", "", "&") and (anything or listed))
        )
    if line[k - 1].code == "C" and before.code in "&,":
        return True
    if before.code == "D":
        return before.text not in _DEFINITE or follows in ("V", "R", "L", "t")
    if before.code == "N":
        return True
    if before.code == "&":
        return back > 0 and line[back - 1].code == "O"
    if before.code == "e":
        return back > 0 and (line[back - 1].text in PICTURES or (_many(word) and line[back - 1].code in "OA"))
    if before.code in "rwtR":
        return _many(word)
    return before.code == "," and anything and follows in (",", "&", "", "o", "R", "L")


def _describes(word: str) -> bool:
    return _verbal(word) or word.endswith(_ADJECTIVAL)


def _verbal(word: str) -> bool:
    return word in _VERBS or (
        len(word) > 4 and word.endswith(("ing", "ed")) and word not in ("king", "ring", "bed")
    )


def _many(word: str) -> bool:
    return singular(word) != word
