"""A brief read without a model: words looked up, bound to each other by patterns over token codes.

It knows what it is sure of. What it guesses at (an unknown noun after an article, an unknown adjective) it
marks, so that the stage can let the text model decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from textwrap import shorten

from pipeline.brief import Kind, Requirement
from pipeline.range import Range
from pipeline.reading.finding import Found
from pipeline.reading.flags import LANGUAGE
from pipeline.reading.language import has_emoji, is_foreign
from pipeline.reading.lexicon import ENGLISH, PLURAL_ONLY, Token, singular, tokens
from pipeline.reading.noise import quiet
from pipeline.reading.nouns import guess_objects
from pipeline.reading.placing import Placing
from pipeline.reading.technical import technical
from pipeline.reading.wording import worded


def read_rules(text: str, drawable: Range | None = None) -> tuple[Requirement, ...]:
    """The requirements of a brief by rules alone, unflagged, numbered r1 upwards in the brief's order."""
    return numbered(found_in(text, drawable))


_ORDER = ("object", "count", "attribute", "relation", "background", "style", "absence", "technical", "other")


def numbered(found: Sequence[Found]) -> tuple[Requirement, ...]:
    """Findings as requirements, in words, without repeats; an object that is counted is not listed twice."""
    counted = {f.subject for f in found if f.kind == "count"}
    plural = {f.subject for f in found if f.kind == "count" and int(f.value) > 1}
    kept: dict[tuple[str, str, str, str], Found] = {}
    for item in found:
        if item.kind == "object" and item.subject in counted:
            continue
        before = kept.get(item.key)
        # Wanted once for certain is wanted for certain.
        kept[item.key] = replace(before, must=before.must or item.must) if before else item
    # As a person would tell them: what, then how many and what colour, then where, then the look. Stable within.
    ordered = sorted(kept.values(), key=lambda item: _ORDER.index(item.kind))
    return tuple(
        worded(
            Requirement(
                id=f"r{i}",
                kind=f.kind,
                subject=f.subject,
                value=f.value,
                other=f.other,
                text="-",
                must=f.must,
            ),
            many=f.subject in plural,
        )
        for i, f in enumerate(ordered, 1)
    )


def found_in(text: str, drawable: Range | None = None) -> list[Found]:
    """Everything the rules find, in order. Of a brief in another language, that it is one."""
    line = tokens(text, drawable)
    if is_foreign(text, line):
        return [Found("other", LANGUAGE, shorten(text, 60, placeholder=" …"))]
    rest, measures = technical(text, drawable)
    reader = _Reader(drawable)
    sentences = _sentences(tokens(rest, drawable))
    for sentence in sentences:
        reader.sentence(sentence, len(sentences) == 1)
    found = reader.found + measures
    if not any(item.kind in ("object", "count", "other") for item in found):
        coloured = any(item.kind in ("attribute", "background", "technical") for item in found)
        unseen = {"O", "W"} | (set() if coloured else {"C"})
        if not found or has_emoji(text) or unseen & {token.code for token in line}:
            # Something is to be shown that the rules do not see: a person must look whether it is.
            found.append(Found("other", value=shorten(text, 60, placeholder=" …"), sure=False))
    return found


