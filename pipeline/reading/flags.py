"""Flags on requirements, set before anything is painted: they contradict each other, no model can check them, or the
image model cannot draw them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence

from models.english import OPPOSITE, number
from pipeline.brief import BEYOND_THINGS, KINDS, Flag, Kind, Requirement
from pipeline.range import Range, draws_anything
from pipeline.reading.finding import LANGUAGE, NOT_UNDERSTOOD
from pipeline.size import parse, together


def flagged(
    requirements: Sequence[Requirement],
    drawable: Range | None = None,
    checked: Container[Kind] = KINDS,
) -> tuple[Requirement, ...]:
    """The requirements with `flag` and `note` set. `checked`: the kinds that are checked without a person. Where
    several flags apply, contradiction goes before uncheckable and both before outside."""
    notes: dict[str, tuple[Flag, str]] = {}
    _contradictions(requirements, drawable, notes)
    for want in requirements:
        if want.kind == "other" and want.subject == LANGUAGE:
            notes.setdefault(want.id, ("outside", "not understood: this reader knows English only"))
        elif want.kind == "other" and want.subject == NOT_UNDERSTOOD:
            notes.setdefault(want.id, ("uncheckable", "not understood; a person decides"))
        elif want.kind in BEYOND_THINGS and not draws_anything(drawable):
            notes.setdefault(want.id, ("outside", "the image model draws only things; a person decides"))
        elif want.kind == "other":
            notes.setdefault(want.id, ("uncheckable", "no model can check this; a person decides"))
        elif want.kind not in checked:
            notes.setdefault(
                want.id, ("uncheckable", "no judge of this preset can check this; a person decides")
            )
        elif want.kind == "absence" and drawable and not drawable.tells_absence(want.subject):
            notes.setdefault(
                want.id,
                ("uncheckable", f"no judge of this preset knows “{want.subject}”; a person decides"),
            )
        if why := _impossible(want, drawable):
            notes.setdefault(want.id, ("outside", why))
    if drawable is not None:
        kinds = list(dict.fromkeys(w.subject for w in requirements if w.kind in ("object", "count")))
        for want in requirements:
            if why := _why_outside(want, kinds, drawable):
                notes.setdefault(want.id, ("outside", why))
    marked = []
    for want in requirements:
        flag, note = notes.get(want.id, (None, ""))
        marked.append(want.model_copy(update={"flag": flag, "note": note}))
    return tuple(marked)


def _contradictions(
    wants: Sequence[Requirement], drawable: Range | None, notes: dict[str, tuple[Flag, str]]
) -> None:
    """Flag wants of which only one can hold. Two numbers of one thing exclude each other always; two colours, styles,
    backgrounds or palettes only where the range has them as alternatives: elsewhere a crown is red and gold, and a logo
    minimalist and vector."""
    known = drawable or Range()
    colours, styles = frozenset(known.colours or ()), frozenset(known.styles or ())
    grounds = colours if known.plain_backgrounds else frozenset()
    of_colour = [w for w in wants if w.kind == "attribute" and w.value in colours]
    palettes = [w for w in wants if w.kind == "technical" and w.subject == "palette" and w.value in colours]
    for group in (
        _by(of_colour, lambda w: w.subject),
        _by((w for w in wants if w.kind == "count"), lambda w: w.subject),
        _by((w for w in wants if w.kind == "background" and w.value in grounds), lambda w: "background"),
        _by((w for w in wants if w.kind == "style" and w.value in styles), lambda w: "style"),
        _by((w for w in wants if w.kind == "technical" and w.subject == "contrast"), lambda w: "contrast"),
        [palettes],
    ):
        for same in group:
            if len({w.value for w in same}) > 1:
                _clash(same, notes)
    sizes = [(w, size) for w in wants if w.kind == "technical" and (size := parse(w.value))]
    for i, (first, one) in enumerate(sizes):
        for second, two in sizes[i + 1 :]:
            if together(one, two) is None:
                _clash([first, second], notes)
    shown = {"object", "count", "attribute", "relation", "action"}
    for absent in (w for w in wants if w.kind == "absence"):
        against = [w for w in wants if w.kind in shown and absent.subject in (w.subject, w.other)]
        against = [w for w in against if w.kind in ("object", "count")] or against
        if against:
            _clash([absent, *against], notes)
    relations = [w for w in wants if w.kind == "relation"]
    for i, a in enumerate(relations):
        for b in relations[i + 1 :]:
            if {a.subject, a.other} != {b.subject, b.other}:
                continue
            b_from_a = b.value if a.subject == b.subject else OPPOSITE.get(b.value, b.value)
            if b_from_a == OPPOSITE.get(a.value) or (b_from_a != a.value and known.relations is not None):
                _clash([a, b], notes)


def _by(wants: Iterable[Requirement], key: Callable[[Requirement], str]) -> list[list[Requirement]]:
    groups: dict[str, list[Requirement]] = {}
    for want in wants:
        groups.setdefault(key(want), []).append(want)
    return list(groups.values())


def _clash(wants: Sequence[Requirement], notes: dict[str, tuple[Flag, str]]) -> None:
    """Note for each of the requirements that it contradicts the others."""
    for want in wants:
        others = " and ".join(f"“{w.text}”" for w in wants if w.id != want.id)
        notes.setdefault(want.id, ("contradiction", f"cannot hold together with {others}"))


def _impossible(want: Requirement, drawable: Range | None) -> str | None:
    """Why no picture can have the size that is wanted; None for a possible size and for other requirements."""
    size = parse(want.value) if want.kind == "technical" and want.subject == "size" else None
    if size is None:
        return None
    if drawable is not None and drawable.square and not size.squarable:
        return size.impossible or "the image model paints squares only"
    return size.impossible


def _why_outside(want: Requirement, kinds: Sequence[str], drawable: Range) -> str | None:
    """Why the image model cannot draw the requirement; None where it can. `kinds`: the different objects of the brief,
    in its order."""
    if want.kind in ("object", "count", "attribute", "relation"):
        for name in filter(None, (want.subject, want.other)):
            if note := _unknown(name, drawable.objects, "object", drawable):
                return note
    match want.kind:
        case "attribute":
            return _unknown(want.value, drawable.colours, "colour or look", drawable)
        case "background" if drawable.plain_backgrounds:
            return _unknown(want.value, drawable.colours, "background", drawable)
        case "style":
            return _unknown(want.value, drawable.styles, "style", drawable)
        case "relation" if drawable.relations is not None and want.value not in drawable.relations:
            return f"the image model knows only {', '.join(drawable.relations)}"
        case "object" | "count":
            return _too_many(want, kinds, drawable)
        case "absence":
            for name in kinds:
                if want.subject in drawable.parts.get(name, ()):
                    return f"the image model draws no {name} without {want.subject}"
    return None


def _unknown(word: str, known: Iterable[str] | None, what: str, drawable: Range) -> str | None:
    """The note that a word is not among the known ones, with the nearest of them; `known` None means any."""
    if known is None or word in known:
        return None
    near = drawable.nearest(word, known)
    return f"the image model has no {what} “{word}”" + (f"; the nearest it has is “{near}”" if near else "")


def _too_many(want: Requirement, kinds: Sequence[str], drawable: Range) -> str | None:
    """The note that there are too many of an object, or too many different objects."""
    count = int(want.value) if want.kind == "count" else 1
    if drawable.max_count is not None and count > drawable.max_count:
        return f"the image model draws at most {number(drawable.max_count)}"
    if drawable.counts_alone and count > 1 and len(kinds) > 1:
        return "the image model draws several of one object only where there is no other object"
    if drawable.max_kinds is not None and kinds.index(want.subject) >= drawable.max_kinds:
        return f"the image model draws at most {number(drawable.max_kinds)} different objects together"
    return None
