"""Programs made at random: what they do as plain data, and what they must return.

A program is a list of steps, each a list of its name and its details. Inputs are few, so that equal calls are many.
"""

from __future__ import annotations

import random
from typing import Any

Step = list[Any]
Body = list[Step]

#: Tasks that a step may call, asynchronous and synchronous, certain and flaky.
LEAVES = ("leaf", "quick", "thread", "flaky")
#: Those that a thread may call and wait for.
BLOCKING = ("thread", "quick")
WAYS = ("gather", "group", "wait", "created", "limited")
LARGEST = 3


def leaf_value(x: int) -> int:
    """Give what a leaf returns beside its token."""
    return 3 * x + 1


class Maker:
    """Makes one program."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(seed)

    def program(self) -> Body:
        """Give the steps of the first task."""
        return [self._step(3) for _ in range(self._dice.randint(2, 5))]

    def _body(self, depth: int, *, alone: bool = False) -> Body:
        return [self._step(depth - 1, alone=alone) for _ in range(self._dice.randint(1, 3))]

    def _blocking_body(self, depth: int) -> Body:
        return [self._blocking_step(depth - 1) for _ in range(self._dice.randint(1, 3))]

    def _x(self) -> int:
        return self._dice.randint(0, 2)

    def _call(self) -> Step:
        return ["call", self._dice.choice(LEAVES), self._x()]

    def _xs(self) -> list[int]:
        return [self._x() for _ in range(self._dice.randint(1, LARGEST))]

    def _step(self, depth: int, *, alone: bool = False) -> Step:
        """Make a step; one that is alone starts no helpers, which a loop of the program's own could not tell apart."""
        flat = ["call", "call", "gather", "map", "trace", "fails", "completed"]
        deep = ["node", "loop", "odd", "unstable", "broken", "blocking", "own loop", *([] if alone else ["side"] * 2)]
        kind = self._dice.choice(flat + deep if depth > 0 else flat)
        match kind:
            case "call":
                return self._call()
            case "gather":
                return ["gather", [self._call() for _ in range(self._dice.randint(2, 4))]]
            case "map":
                return ["map", self._dice.choice(LEAVES), self._xs()]
            case "trace" | "fails":
                return [kind, self._x()]
            case "completed":
                return ["completed", [self._call() for _ in range(self._dice.randint(2, 4))], self._x()]
            case "side":
                return ["side", self._dice.choice(WAYS), self._helpers(depth)]
            case "loop":
                return ["loop", self._dice.randint(2, 3), self._body(depth, alone=alone)]
            case "odd":
                return ["odd", self._call(), self._body(depth, alone=alone), self._body(depth, alone=alone)]
            case "blocking":
                return ["blocking", self._blocking_body(depth)]
            case _:
                return [kind, self._body(depth, alone=kind == "own loop")]

    def _blocking_step(self, depth: int) -> Step:
        flat = ["call", "map", "trace", "fails"]
        kind = self._dice.choice([*flat, "loop", "odd", "blocking"] if depth > 0 else flat)
        match kind:
            case "call":
                return ["call", self._dice.choice(BLOCKING), self._x()]
            case "map":
                return ["map", self._dice.choice(LEAVES), self._xs()]
            case "loop":
                return ["loop", self._dice.randint(2, 3), self._blocking_body(depth)]
            case "odd":
                call = ["call", self._dice.choice(BLOCKING), self._x()]
                return ["odd", call, self._blocking_body(depth), self._blocking_body(depth)]
            case "blocking":
                return ["blocking", self._blocking_body(depth)]
            case _:
                return [kind, self._x()]

    def _helpers(self, depth: int) -> list[Body]:
        """Give the bodies of helpers that run side by side; some do the same."""
        bodies = [self._body(depth) for _ in range(self._dice.randint(1, 2))]
        return [self._dice.choice(bodies) for _ in range(self._dice.randint(2, 3))]


def expected(body: Body) -> int:
    """Give what a program must return: values of branches that hang on tokens do not count."""
    return sum(map(_step_value, body))


def _step_value(step: Step) -> int:
    match step:
        case ["call", _, x] | ["trace", x]:
            return leaf_value(x)
        case ["fails", x]:
            return -x
        case ["gather", calls]:
            return expected(calls)
        case ["completed", calls, x]:
            return expected(calls) + len(calls) * leaf_value(x)
        case ["map", _, xs]:
            return sum(map(leaf_value, xs))
        case ["side", _, bodies]:
            return sum(map(expected, bodies))
        case ["loop", times, inner]:
            return times * expected(inner)
        case ["odd", call, _, _]:
            return expected([call])
        case ["broken", _]:
            return -1
        case [_, inner]:
            return expected(inner)
    raise ValueError(step)
