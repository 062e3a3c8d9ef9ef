"""Which band, if any, decides a check: the preset's own, one that was learned, or none: then it is unmeasured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config import Band, Judge, bands
from pipeline.judging.basis import Basis
from pipeline.judging.learned import Learned, all_missing, refuted


@dataclass(frozen=True, slots=True)
class Measure:
    """The band of a check, None where it is unmeasured, and how many decisions it lacks before it may pass."""

    basis: Basis
    band: Band | None = None
    missing: int = 0


@dataclass(frozen=True)
class Bands:
    """All bands of a preset's judge. `own`: those that the preset brings along, by kind of check; `learned`: those of
    people's decisions and of its own measurement, by key of their basis."""

    rules: Judge = field(default_factory=Judge)
    own: Mapping[str, Sequence[Band]] = field(default_factory=dict)
    learned: Mapping[str, Learned] = field(default_factory=dict)

    def measure(self, basis: Basis, as_named: bool, part: bool = False) -> Measure:
        """The band for a basis: the one that the preset brings along for its kind, if it was measured on truth or is
        the owner's word; else what was learned; else what the preset brings along otherwise, unless people's decisions
        show that it passes too much.

        `as_named`: whether judges and painter have the weights that the preset names; a fallback with others is
        unmeasured until people have decided on its pictures. `part`: whether only the first judges of the route were
        asked. A measured band that names no judges holds for all of them together only; the owner's word for any."""
        word = basis.kind in self.rules.kinds
        named = [band for band in self.own.get(basis.kind, ()) if band.judges or word or not part]
        brought = (*named, *((self.rules.default,) if self.rules.default else ()))
        own = next((band for band in brought if _holds(band, basis, as_named)), None)
        learned = self.learned.get(basis.key)
        if own is not None and own.source == "measured" and own is not self.rules.default:
            return Measure(basis, own)
        if learned is not None and learned.band.pass_ is not None:
            return Measure(basis, learned.band)
        if own is not None and not (learned and refuted(own, learned.people, self.rules)):
            lacks = own.source != "measured" and own.pass_ is None
            return Measure(basis, own, all_missing(self.rules) if lacks else 0)
        if learned is not None:
            return Measure(basis, learned.band, learned.missing)
        return Measure(basis, None, all_missing(self.rules))


def load_bands(rules: Judge, base: Path, learned: Mapping[str, Learned] | None = None) -> Bands:
    """The bands of a preset. `base`: its folder. Raises ConfigError if a file of measured bands cannot be read."""
    return Bands(rules, bands(rules, base), learned or {})


def _holds(band: Band, basis: Basis, as_named: bool) -> bool:
    """Whether a band of the preset holds for a basis: by the models it was measured with, where it names them. One of
    several judges together says nothing about each of them alone."""
    if not (band.judges or band.painter or band.wording):
        return as_named
    return (
        (not band.judges or set(basis.judges) == set(band.judges))
        and band.painter in ("", basis.painter)
        and band.wording in ("", basis.wording)
    )
