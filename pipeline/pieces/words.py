"""The words of a piece, written from the requirements by a fixed rule: what the picture shows, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from models.english import article, phrase, plural, related
from pipeline.brief import Record, Requirement
from pipeline.files import slug
from pipeline.pieces.record import Picture

_DRAWN = {"photo": "Photographed", "sketch": "Sketched", "watercolour": "Painted in watercolour"}
OWN_GROUND = "ground"  # the id of a background that is there to be cut out, and of which nothing is said
_ARTICLE = re.compile(r"^(?:an?|one) ")


class Facts(Record):
    """What may be said: the brief, and what the picture shows. `ground` and `style` are those of the brief, or those
    that the seed chose."""

    brief: str
    wants: tuple[Requirement, ...]
    ground: str = ""
    style: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The things in the picture, in the singular."""
        return tuple(dict.fromkeys(r.subject for r in self.wants if r.kind in ("object", "count")))

    @property
    def absent(self) -> tuple[str, ...]:
        return tuple(r.subject for r in self.wants if r.kind == "absence")

    @property
    def counts(self) -> dict[str, int]:
        return {r.subject: int(r.value) for r in self.wants if r.kind == "count" and r.value.isdigit()}

    @property
    def looks(self) -> dict[str, str]:
        found: dict[str, list[str]] = {}
        for r in self.wants:
            if r.kind == "attribute":
                found.setdefault(r.subject, []).append(r.value)
        return {name: " and ".join(values) for name, values in found.items()}


def facts_of(brief: str, picture: Picture) -> Facts:
    """What may be said of a picture for a brief."""
    wants = tuple(r for r in picture.requirements if r.id != OWN_GROUND)
    said = {r.kind: r.value for r in wants if r.kind in ("background", "style")}
    ground = re.search(r"([\w ]+) background", picture.chosen)
    style = re.search(r"([\w ]+) style", picture.chosen)
    return Facts(
        brief=brief,
        wants=wants,
        ground=said.get("background") or (ground[1].strip() if ground else ""),
        style=said.get("style") or (style[1].strip() if style else ""),
    )


def sentence(text: str) -> str:
    """With a capital at its start."""
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def _things(facts: Facts, looks: bool = True, articles: bool = False) -> str:
    found = [
        phrase(name, facts.counts.get(name, 1), facts.looks.get(name) if looks else None)
        for name in facts.names
    ]
    return listed(found if articles else [_ARTICLE.sub("", one) for one in found])


def _headline(facts: Facts) -> list[str]:
    bare = [plural(name) if facts.counts.get(name, 1) > 1 else name for name in facts.names]
    shorter = [_things(facts), _things(facts, looks=False), listed(bare), *bare]
    # Without a thing, as where the picture is a pattern, the first words of the brief.
    return [sentence(text) for text in shorter if text] or [sentence(" ".join(facts.brief.split()[:6]))]


def _body(facts: Facts) -> list[str]:
    drawn = _DRAWN.get(facts.style, f"Drawn in {facts.style} style" if facts.style else "")
    ground = f"on {article(f'{facts.ground} background')}" if facts.ground else ""
    how = sentence(f"{drawn} {ground}".strip()) + "." if drawn or ground else ""
    places = [_place(facts, r) for r in facts.wants if r.kind == "relation"]
    variants = [" ".join((*places, how)).strip(), how, f"{drawn}." if drawn else "", ""]
    return list(dict.fromkeys(variants))


def _place(facts: Facts, r: Requirement) -> str:
    """Where a thing is, as a sentence: "The apples are above the banana." """
    many = facts.counts.get(r.subject, 1) > 1
    subject = f"the {plural(r.subject)} are" if many else f"the {r.subject} is"
    other = plural(r.other) if facts.counts.get(r.other, 1) > 1 else r.other
    return sentence(related(subject, r.value, f"the {other}")) + "."


def _alt(facts: Facts) -> list[str]:
    things = _things(facts, articles=True) or facts.brief
    ground = f" on {article(f'{facts.ground} background')}" if facts.ground else ""
    style = f", {facts.style} style" if facts.style else ""
    return [sentence(text) for text in (things + ground + style, things + ground, things)]


def _file_name(facts: Facts) -> list[str]:
    return [slug(text) for text in (*_headline(facts), "picture")]


# For each field, its wordings, the fullest first.
WORDINGS: dict[str, Callable[[Facts], list[str]]] = {
    "headline": _headline,
    "body": _body,
    "alt": _alt,
    "file_name": _file_name,
}
