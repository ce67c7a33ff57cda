"""Hides secrets in what an attempt says: text, output as it comes, errors."""

from __future__ import annotations

import base64
import json
import re
from bisect import bisect_left

from laminar.data.serde import pickled
from laminar.data.serde.failures import describe, put_together

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from laminar.model.action import Failure

MASK = "***"
#: A shorter line or encoding is found in harmless text too often.
SHORTEST = 4
#: From how many bytes on the beginning of a secret is hidden, where output ends in it.
TELLING = 8
#: Characters in a line of base64, as programs break it.
WIDTHS = (64, 76)


class Redactor:
    """Replaces secrets by ``***``: the values, each line of those that have several, and what common encodings make of
    them: base64, hexadecimal, URLs, JSON, ``repr``.

    It hides what is written by accident. It cannot hide a value from code that means to give it away.
    """

    def __init__(self, values: Iterable[str]) -> None:
        """Prepare for some values.

        Args:
            values: The secrets; those of fewer than 4 characters are not replaced.
        """
        self.forms = sorted({form for value in values for form in _forms(value) if len(form) >= SHORTEST})
        self.longest = max(map(len, self.forms), default=0)
        self.heads = {form[:SHORTEST] for form in self.forms}
        self._pattern = re.compile(_alternatives(self.forms), re.DOTALL) if self.forms else None

    def __bool__(self) -> bool:
        """Tell whether there is anything to hide."""
        return bool(self.forms)

    def search(self, data: bytes, start: int) -> re.Match[bytes] | None:
        """Find the first form of a secret, the longest where several begin."""
        return self._pattern.search(data, start) if self._pattern is not None else None

    def finds(self, data: bytes) -> bool:
        """Tell whether bytes hold a secret in any form."""
        return self.search(data, 0) is not None

    def data(self, data: bytes) -> bytes:
        """Give bytes with every secret replaced."""
        return data if self._pattern is None else self._pattern.sub(MASK.encode(), data)

    def text(self, text: str) -> str:
        """Give text with every secret replaced."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def failure(self, failure: Failure) -> Failure:
        """Give a failure with every secret replaced. The exception itself is made again without them, or left out."""
        return failure.replace(
            type_name=self.text(failure.type_name),
            message=self.text(failure.message),
            traceback=self.text(failure.traceback),
            pickled=self._repickled(failure.pickled),
        )

    def _repickled(self, data: bytes | None) -> bytes | None:
        if data is None or not self.finds(data):
            return data
        try:
            again = describe(self._rebuilt(pickled.loads(data))).pickled
        except Exception:  # an exception of the user's that cannot be made again: its words must do
            return None
        return None if again is None or self.finds(again) else again

    def _rebuilt(self, error: BaseException) -> BaseException:
        state = {name: self.value(value) for name, value in vars(error).items()}
        if isinstance(error, BaseExceptionGroup):
            parts = [self._rebuilt(part) for part in error.exceptions]
            return put_together(type(error), (self.text(error.message), parts), state)
        args = error.__reduce__()[1]  # those of OSError have the name of the file, which its args have not
        again = put_together(type(error), self.value(args), state)
        again.args = self.value(error.args)
        return again

    def value(self, value: Any) -> Any:
        """Give a value with the text and bytes in it redacted, as deep as built-in containers go."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            return self.data(value)
        if type(value) in (tuple, list, set, frozenset):
            return type(value)(self.value(item) for item in value)
        if type(value) is dict:
            return {self.value(key): self.value(item) for key, item in value.items()}
        return value


