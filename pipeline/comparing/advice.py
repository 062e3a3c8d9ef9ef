"""One sentence that recommends a variant, with its uncertainty."""

from __future__ import annotations

from pipeline.comparing import paired
from pipeline.comparing.comparison import MARGIN, Comparison
from pipeline.comparing.paired import Difference, Interval

_WORD = {"seconds": "model time", "money": "cost"}


def advice(made: Comparison) -> str:
    """The cheapest variant that does as well as the one with the most good pictures, as far as these briefs show;
    otherwise that one."""
    briefs = len(made.ended)
    if not briefs:
        return "No brief was ended by every variant yet; run the same command again to continue."
    if not any(one.count for one in made.standings):
        return f"No variant made a good picture of these {briefs} briefs."
    best = max(
        (one for one in made.standings if one.count), key=lambda one: (one.count, -one.each[made.cost])
    )
    at = made.standings.index(best)
    cheaper = [
        (i, one)
        for i, one in enumerate(made.standings)
        if one.count and i != at and one.each[made.cost] < best.each[made.cost]
    ]
    cheaper.sort(key=lambda pair: pair[1].each[made.cost])
    for i, one in cheaper:
        lost, times = _against(made, at, i)
        if lost.low >= -MARGIN:
            return f"Take {one.name}: {_than(lost, times, made, best.name)}"
    best_words = f"Take {best.name}: {best.count} of {briefs} briefs got a good picture"
    if not cheaper:
        return f"{best_words}, and no other variant is cheaper."
    lost, times = _against(made, at, cheaper[-1][0])
    nearest = f"{cheaper[-1][1].name} is cheaper, but not shown to do as well: {_than(lost, times, made, best.name)}"
    more = " More briefs would narrow this." if lost.high >= -MARGIN else ""
    return f"{best_words}. {nearest}{more}"


def _against(made: Comparison, first: int, other: int) -> tuple[Difference, Interval]:
    one, two = ([line.results[i] for line in made.ended] for i in (first, other))
    good = [[result.good for result in side] for side in (one, two)]
    cost = [[float(getattr(result.needed, made.cost)) for result in side] for side in (one, two)]
    return paired.difference(*good), paired.ratio(cost[0], good[0], cost[1], good[1])


def _than(lost: Difference, times: Interval, made: Comparison, best: str) -> str:
    """ "4 % fewer good pictures than mini (0 to 9), at 0.14 of the model time for each (0.12 to 0.17)." """
    return f"{fewer(lost)} than {best}, at {multiple(times)} of the {_WORD[made.cost]} for each."


def fewer(lost: Difference) -> str:
    """A difference of shares in words, with its interval: "4 % fewer good pictures (9 % fewer to 1 % more)"."""
    if not round(100 * lost.value):
        words = "as many good pictures"
    else:
        words = f"{abs(lost.value):.0%} {'fewer' if lost.value < 0 else 'more'} good pictures".replace(
            "%", " %"
        )
    return f"{words} ({_side(lost.low)} to {_side(lost.high)})"


def _side(value: float) -> str:
    percent = round(100 * value)
    return "0 %" if not percent else f"{abs(percent)} % {'fewer' if percent < 0 else 'more'}"


def points(lost: Difference) -> str:
    """A difference of shares in points of 100, with its interval: "−4 (−9 to 1)"."""
    value, low, high = (f"{100 * part:.0f}".replace("-", "−") for part in (lost.value, lost.low, lost.high))
    return f"{value} ({low} to {high})".replace("−0 ", "0 ").replace("−0)", "0)")


def multiple(times: Interval) -> str:
    """A ratio with its interval: "0.14 (0.12 to 0.17)"."""
    if times.value is None:
        return "an unknown share"
    low = "?" if times.low is None else f"{times.low:.2g}"
    high = "?" if times.high is None else f"{times.high:.2g}"
    return f"{times.value:.2g} ({low} to {high})"


def percent(share: Interval) -> str:
    """ "93 % (85–97)"; a dash where there is nothing to count."""
    if share.value is None or share.low is None or share.high is None:
        return "–"
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f}–{100 * share.high:.0f})"
