"""Merging the layers of flow classes that inherit from one another."""

from __future__ import annotations

from laminar.errors import FlowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.flows.layer import Registration


def merge(flow: str, registries: Iterable[tuple[str, dict[str, Registration]]]) -> dict[str, Registration]:
    """Merge the registries of several flow classes.

    Raises:
        FlowError: Two of them hold different registrations of one name.
    """
    merged: dict[str, Registration] = {}
    origin: dict[str, str] = {}
    for owner, registry in registries:
        for name, registration in registry.items():
            if name in merged and merged[name] is not registration:
                raise FlowError(
                    f"Flow {flow} would have two layers named {name}, from {origin[name]} and {owner}. "
                    "Give one of the classes another name."
                )
            merged[name] = registration
            origin[name] = owner
    return merged