class Stream:
    """Redacts output as it comes. What may be the beginning of a secret is held back until it is clear."""

    def __init__(self, redactor: Redactor) -> None:
        """Begin."""
        self._redactor = redactor
        self._held = b""

    def write(self, data: bytes) -> bytes:
        """Take output, and give what may be shown by now."""
        data = self._held + data
        shown, position = [], 0
        while True:
            match = self._redactor.search(data, position)
            hold = self._hold(data, position)
            if match is None or match.start() >= hold:
                break
            shown += [data[position : match.start()], MASK.encode()]
            position = match.end()
        self._held = data[hold:]
        return b"".join((*shown, data[position:hold]))

    def close(self) -> bytes:
        """Give what was held back: of a secret that is cut off, as where a task is stopped, only a short beginning."""
        held, self._held = self._held, b""
        return self._redactor.data(held) if len(held) < TELLING else MASK.encode()

    def _hold(self, data: bytes, position: int) -> int:
        """Find from where on all may be the beginning of something longer."""
        heads, forms = self._redactor.heads, self._redactor.forms
        for start in range(max(position, len(data) - self._redactor.longest + 1), len(data)):
            head = data[start : start + SHORTEST]
            if (len(head) < SHORTEST or head in heads) and _begins(forms, data[start:]):
                return start
        return len(data)


def _begins(forms: list[bytes], tail: bytes) -> bool:
    """Tell whether a form is longer than these bytes and begins with them."""
    place = bisect_left(forms, tail)
    if place < len(forms) and forms[place] == tail:
        place += 1
    return place < len(forms) and forms[place].startswith(tail)


def _forms(value: str) -> Iterator[bytes]:
    """Give the forms in which a value may appear."""
    for part in {value, *value.splitlines(), *map(str.strip, value.splitlines())}:
        data = part.encode("utf-8", "surrogatepass")
        if len(data) >= SHORTEST:
            yield from _escaped(part)
            yield from _as_base64(data)
            yield from (data.hex().encode(), data.hex().upper().encode())
            yield from _in_urls(data)


def _escaped(text: str) -> set[bytes]:
    """Give a text as JSON and ``repr`` show it, and as they show what they have shown."""
    forms = {text}
    for _ in range(2):
        for form in list(forms):
            inside = json.dumps(form)[1:-1]
            shown = repr(form.encode("utf-8", "surrogatepass"))[2:-1]
            forms |= {inside, inside.replace("/", "\\/"), json.dumps(form, ensure_ascii=False)[1:-1], shown}
            forms |= {repr(form)[1:-1], ascii(form)[1:-1], form.replace("'", "\\'")}
    return {form.encode("utf-8", "surrogatepass") for form in forms}


def _in_urls(data: bytes) -> Iterator[bytes]:
    from urllib.parse import quote, quote_plus  # 3 ms, and only who is given secrets needs it

    for form in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield form.encode()
        yield re.sub("%..", lambda found: found[0].lower(), form).encode()


def _as_base64(data: bytes) -> Iterator[bytes]:
    """Give what base64 makes of the bytes, alone and in the midst of others.

    A character stands for 6 bits, so what stands before shifts the bits in one of three ways. The characters that are
    made of these bytes alone are the same whatever stands around them.
    """
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data)
        yield from (alone, alone.rstrip(b"="))
        for shift in range(3):
            inside = encode(b"\0" * shift + data)[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
            yield inside
            for width in WIDTHS if not shift and len(inside) > min(WIDTHS) else ():
                yield from (inside[start : start + width] for start in range(0, len(inside), width))


def _alternatives(forms: list[bytes]) -> bytes:
    """Write an expression that finds the longest form at each place; forms that begin alike share their beginning."""
    ends = forms[0] == b""
    branches = []
    groups: dict[int, list[bytes]] = {}
    for form in forms[1:] if ends else forms:
        groups.setdefault(form[0], []).append(form)
    for group in groups.values():
        shared = _shared(group[0], group[-1])
        rest = [form[len(shared) :] for form in group]
        branches.append(re.escape(shared) + (_alternatives(rest) if rest != [b""] else b""))
    return b"(?:" + b"|".join(branches) + b")" + (b"?" if ends else b"")


def _shared(first: bytes, last: bytes) -> bytes:
    """Give how both begin."""
    for place, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return first[:place]
    return min(first, last, key=len)
