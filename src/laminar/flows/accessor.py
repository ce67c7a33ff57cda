"""Lazy access to the elements of a sharded artifact, or to an artifact of all splits of a foreach layer."""

from __future__ import annotations

from collections.abc import Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeVar, overload

    from laminar.model.action import Ref

    ElementT = TypeVar("ElementT", covariant=True)


class Accessor(Sequence["ElementT"]):
    """A sequence whose elements are loaded when they are asked for, each time anew.

    ``len``, iteration, indexes (negative too) and slices, which give lists. An element that its split has not assigned
    raises ``AttributeError`` when it is asked for; ``available`` lists the others.
    """

    def __init__(self, refs: Sequence[Ref | None], load: Callable[[Ref], Any], name: str) -> None:
        """Remember where the elements lie.

        Args:
            refs: Of each element; None for one that was not assigned.
            load: Loads a value.
            name: Of the artifact, as ``Layer.artifact``, for errors.
        """
        self._refs = tuple(refs)
        self._load = load
        self._name = name

    @property
    def refs(self) -> tuple[Ref | None, ...]:
        """Where the elements lie."""
        return self._refs

    @property
    def available(self) -> list[int]:
        """Indexes of the elements that were assigned."""
        return [index for index, ref in enumerate(self._refs) if ref is not None]

    def refs_if_of(self, load: Callable[[Ref], Any]) -> tuple[Ref, ...] | None:
        """Give where all elements lie, if this function loads them; None if another does.

        Raises:
            AttributeError: A split has not assigned its element.
        """
        if load != self._load:
            return None
        return tuple(self._ref(index) for index in range(len(self._refs)))

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        """Be pickled as the list of the elements, since another place may not see the blobs."""
        return list, (list(self),)

    def __len__(self) -> int:
        """Count the elements."""
        return len(self._refs)

    if TYPE_CHECKING:

        @overload
        def __getitem__(self, key: int) -> ElementT: ...
        @overload
        def __getitem__(self, key: slice) -> list[ElementT]: ...

    def __getitem__(self, key: Any) -> Any:
        """Load an element, or a list of them.

        Raises:
            IndexError: There is no such element.
            AttributeError: Its split has not assigned it.
        """
        if isinstance(key, slice):
            return [self._element(index) for index in range(*key.indices(len(self._refs)))]
        try:
            position = range(len(self._refs))[key]
        except IndexError:
            raise IndexError(f"{self._name} has {len(self._refs)} elements; there is none at {key}.") from None
        return self._element(position)

    def __iter__(self) -> Iterator[ElementT]:
        """Load the elements one after another."""
        for index in range(len(self._refs)):
            yield self._element(index)

    def _element(self, index: int) -> Any:
        return self._load(self._ref(index))

    def _ref(self, index: int) -> Ref:
        ref = self._refs[index]
        if ref is None:
            raise AttributeError(
                f"{self._name}: split {index} has not assigned it. The indexes that have are in `.available`."
            )
        return ref

    def __repr__(self) -> str:
        """Show the artifact and its length."""
        return f"Accessor({self._name}, {len(self._refs)} elements)"
