"""Hard limits in nested scopes: batch > brief > attempt. They are checked before a call; its cost is counted after it.

The cost of a call is charged to its attempt and to the scopes around it. A brief and its attempts are charged for kept
answers as for new ones, so that a brief that was interrupted, or is run again, ends as before. A batch is charged for
what is paid, so that kept answers leave it more.

Before an image is painted, every scope must have room for it: for its steps, which are known, and for its seconds,
joules and money, which are estimated from the images painted so far by the same painter. For the first image of a run
that estimate is zero; a time limit stops it while it is painted. For the first image of a larger painter it is that of
the usual one.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.brief import Limits
from pipeline.calls.record import Call, Paid

Name = Literal["batch", "brief", "attempt"]
Painter = int  # 0: the usual one of a preset; 1, 2, …: the larger ones

_OVER = {
    "images": "all {limit:,} images",
    "image_steps": "the {limit:,} image-steps",
    "seconds": "the {limit:g} seconds",
    "tokens": "the {limit:,} tokens",
    "joules": "the {limit:g} joules",
    "money": "the {limit:g} {currency}",
}


@dataclass
class Spend:
    """What a scope has used. `measured`: whether all of the joules were measured."""

    images: int = 0
    image_steps: int = 0
    tokens: int = 0
    joules: float = 0.0
    money: float = 0.0
    measured: bool = True

    def add_paid(self, call: Call) -> None:
        """Add what the model did, without kept answers."""
        self.images += call.painted
        self.image_steps += round(call.image_steps * call.painted / call.images) if call.images else 0
        self.tokens += call.tokens
        self.joules += call.joules
        self.money += call.money
        self.measured = self.measured and call.measured

    def add(self, call: Call) -> None:
        """Add what the call took, and what its kept answers took when they were made."""
        self.images += call.images
        self.image_steps += call.image_steps
        self.tokens += call.tokens_with_kept
        cost = call.with_kept
        self.joules += cost.joules
        self.money += cost.money
        self.measured = self.measured and call.measured

    def recall(self, paid: Paid) -> None:
        """Add what was paid for a run by earlier processes."""
        self.images += paid.images
        self.image_steps += paid.image_steps
        self.tokens += paid.tokens
        self.joules += paid.joules
        self.money += paid.money


@dataclass
class Pace:
    """The average cost of a denoising step of one painter so far, shared by all scopes of a batch."""

    steps: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    money: float = 0.0

    def add(self, call: Call) -> None:
        if call.image_steps:
            cost = call.with_kept
            self.steps += call.image_steps
            self.seconds += cost.seconds
            self.joules += cost.joules
            self.money += cost.money

    def expected(self, what: str, steps: int) -> float:
        """Seconds, joules or money that `steps` denoising steps are expected to take."""
        return float(getattr(self, what)) / self.steps * steps if self.steps else 0.0


@dataclass
class Budget:
    """One scope: its limits and what it has used. Its seconds are counted from when it was opened."""

    limits: Limits
    name: Name = "batch"
    parent: Budget | None = None
    currency: str = "EUR"
    used: Spend = field(default_factory=Spend)
    paces: dict[Painter, Pace] = field(default_factory=lambda: defaultdict(Pace))
    started: float = field(default_factory=time.monotonic)
    promised: dict[str, float] = field(default_factory=dict)  # reserved for calls that are not charged yet

    def open(self, name: Name, limits: Limits) -> Budget:
        """Open a scope inside this one."""
        return Budget(limits, name, self, self.currency, paces=self.paces)

    @property
    def seconds(self) -> float:
        """Seconds since the scope was opened."""
        return time.monotonic() - self.started

    @property
    def scopes(self) -> list[Budget]:
        """This scope and the scopes around it, from the inside out."""
        return [self, *(self.parent.scopes if self.parent else [])]

    def charge(self, calls: Sequence[Call], painter: Painter = 0) -> None:
        """Add the cost of calls to this scope and those around it. Charge each call once, to its innermost scope.
        `painter`: that made those which paint."""
        for call in calls:
            self.paces[painter].add(call)
            for scope in self.scopes:
                add = scope.used.add_paid if scope.name == "batch" else scope.used.add
                add(call)

    def promise(self, **amounts: float) -> None:
        """Reserve what a call will take, so that no other brief of the wave uses it."""
        for scope in self.scopes:
            for what, amount in amounts.items():
                scope.promised[what] = scope.promised.get(what, 0) + amount

    def settle(self) -> None:
        """Release all reservations, after the calls were charged."""
        for scope in self.scopes:
            scope.promised.clear()

    def expected(self, what: str, steps: int, painter: Painter = 0) -> float:
        """Seconds, joules or money that `steps` denoising steps of a painter are expected to take."""
        pace = self.paces[painter]
        return (pace if pace.steps else self.paces[0]).expected(what, steps)

    def room(self, images: int, steps: int, painter: Painter = 0) -> int:
        """How many images may be painted now, at most `images`, with `steps` denoising steps each."""
        for scope in self.scopes:
            for what in scope.limits.set:
                images = min(images, scope._room(what, steps, painter))
        return max(0, images)

    def lacks(self, steps: int, painter: Painter = 0) -> str | None:
        """The limit that does not allow another image of `steps` steps, in words; None if one is allowed."""
        for scope in self.scopes:
            for what in scope.limits.set:
                if scope._room(what, steps, painter) < 1:
                    return scope._why(what, steps)
        return None

    def lacks_tokens(self, tokens: int) -> str | None:
        """As `lacks`, for a text call of up to `tokens` tokens."""
        for scope in self.scopes:
            for what, limit in scope.limits.set.items():
                if what in ("images", "image_steps"):
                    continue
                wanted = tokens if what == "tokens" else 0
                if (left := limit - scope._taken(what)) < wanted or left <= 0:
                    return scope._why(what, 0, f"; a text call may take {tokens:,}" if wanted else "")
        return None

    @property
    def late(self) -> bool:
        """Whether the time limit of this scope, or of one around it, is over."""
        return any(s.limits.seconds is not None and s.seconds >= s.limits.seconds for s in self.scopes)

    def over_time(self) -> str | None:
        """The time limit that is over, in words; None if there is time left."""
        return next((s._why("seconds", 0) for s in self.scopes if s.limits.seconds and s.late), None)

    def _taken(self, what: str) -> float:
        """What is used or reserved of a limit."""
        used = self.seconds if what == "seconds" else float(getattr(self.used, what))
        return used + self.promised.get(what, 0)

    def _room(self, what: str, steps: int, painter: Painter) -> int:
        """How many images of `steps` steps one limit allows."""
        left = self.limits.set[what] - self._taken(what)
        if what == "tokens":  # painting uses none, but a brief without tokens left is at its end
            return 0 if left <= 0 else 2**31
        each = {"images": 1.0, "image_steps": float(steps)}.get(what) or self.expected(what, steps, painter)
        if left <= 0:
            return 0
        return int(left / each + 1e-9) if each else 2**31

    def _why(self, what: str, steps: int, more: str = "") -> str:
        limit = self.limits.set[what]
        all_of = _OVER[what].format(limit=limit, currency=self.currency)
        if limit - self._taken(what) <= 0:
            done = {"images": "are painted", "seconds": "are over"}.get(what, "are used")
            return f"{all_of} of the {self.name}'s budget {done}"
        if not more:
            more = (
                f"; another image takes {steps:,}"
                if what == "image_steps"
                else "; another image would go over it"
            )
        used = self._taken(what)
        return f"{all_of} of the {self.name}'s budget leave no room ({used:,.3g} used{more})"