def _sentences(stream: list[Token]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    for token in stream:
        if token.code == ".":
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


class _Reader:
    """Reads sentence after sentence; remembers objects, so that "it" and "the bear" find them."""

    def __init__(self, drawable: Range | None) -> None:
        self.drawable = drawable
        self.found: list[Found] = []
        self.seen: list[str] = []  # objects in the order of their last mention
        self.group: list[str] = []  # what "both" and "they" mean
        self.sentences = 0
        self.waiting: dict[str, Found] = {}  # on a side of something not yet named

    def sentence(self, sentence: list[Token], alone: bool = False) -> None:
        anything = self.drawable is None or self.drawable.objects is None
        self.line = guess_objects(quiet(sentence), anything, alone)
        self._tell_apart()
        self._alias()
        self.codes = [token.code for token in self.line]
        first = len(self.found)
        self._absences()
        self._backgrounds()
        self._styles()
        self._alternatives()
        mentions = [i for i, code in enumerate(self.codes) if code == "O"]
        self._objects(mentions)
        self._colours()
        placed = Placing(self.line, self._code(), mentions, self.seen, self.waiting)
        self.found = [f for f in self.found if f.key not in {s.key for s in placed.settled}] + placed.found
        self._moods()
        self._nice_to_have(first)
        self.found[first:] = [replace(f, sentence=self.sentences) for f in self.found[first:]]
        self.sentences += 1
        for i in mentions:
            self._mention(self.line[i].value)
        names = list(dict.fromkeys(self.line[i].value for i in mentions))
        if names:
            self.group = names

    def _mention(self, name: str) -> None:
        if name in self.seen:
            self.seen.remove(name)
        self.seen.append(name)

    def _add(
        self, kind: Kind, at: int, subject: str = "", value: str = "", other: str = "", sure: bool = True
    ) -> None:
        self.found.append(Found(kind, subject, value, other, at, sure))

    def _code(self) -> str:
        return "".join(self.codes)

    def _spend(self, start: int, end: int) -> None:
        for i in range(start, end):
            self.codes[i] = "_"

    def _tell_apart(self) -> None:
        """ "a blue vase left of a red vase" are two things, each named by its colour."""
        shown: dict[str, list[tuple[int, int]]] = {}
        for match in re.finditer(r"(?:D|N)[AQZ]*(C)[AQZ]*(O)", "".join(t.code for t in self.line)):
            if self.line[match.start()].text not in ("the", "this", "that", "these", "those"):
                shown.setdefault(self.line[match.start(2)].value, []).append((match.start(1), match.start(2)))
        for name, places in shown.items():
            if len({self.line[colour].value for colour, _ in places}) > 1:
                for colour, noun in places:
                    self.line[noun] = replace(self.line[noun], value=f"{self.line[colour].value} {name}")
                    self.line[colour] = replace(self.line[colour], code="A")

    def _alias(self) -> None:
        """ "the ball" after "a soccer ball" is that ball."""
        known = list(self.seen)
        for i, token in enumerate(self.line):
            definite = (
                i > 0 and self.line[i - 1].code == "D" and self.line[i - 1].text in ("the", "this", "that")
            )
            word = singular(token.text)
            if token.code in "OW" and token.value not in known:
                full = [name for name in known if name.endswith(" " + word) and definite]
                full += [name for name in known if name == word]
                if full:
                    self.line[i] = replace(token, code="O", value=full[-1])
            elif token.code == "W":
                self.line[i] = replace(token, code="O", value=word if word in known else token.value)
            if self.line[i].code == "O":
                known.append(self.line[i].value)

    def _absences(self) -> None:
        pattern = re.compile(r"X(?:[DPAf]|N(?=W|O))*((?:Ck?)*)(?:([WOn]{1,2})|(S)[kn]?|(B))?")
        at = 0
        while match := pattern.search(self._code(), at):
            at = match.end() if match.end() > match.start() else match.end() + 1
            colours, noun, style, ground = match.groups()
            start = match.start()
            if style or (colours and not noun):
                words = " ".join(t.text for t in self.line[start + 1 : match.end()])
                self._add("other", start, value=f"no {words}")
                self._spend(start, match.end())
            elif ground:
                self._spend(start, match.end())
            elif noun:
                i = match.start(2)
                size = 1 if self.codes[i] == "O" else len(noun)
                if self.codes[i] in "nW" and self.line[i].text in _NOT_ABSENT:
                    continue
                if self._turns(match.end()):
                    self._spend(start, match.end())
                    continue
                at = self._absent(start, i, size)
        for match in re.finditer(r"!A?(C)", self._code()):
            self._add("other", match.start(), value=f"not {self.line[match.start(1)].text}")
            self._spend(*match.span())
        for match in re.finditer(r"([WOn])(?=x)", self._code()):
            self._absent(match.start(), match.start(), 1)
        for i, token in enumerate(self.line):
            if token.text in ("keep", "leave") and "out" in (
                ends := [t.text for t in self.line[i + 1 : i + 5]]
            ):
                for j in range(i + 1, i + 1 + ends.index("out")):
                    if self.codes[j] in "OWn":
                        self._absent(i, j, 1)

    def _turns(self, at: int) -> bool:
        """Whether "but" and a mood come next: "not boring but calm" forbids nothing."""
        return [t.text for t in self.line[at : at + 1]] == ["but"] and self.codes[at + 1 : at + 2] == ["Q"]

    def _absent(self, start: int, i: int, size: int) -> int:
        """Enter the noun at `i` and what follows it in a list; returns where the list ends."""
        while True:
            words = self.line[i : i + size]
            known = words[0].code == "O" and words[0].sure
            name = words[0].value if known else singular(" ".join(t.text for t in words))
            self._add("absence", i, name, sure=True)
            self._spend(start, i + size)
            end = start = i + size
            rest = self._code()[end:]
            more = re.match(r",?&([DA]*)(?:([WOn])(?![B]))", rest)
            if more is None and (listed := re.match(r",([DA]*)([WO])(?=,?[WO]?,?&)", rest)):
                joined = self.line[end + rest.index("&")]
                more = listed if joined.text == "or" else None
            if more is None:
                return end
            joint = next((t.text for t in self.line[end : end + 2] if t.code == "&"), "or")
            if joint != "or" and "D" in more.group(1):
                return end
            i, size = end + more.start(2), 1

    def _alternatives(self) -> None:
        """ "a cat or a dog": no judge can be asked for either of two."""
        for match in re.finditer(r"[DN]?[ACQZ]*O(?:,?&[DN]?[ACQZ]*O)+", self._code()):
            told = self.line[slice(*match.span())]
            if any(token.text == "or" for token in told if token.code == "&"):
                self._add("other", match.start(), value=" ".join(token.text for token in told))
                self._spend(*match.span())

    def _backgrounds(self) -> None:
        for scene in re.finditer(r"[oih],?[DPAQ]*([ZWO]{1,3})", self._code()):
            told = self.line[slice(*scene.span(1))]
            place = " ".join(token.text for token in told)
            if (told[-1].sure and told[-1].code == "O") or not _PLACES & {place, place.split()[-1]}:
                continue
            self._add("background", scene.start(1), value=place, sure=False)
            self._spend(*scene.span())
        for pattern in _BACKGROUNDS:
            while match := re.search(pattern, self._code()):
                start, end = match.span(1)
                told = self.line[start:end]
                if told[0].code == "C":
                    self._add("background", start, value=self._joined(start, end))
                else:
                    words = [t.text for t in told if t.code in "WOZ"]
                    self._add("background", start, value=" ".join(words), sure=False)
                self._spend(*match.span())
        for i, code in enumerate(self.codes):
            if code in "BK":
                self._loose_background(i)
                self.codes[i] = "_"

    def _loose_background(self, i: int) -> None:
        """A background in no known form: the nearest colour of its clause that no object bears."""
        code = self._code()
        if any(f.kind == "background" for f in self.found) or "X" in code:
            return
        borne = {j for m in re.finditer(r"C[ACQZ]*O", code) for j in range(*m.span())}
        free = [j for j, c in enumerate(code) if c == "C" and j not in borne and abs(i - j) < 7]
        free = [j for j in free if not re.search("[,;&]", code[min(i, j) : max(i, j)].strip(","))]
        if free:
            near = min(free, key=lambda j: abs(i - j))
            self._add("background", near, value=self.line[near].value)
            self.codes[near] = "_"

    def _styles(self) -> None:
        for i, code in enumerate(self.codes):
            if code == "S":
                self._add("style", i, value=self.line[i].value)
                self.codes[i] = "A"
        for match in re.finditer(r"i[DA]?(W)n", self._code()):
            if self.line[match.end() - 1].text == "style":
                self._add("style", match.start(1), value=self.line[match.start(1)].text, sure=False)
                self._spend(*match.span())

    def _objects(self, mentions: list[int]) -> None:
        code = self._code()
        for i in mentions:
            token = self.line[i]
            number = re.search(r"N([DACQZWb&]|f(?!.*f))*$", code[:i])
            worn = (
                number
                and "pair" in self.line[number.start()].text
                and token.value in PLURAL_ONLY - {"grapes", "cherries"}
            )
            if number and not worn:
                self._add(
                    "count", number.start(), token.value, self.line[number.start()].value, sure=token.sure
                )
            else:
                self._add("object", i, token.value, sure=token.sure)
            j = i - 1
            while j >= 0 and code[j] in "ACQZSb":
                if code[j] == "Z":
                    self._add("attribute", j, token.value, self.line[j].text, sure=self.line[j].sure)
                j -= 1
        last = self.seen[-1:]
        for match in re.finditer(r"N(?:f|b)?(?:I|e)|(?<=[VfAIr])N$|^A?N$", code):
            before = [i for i in mentions if i < match.start()]
            names = [self.line[before[-1]].value] if before else last
            if names and not re.match(r"[DACQZW]*O", code[match.end() :]):
                i = match.start() + match.group().index("N")
                self._add("count", i, names[0], self.line[i].value)

    def _colours(self) -> None:
        for match in re.finditer(rf"({_C})[AQWk]{{0,2}}(?=O)", self._code()):
            self._coloured(self.line[match.end()].value, *match.span(1))
        # A sentence of its own: "Three stars. Blue."
        if (alone := re.fullmatch(r"[AbV]*(C)[Ak]*", self._code())) and self.group:
            self._add("attribute", alone.start(1), self.group[-1], self.line[alone.start(1)].value)
            self.codes[alone.start(1)] = "A"
        # "a bus and a car, both blue"; "they should all be red"; "a bus and a car, blue both"
        for match in re.finditer(
            rf"b[IVfi,e]*(C){_LAST}|,[AQ]*(C)b{_LAST}|I[VfDk]*b?V*(C){_LAST}|[VkrI]I(C)", self._code()
        ):
            i = next(match.start(g) for g in (1, 2, 3, 4) if match.group(g))
            before = [t.value for t in self.line[: match.start()] if t.code == "O"]
            all_of_them = match.group(1) is not None or match.group(2) is not None
            for name in self._meant(before, self.line[match.start()].text, all_of_them):
                self._add("attribute", i, name, self.line[i].value)
            self.codes[i] = "A"
        for match in re.finditer(rf"O(?=([nfk]*[,:]?[VIfbikD]*)({_C}){_LAST})", self._code()):
            if self.codes[match.start(2)] == "C":
                self._coloured(self.line[match.start()].value, *match.span(2))

    def _coloured(self, name: str, start: int, end: int) -> None:
        self._add("attribute", start, name, self._joined(start, end))
        for i in range(start, end):
            self.codes[i] = "A"

    def _joined(self, start: int, end: int) -> str:
        """One colour, or "black and white": one look of one thing, not two that contradict each other."""
        told = self.line[start:end]
        colours = list(dict.fromkeys(token.value for token in told if token.code == "C"))
        joint = "or" if any(token.text == "or" for token in told) else "and"
        return f" {joint} ".join(colours)

    def _meant(self, before: list[str], word: str, all_of_them: bool) -> list[str]:
        """The objects that "both", "they" or "it" stands for."""
        names = list(dict.fromkeys(before)) or self.group
        if not names:
            return []
        if not all_of_them and word not in ("they", "them", "which", "these"):
            return names[-1:]
        counted = {f.subject for f in self.found if f.kind == "count" and int(f.value) > 1}
        if names[-1] in counted:
            return names[-1:]
        return names[-2:] if word == "both" or all_of_them else names

    def _moods(self) -> None:
        code = self._code()
        for match in re.finditer(
            r"(?:[Mm][feADP]*)?(Q)(?:&Q)*M?|(?:Me|m[DA]*)(W|n|M)|(W)M|M(?:f|A)*(W)$", code
        ):
            if match.group(3) and code[match.start() - 1 : match.start()] not in ("D", "A"):
                continue
            words = " ".join(token.text for token in self.line[slice(*match.span())])
            self._add("other", match.start(), value=words, sure=match.group(1) is not None)

    def _nice_to_have(self, first: int) -> None:
        """Mark what "ideally" goes before and "if possible" stands after, or before where it opens a clause:
        one want, with the colour or look of the same object."""
        clause = [token.code in ",;" for token in self.line]
        for i, token in enumerate(self.line):
            if token.code not in "Yy":
                continue
            begin = i + 1
            while begin < len(clause) and self.line[begin].code in ",;:":
                begin += 1
            end = next((j for j in range(begin, len(clause)) if clause[j]), len(clause))
            new = range(first, len(self.found))
            ahead = [n for n in new if i < self.found[n].at < end]
            behind = [n for n in new if self.found[n].at < i]
            opens = i == 0 or (clause[i - 1] and not clause[min(i + 1, len(clause) - 1)])
            if ahead and (token.code == "Y" or opens or not behind):
                told = min(ahead, key=lambda n: self.found[n].at)
                pool = ahead
            elif behind:
                told = max(behind, key=lambda n: self.found[n].at)
                pool = [told]
            else:
                continue
            about = self.found[told].subject
            for n in pool:
                if n == told or (about and self.found[n].subject == about):
                    self.found[n] = replace(self.found[n], must=False)


_NOT_ABSENT = frozenset(ENGLISH["not_absent"])
_C = r"C(?:,?&C|,C(?=(?:,C)*,?&C))*"  # one colour, or several of one thing
_PLACES = frozenset(ENGLISH["places"])
_LAST = r"(?!k?[ACQZ]*[OWB])"  # the colour belongs to nothing that follows it
_BACKGROUNDS = (
    rf"(?:[owih]|R)?[DPAQZ]*({_C})[AQ]?k?[AQ]?B",
    rf"[DP]?Bk?[VDAikef:fQb]*({_C})k?(?![ACQZ]*O)",
    rf"k?e?[DP]?B[,]({_C})(?=[,;]|$)",
    rf"(?:[ow]|w)[DPAQZ]*({_C})h",
    rf"({_C})h",
    rf"({_C})K",
    rf"h,?[VDPAQ]*({_C}){_LAST}",
    rf"({_C})f[DP]?B",
    rf"oD(?:W|O)e[DAQ]*({_C}){_LAST}",
    rf"B[,:][rVDP]*({_C})k?{_LAST}",
    rf"o[DPAQb]*({_C})(?![ACQZ]*[OWnB])",
    rf"V?o[DPAQZ]*({_C})(?=n)",
    r"(?:w|,|&|^|Y)[DPAQ]*(Z*W{1,2})K",
    r"o?[DP][AQ]*(Z*W{1,2})B",
    r"^[AQ]*(Z*W{1,2})B",
    r"B(?:V|:)+[DPAQZ]*((?:W|O){1,2})",
)
