"""A brief read without a model: words looked up, bound to each other by patterns over token codes.

It knows what it is sure of. What it guesses at (an unknown noun after an article, an unknown adjective) it
marks, so that the stage can let the text model decide.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from pipeline.brief import Kind, Requirement
from pipeline.finding import Found
from pipeline.lexicon import ENGLISH, Token, singular, tokens
from pipeline.noise import guess_objects, quiet
from pipeline.range import Range
from pipeline.technical import technical
from pipeline.wording import worded


def read_rules(text: str, drawable: Range | None = None) -> tuple[Requirement, ...]:
    """The requirements of a brief by rules alone, unflagged, numbered r1 upwards in the brief's order."""
    return numbered(found_in(text, drawable))


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
        for i, f in enumerate(kept.values(), 1)
    )


def found_in(text: str, drawable: Range | None = None) -> list[Found]:
    """Everything the rules find, in order."""
    rest, measures = technical(text, drawable)
    reader = _Reader(drawable)
    for sentence in _sentences(tokens(rest, drawable)):
        reader.sentence(sentence)
    return reader.found + measures


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

    def sentence(self, sentence: list[Token]) -> None:
        self.line = guess_objects(quiet(sentence), self.drawable is None or self.drawable.objects is None)
        self._alias()
        self.codes = [token.code for token in self.line]
        first = len(self.found)
        self._absences()
        self._backgrounds()
        self._styles()
        mentions = [i for i, code in enumerate(self.codes) if code == "O"]
        self._objects(mentions)
        self._colours()
        self._relations(mentions)
        self._moods()
        self._nice_to_have(first)
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

    def _alias(self) -> None:
        """ "the ball" after "a soccer ball" is that ball."""
        known = list(self.seen)
        for i, token in enumerate(self.line):
            definite = (
                i > 0 and self.line[i - 1].code == "D" and self.line[i - 1].text in ("the", "this", "that")
            )
            if token.code in "OW" and definite and token.value not in known:
                full = [name for name in known if name.endswith(" " + singular(token.text))]
                full += [n for n in known if n == singular(token.text)]
                if full:
                    self.line[i] = replace(token, code="O", value=full[-1], sure=True)
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
                if self.codes[i] == "n" and self.line[i].text in _NOT_ABSENT:
                    continue
                at = self._absent(start, i, size)
        for i, token in enumerate(self.line):
            if token.text in ("keep", "leave") and "out" in (
                ends := [t.text for t in self.line[i + 1 : i + 5]]
            ):
                for j in range(i + 1, i + 1 + ends.index("out")):
                    if self.codes[j] in "OWn":
                        self._absent(i, j, 1)

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
                joined = self.line[end + re.search("&", rest).start()]  # type: ignore[union-attr]
                more = listed if joined.text == "or" else None
            if more is None:
                return end
            joint = next((t.text for t in self.line[end : end + 2] if t.code == "&"), "or")
            if joint != "or" and "D" in more.group(1):
                return end
            i, size = end + more.start(2), 1

    def _backgrounds(self) -> None:
        for pattern in _BACKGROUNDS:
            while match := re.search(pattern, self._code()):
                start, end = match.span(1)
                told = self.line[start:end]
                if told[0].code == "C":
                    for i in range(start, end):
                        if self.line[i].code == "C":
                            self._add("background", i, value=self.line[i].value)
                else:
                    words = [t.text for t in told if t.code in "WO"]
                    self._add("background", start, value=" ".join(words), sure=False)
                self._spend(*match.span())
        for i, code in enumerate(self.codes):
            if code in "BK":
                self.codes[i] = "_"

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
            number = re.search(r"N([DACQWb&]|f(?!.*f))*$", code[:i])
            if number and self.line[number.start()].text != "one of":
                self._add(
                    "count", number.start(), token.value, self.line[number.start()].value, sure=token.sure
                )
            else:
                self._add("object", i, token.value, sure=token.sure)
            if i and code[i - 1] == "W" and re.search(r"[DNCAQ]W$", code[:i]):
                self._add("attribute", i - 1, token.value, self.line[i - 1].text, sure=False)
        last = self.seen[-1:]
        for match in re.finditer(r"N(?:f|b)?(?:I|e)", code):
            before = [i for i in mentions if i < match.start()]
            names = [self.line[before[-1]].value] if before else last
            if names and not re.match(r"[DACQW]*O", code[match.end() :]):
                self._add("count", match.start(), names[0], self.line[match.start()].value)

    def _colours(self) -> None:
        for match in re.finditer(r"(C(?:,?&?C)*)[AQWk]{0,2}(?=O)", self._code()):
            for i in range(*match.span(1)):
                if self.codes[i] == "C":
                    self._add("attribute", i, self.line[match.end()].value, self.line[i].value)
                    self.codes[i] = "A"
        # "a bus and a car, both blue"; "they should all be red"
        for match in re.finditer(rf"b[IVfi,e]*(C){_LAST}|I[VfDk]*b?V*(C){_LAST}|VI(C)", self._code()):
            i = next(match.start(g) for g in (1, 2, 3) if match.group(g))
            before = [t.value for t in self.line[: match.start()] if t.code == "O"]
            for name in self._meant(before, self.line[match.start()].text, match.group(1) is not None):
                self._add("attribute", i, name, self.line[i].value)
            self.codes[i] = "A"
        for match in re.finditer(rf"O(?=([nfk]*[,:]?[VIfbikD]*)(C)(?:&C)?{_LAST})", self._code()):
            i = match.start(2)
            if self.codes[i] == "C":
                self._add("attribute", i, self.line[match.start()].value, self.line[i].value)
                self.codes[i] = "A"

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

    def _relations(self, mentions: list[int]) -> None:
        sides: list[tuple[int, str]] = []
        for i, code in enumerate(self.codes):
            token = self.line[i]
            if code == "R":
                if self._related(i, mentions):
                    continue
                if re.match(r"[DPA]*n", self._code()[i + 1 :]) or i + 1 == len(self.codes):
                    sides.append((i, token.value))
            elif code == "L" or (
                code == "n" and i and self.codes[i - 1] == "O" and token.text in ("left", "right")
            ):
                sides.append((i, token.value))
            elif code == "o" and token.text in _ATOP and (m := re.match(r"[DACQ]*O", self._code()[i + 1 :])):
                below = i + m.end()
                above = [j for j in mentions if j < i and not re.search("[,;:]", self._code()[j:i])]
                # "a wolf on a hill" says less than "a cat on a car"; of guesses nothing is concluded.
                if above and self.line[above[-1]].sure and self.line[below].sure:
                    self._relate(i, self.line[above[-1]].value, "above", self.line[below].value)
        if sides:
            self._sided(sides, mentions)

    def _relate(self, at: int, a: str, where: str, b: str) -> None:
        if a != b:
            self._add("relation", at, a, where, b)

    def _segment(self, i: int) -> int:
        """Where the stretch between marks or "and" that holds token `i` begins."""
        return max((j + 1 for j in range(i) if self.codes[j] in ",;:&"), default=0)

    def _related(self, i: int, mentions: list[int]) -> bool:
        code, where = self._code(), self.line[i].value
        name = [t.value for t in self.line]
        before = [j for j in mentions if j < i]
        mine = [j for j in before if j >= self._segment(i)]
        earlier = [name[j] for j in before] or self.seen
        target = re.match(r"[DPACQNfMV]*(O)", code[i + 1 :])
        if pronoun := re.match(r"(?:I|D(?=[,;]|$))", code[i + 1 :]):
            after = re.match(r"[V,f]*[DPACQNW]*(O)", code[i + 1 + pronoun.end() :])
            if mine:
                others = [n for n in earlier if n != name[mine[-1]]] or [
                    n for n in self.seen if n != name[mine[-1]]
                ]
                if others:
                    self._relate(i, name[mine[-1]], where, others[-1])
                return bool(others)
            if after and earlier:
                self._relate(i, name[i + 1 + pronoun.end() + after.start(1)], where, earlier[-1])
                return True
            return False
        if not target:
            return False
        b = i + 1 + target.start(1)
        follows = re.match(r"([,Vf]*)[DPACQNW]*(O)", code[b + 1 :])
        pronoun_subject = "I" in code[self._segment(i) : i]
        if mine:
            self._relate(i, name[mine[-1]], where, name[b])
        elif follows and (("," not in follows.group(1)) or not before) and not pronoun_subject:
            self._relate(i, name[b + 1 + follows.start(2)], where, name[b])
        elif [n for n in earlier if n != name[b]]:
            self._relate(i, [n for n in earlier if n != name[b]][-1], where, name[b])
        return True

    def _sided(self, sides: list[tuple[int, str]], mentions: list[int]) -> None:
        bound: dict[str, tuple[int, str]] = {}
        taken = -1
        for i, where in sides:
            start = max(self._segment(i), taken)
            inside = [j for j in mentions if start <= j < i]
            after = [j for j in mentions if j > i]
            if inside:
                bound.setdefault(self.line[inside[-1]].value, (i, where))
            elif after and re.match(r"[,:VfDPACQNWrI]*O", self._code()[i + 1 :]):
                bound.setdefault(self.line[after[0]].value, (i, where))
            elif "I" in self.codes[start:i] and self.seen:
                bound.setdefault(self.seen[-1], (i, where))
            taken = i
        names = list(dict.fromkeys(self.line[j].value for j in mentions))
        if len(names) < 2:
            names = list(dict.fromkeys([*self.seen, *names]))
        if len(names) > 2 and len(bound) == 2:
            names = list(bound)
        opposite = {"left": "right", "right": "left", "above": "below", "below": "above"}
        said: list[tuple[str, str]] = []
        for name, (i, where) in bound.items():
            others = [n for n in names if n != name]
            if len(others) != 1:
                self._add("other", i, value=f"{name} {self.line[i].text}")
            elif (others[0], opposite[where]) not in said:
                self._relate(i, name, where, others[0])
                said.append((name, where))

    def _moods(self) -> None:
        code = self._code()
        for match in re.finditer(r"(?:M[feADP]*)?(Q)(?:&Q)*M?|Me(W|n)|(W)M|M(?:f|A)*(W)$", code):
            if match.group(3) and code[match.start() - 1 : match.start()] not in ("D", "A"):
                continue
            for i in range(*match.span()):
                if code[i] == "Q":
                    self._add("other", i, value=self.line[i].text)
            if any(match.group(g) for g in (2, 3, 4)):
                self._add(
                    "other",
                    match.start(),
                    value=" ".join(t.text for t in self.line[slice(*match.span())]),
                    sure=False,
                )

    def _nice_to_have(self, first: int) -> None:
        for i, token in enumerate(self.line):
            if token.code not in "Yy":
                continue
            code = "".join("," if t.code in ",;:" else "x" for t in self.line)
            end = code.find(",", i)
            start = code.rfind(",", 0, i) + 1
            within = range(first, len(self.found))
            if token.code == "Y":
                chosen = [n for n in within if i < self.found[n].at < (end if end >= 0 else len(code))]
            else:
                inside = [self.found[n].at for n in within if start <= self.found[n].at < i]
                if not inside:
                    start = code.rfind(",", 0, max(start - 1, 0)) + 1
                    inside = [self.found[n].at for n in within if start <= self.found[n].at < i]
                    chosen = [n for n in within if self.found[n].at in inside]
                else:
                    chosen = [n for n in within if self.found[n].at == max(inside)]
            for n in chosen:
                self.found[n] = replace(self.found[n], must=False)


_ATOP = {"on", "upon", "sitting on", "standing on", "placed on", "onto"}
_NOT_ABSENT = frozenset(ENGLISH["not_absent"])
_C = r"C(?:,?&C)*"
_LAST = r"(?!k?[ACQ]*[OWB])"  # the colour belongs to nothing that follows it
_BACKGROUNDS = (
    rf"(?:[owih]|R)?[DPAQ]*({_C})[AQ]?k?[AQ]?B",
    rf"[DP]?Bk?[VDAikef:fQb]*({_C})k?(?![ACQ]*O)",
    rf"k?e?[DP]?B[,]({_C})(?=[,;]|$)",
    rf"(?:[ow]|w)[DPAQ]*({_C})h",
    rf"({_C})h",
    rf"o[DPAQb]*({_C})(?![ACQ]*[OWnB])",
    rf"V?o[DPAQ]*({_C})(?=n)",
    r"(?:w[DPAQ]*)(W{1,2})K",
    r"o?[DP][AQ]*(W{1,2})B",
    r"^[AQ]*(W{1,2})B",
    r"B(?:V|:)+[DPAQ]*((?:W|O){1,2})",
)
