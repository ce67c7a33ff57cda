"""The layers of a flow class."""

from __future__ import annotations

from laminar.errors import FlowError
from laminar.model.value import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.flows.configurations import LayerConfiguration
    from laminar.flows.layer import Layer


class Registration(Value, frozen=True):
    """A layer that is registered with a flow.

    Attributes:
        layer: The class.
        configuration: How it was configured.
    """

    layer: type[Layer]
    configuration: LayerConfiguration

    def __eq__(self, other: object) -> bool:
        """Tell whether both are the same registration."""
        return self is other

    def __hash__(self) -> int:
        """Hash by identity."""
        return id(self)


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
