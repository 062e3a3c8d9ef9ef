"""Cases: a brief and what a picture must show to meet it; and a reader of sets of briefs that people wrote.

A set is a TSV file without a header, one brief a line: its text, a tab, and its wants separated by "; ". Its name is
the file's stem. Names of objects are those of the range, in the singular.

| want                     | meaning                                                                        |
| ------------------------ | ------------------------------------------------------------------------------ |
| cat                      | shows at least one                                                             |
| 3 cat                    | shows exactly so many                                                          |
| cat is red               | every one of them is                                                           |
| cat left of dog          | also: right of, above, below                                                   |
| background pink          |                                                                                |
| style cartoon            |                                                                                |
| no dog                   | must not show; the brief says so                                               |
| ~dog                     | must not show; the brief only mentions it                                      |
| ?dog                     | may show; all that begins with "?" is optional, and what names no object is    |
|                          | left out, like "?other cute"                                                   |
| PERSON: in the park      | beyond every model: no picture may be accepted without a person                |
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from models.mini.dataset.scene import Fact
from models.mini.dataset.vocabulary import BY_NAME, STYLES
from models.palette import COLOURS

BRIEFS = Path(__file__).parent / "briefs"  # the sets that belong to the suite
_RELATION = re.compile(r"(.+) (left of|right of|above|below) (.+)")


class SetError(Exception):
    """A set cannot be read. The message names file and line and says what is expected."""


@dataclass(frozen=True, slots=True)
class Case:
    """A brief, and the facts that a picture must show.

    `kind`: the suite's kind or the set's name; `held_out`: whether it holds a combination that no training saw;
    `optional`: objects that may show as well; `person`: what only a person can accept; `closed`: whether the facts are
    all that may show, and not only all that is known."""

    kind: str
    text: str
    facts: tuple[Fact, ...]
    held_out: bool = False
    optional: frozenset[str] = frozenset()
    person: tuple[str, ...] = ()
    closed: bool = True


def read_sets(folder: Path, loose: bool = False, ruled_out: Collection[str] = ()) -> list[Case]:
    """The cases of every set in a folder, set by set in the order of their names.

    `loose`: a line may lack its wants, so that what its picture should show is not known, and a want of another form
    needs a person. `ruled_out`: names of sets whose wants are objects that must not show. Raises SetError."""
    files = sorted(folder.glob("*.tsv"))
    if not files:
        raise SetError(f"{folder} holds no sets: expected files that end in .tsv")
    return [case for file in files for case in read_set(file, loose, file.stem in ruled_out)]


def read_set(file: Path, loose: bool = False, ruled_out: bool = False) -> list[Case]:
    """The cases of one set, as in `read_sets`."""
    cases = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        text, *columns = line.split("\t")
        try:
            if len(columns) > 1 or not (columns or loose):
                raise SetError(f"expected one tab, found {len(columns)}")
            cases.append(_case(file.stem, text.strip(), columns[0] if columns else "", loose, ruled_out))
        except SetError as error:
            raise SetError(f"{file}, line {number}: {error}") from None
    return cases


def _case(kind: str, text: str, column: str, loose: bool, ruled_out: bool) -> Case:
    facts, optional, person = [], set[str](), []
    wants = [want.strip() for want in column.split(";") if want.strip()]
    for want in wants:
        if want.startswith("PERSON:"):
            person.append(want.removeprefix("PERSON:").strip())
        elif want.startswith("?"):
            optional |= _names(want.removeprefix("?").strip())
        else:
            try:
                facts.append(fact_of(f"~{want}" if ruled_out else want))
            except SetError:
                if not loose:
                    raise
                person.append(want)
    if not (text and (wants or loose)):
        raise SetError("expected a brief and at least one want")
    if not loose:
        _check(facts)
    return Case(
        kind, text, tuple(facts), optional=frozenset(optional), person=tuple(person),
        closed=bool(wants) and not ruled_out,
    )  # fmt: skip


def fact_of(want: str) -> Fact:
    """The fact that a want names. Raises SetError for another form, or for a name that is not in the range."""
    first, _, rest = want.partition(" ")
    if first == "no":
        return Fact("absence", rest)  # of anything: what is no drawing of the range is unclear
    if want.startswith("~"):
        return Fact("absence", _known(want.removeprefix("~"), BY_NAME, "object"))
    if first == "background":
        return Fact("background", value=_known(rest, COLOURS, "colour"))
    if first == "style":
        return Fact("style", value=_known(rest, STYLES, "style"))
    if first.isdecimal():
        return Fact("count", _known(rest, BY_NAME, "object"), str(int(first)))
    if found := _RELATION.fullmatch(want):
        one, where, other = found.groups()
        return Fact(
            "relation",
            _known(one, BY_NAME, "object"),
            where.removesuffix(" of"),
            _known(other, BY_NAME, "object"),
        )
    if " is " in want:
        subject, _, colour = want.partition(" is ")
        return Fact("attribute", _known(subject, BY_NAME, "object"), _known(colour, COLOURS, "colour"))
    return Fact("object", _known(want, BY_NAME, "object"))


def _known(name: str, names: Collection[str], what: str) -> str:
    if name not in names:
        raise SetError(f"{name!r} is no {what} of the range, and no other want")
    return name


def _names(want: str) -> set[str]:
    """The objects that an optional want names; none if it has another form."""
    try:
        fact = fact_of(want)
    except SetError:
        return set()
    return set() if fact.kind == "absence" else {fact.subject, fact.other} - {""}


def _check(facts: Collection[Fact]) -> None:
    """Raises SetError if facts contradict each other, or if one is about an object that nothing asks for."""
    shown = {fact.subject for fact in facts if fact.kind in ("object", "count")}
    for fact in facts:
        if fact.kind in ("attribute", "relation") and (missing := {fact.subject, fact.other} - {""} - shown):
            raise SetError(f"a want is about {sorted(missing)}, which no want asks for")
        if fact.kind == "absence" and fact.subject in shown:
            raise SetError(f"{fact.subject!r} must show and must not show")
