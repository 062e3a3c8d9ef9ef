"""Which object goes where: "a left of b", "on the left a, on the right b", "b with a above it"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.reading.finding import Found
from pipeline.reading.lexicon import Token

_ATOP = frozenset(("on", "upon", "sitting on", "standing on", "placed on", "onto"))
_OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


class Placing:
    """The relations of one sentence, in `found`.

    `code` holds the sentence's token codes as the other rules left them, `mentions` where its objects stand,
    `seen` the objects of the brief so far. `waiting` keeps, from sentence to sentence, objects on a side of
    something not yet named; those that this sentence settles are in `settled`.
    """

    def __init__(
        self,
        line: Sequence[Token],
        code: str,
        mentions: Sequence[int],
        seen: Sequence[str],
        waiting: dict[str, Found],
    ) -> None:
        self.line, self.code, self.mentions, self.seen, self.waiting = line, code, mentions, seen, waiting
        self.found: list[Found] = []
        self.settled: list[Found] = []
        sides: list[tuple[int, str]] = []
        for i, kind in enumerate(self.code):
            token = self.line[i]
            if kind == "R":
                if self._related(i):
                    continue
                if re.match(r"[DPA]*n|[,;&]|$", self.code[i + 1 :]):
                    sides.append((i, token.value))
            elif kind == "L" or (
                kind == "n" and i and self.code[i - 1] == "O" and token.text in ("left", "right")
            ):
                sides.append((i, token.value))
            elif kind == "o" and token.text in _ATOP and (m := re.match(r"[DACQZ]*O", self.code[i + 1 :])):
                below = i + m.end()
                above = [j for j in self.mentions if j < i and not re.search("[,;:]", self.code[j:i])]
                # "a wolf on a hill" says less than "a cat on a car"; of guesses nothing is concluded.
                if above and self.line[above[-1]].sure and self.line[below].sure:
                    self._relate(i, self.line[above[-1]].value, "above", self.line[below].value)
        if sides:
            self._sided(sides)

    def _relate(self, at: int, a: str, where: str, b: str) -> None:
        if a != b:
            self.found.append(Found("relation", a, where, b, at))

    def _neighbours(self, i: int) -> tuple[str, str] | None:
        """The pair in "a cat next to a dog, on its left", where token `i` is the side."""
        pair = re.search(r"(O)t[DPACQZN]*(O),$", self.code[:i])
        more = re.match(r"[:VfDPACQZNW]*O", self.code[i + 1 :])
        return (self.line[pair.start(1)].value, self.line[pair.start(2)].value) if pair and not more else None

    def _segment(self, i: int) -> int:
        """Where the stretch between marks or "and" that holds token `i` begins."""
        return max((j + 1 for j in range(i) if self.code[j] in ",;:&"), default=0)

    def _related(self, i: int) -> bool:
        code, where = self.code, self.line[i].value
        name = [t.value for t in self.line]
        before = [j for j in self.mentions if j < i]
        mine = [j for j in before if j >= self._segment(i)]
        earlier = [name[j] for j in before] or self.seen
        target = re.match(r"[DPACQZNfMV]*(O)", code[i + 1 :])
        if pronoun := re.match(r"(?:I|D(?=[,;]|$))", code[i + 1 :]):
            if pair := self._neighbours(i):
                self._relate(i, pair[0], where, pair[1])
                return True
            after = re.match(r"[V,f]*[DPACQZNW]*(O)", code[i + 1 + pronoun.end() :])
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
        follows = re.match(r"([,Vf]*)[DPACQZNW]*(O)", code[b + 1 :])
        pronoun_subject = "I" in code[self._segment(i) : i]
        if mine:
            self._relate(i, name[mine[-1]], where, name[b])
        elif follows and (("," not in follows.group(1)) or not before) and not pronoun_subject:
            self._relate(i, name[b + 1 + follows.start(2)], where, name[b])
        elif [n for n in earlier if n != name[b]]:
            self._relate(i, [n for n in earlier if n != name[b]][-1], where, name[b])
        return True

    def _sided(self, sides: list[tuple[int, str]]) -> None:
        bound: dict[str, tuple[int, str]] = {}
        taken = -1
        for i, where in sides:
            if pair := self._neighbours(i):
                self._relate(i, pair[0], where, pair[1])
                continue
            start = max(self._segment(i), taken)
            inside = [j for j in self.mentions if start <= j < i]
            after = [j for j in self.mentions if j > i]
            if inside:
                bound.setdefault(self.line[inside[-1]].value, (i, where))
            elif after and re.match(r"[,:VfDPACQZNWrI]*O", self.code[i + 1 :]):
                bound.setdefault(self.line[after[0]].value, (i, where))
            elif "I" in self.code[start:i] and self.seen:
                bound.setdefault(self.seen[-1], (i, where))
            taken = i
        names = list(dict.fromkeys(self.line[j].value for j in self.mentions))
        if len(names) < 2:
            names = list(dict.fromkeys([*self.seen, *names]))
        if len(names) > 2 and len(bound) == 2:
            names = list(bound)
        said: list[tuple[str, str]] = []
        for name, (i, where) in bound.items():
            others = [n for n in names if n != name]
            if len(others) != 1:
                self.found.append(Found("other", value=f"{name} {self.line[i].text}", at=i))
                self.waiting[name] = self.found[-1]
            elif (others[0], _OPPOSITE[where]) not in said:
                self._relate(i, name, where, others[0])
                said.append((name, where))
                # "A turtle on the left. A snail on the right.": now the first is told too.
                if others[0] in self.waiting:
                    self.settled.append(self.waiting.pop(others[0]))
