"""Records with named fields, made without :mod:`dataclasses`.

``dataclasses`` imports :mod:`inspect` (13 ms) and compiles a constructor for each class; msgspec imports 48 ms of
modules. A process-isolated hello has 140 ms in all and imports laminar twice, so the records of the hot path are made
here. Type checkers see an ordinary data class.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, Self, dataclass_transform
else:

    def dataclass_transform(**_):
        """Stand in for the typing decorator, which only type checkers read."""
        return lambda cls: cls


@dataclass_transform()
class Value:
    """A record: fields from the annotations, compared by value.

    Subclass with ``frozen=True`` for a record that cannot be changed. ``validate`` runs after construction. With
    ``hot=True`` the first construction compiles a constructor for the class (60 µs), which then takes a third of the
    time: for records that are made many times for each action.

    Raises:
        TypeError: A field is unknown, missing, or given twice.
    """

    fields__: ClassVar[tuple[str, ...]] = ()
    defaults__: ClassVar[dict[str, Any]] = {}
    frozen__: ClassVar[bool] = False
    checked__: ClassVar[bool] = False

    def __init_subclass__(cls, frozen: bool = False, hot: bool = False, **kwargs: Any) -> None:
        """Collect the fields of the class in the order of definition."""
        super().__init_subclass__(**kwargs)
        own = [
            name for name, kind in vars(cls).get("__annotations__", {}).items() if not str(kind).startswith("ClassVar")
        ]
        cls.fields__ = (*cls.fields__, *(name for name in own if name not in cls.fields__))
        cls.defaults__ = {**cls.defaults__, **{name: vars(cls)[name] for name in own if name in vars(cls)}}
        cls.frozen__ = frozen or cls.frozen__
        cls.checked__ = cls.validate is not Value.validate
        if hot and not TYPE_CHECKING:
            cls.__init__ = _compile_and_construct

    if not TYPE_CHECKING:

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            """Take the fields by position or by name."""
            cls = type(self)
            state = self.__dict__
            fields = cls.fields__
            if kwargs or len(args) != len(fields):
                state.update(cls.defaults__)
                state.update(zip(fields, args, strict=False))
                state.update(kwargs)
                if len(state) != len(fields) or len(args) > len(fields) or (args and kwargs):
                    self._refuse(args, kwargs)
            else:
                state.update(zip(fields, args, strict=True))
            if cls.checked__:
                self.validate()

        def _refuse(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            cls = type(self)
            if len(args) > len(cls.fields__):
                raise TypeError(f"{cls.__name__} takes at most {len(cls.fields__)} values, got {len(args)}.")
            for name in kwargs:
                if name not in cls.fields__:
                    raise TypeError(f"{cls.__name__} has no field {name!r}. Its fields: {', '.join(cls.fields__)}.")
                if name in cls.fields__[: len(args)]:
                    raise TypeError(f"{cls.__name__} got field {name!r} twice.")
            missing = [name for name in cls.fields__ if name not in self.__dict__]
            if missing:
                raise TypeError(f"{cls.__name__} needs {', '.join(missing)}.")

        def __setattr__(self, name: str, value: Any) -> None:
            """Refuse to change a frozen record, or to add a field."""
            if self.frozen__:
                raise AttributeError(f"{type(self).__name__} cannot be changed; use replace({name}=…).")
            if name not in self.fields__:
                raise AttributeError(
                    f"{type(self).__name__} has no field {name!r}. Its fields: {', '.join(self.fields__)}."
                )
            self.__dict__[name] = value

        def __delattr__(self, name: str) -> None:
            """Refuse to take a field away."""
            raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted: a record keeps its fields.")

    def validate(self) -> None:
        """Check the fields; subclasses raise for what makes no sense."""

    def copy(self) -> Self:
        """Give a copy, field by field, that can be changed apart."""
        cls = type(self)
        other = cls.__new__(cls)
        other.__dict__.update(self.__dict__)
        return other

    def replace(self, **changes: Any) -> Self:
        """Give a copy with some fields changed."""
        return type(self)(**{**self.__dict__, **changes})

    def __eq__(self, other: object) -> bool:
        """Tell whether both are of one class and equal field by field."""
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        """Hash by value; only meaningful for frozen records."""
        return hash((type(self).__name__, *map(self.__dict__.__getitem__, self.fields__)))

    def __repr__(self) -> str:
        """Show the class and its fields."""
        return f"{type(self).__name__}({', '.join(f'{name}={self.__dict__[name]!r}' for name in self.fields__)})"


if not TYPE_CHECKING:

    def _compile_and_construct(self, *args, **kwargs):
        """Construct the first record of a class, and compile the constructor for those that follow."""
        cls = type(self)
        names = cls.fields__
        given = ", ".join(f"{name}=defaults[{name!r}]" if name in cls.defaults__ else name for name in names)
        fields = "".join(f"\n    fields[{name!r}] = {name}" for name in names)
        check = "\n    self.validate()" if cls.checked__ else ""
        scope = {"defaults": cls.defaults__}
        exec(f"def __init__(self, {given}):\n    fields = self.__dict__{fields}{check}", scope)  # noqa: S102 - as dataclasses do
        cls.__init__ = scope["__init__"]
        cls.__init__(self, *args, **kwargs)
