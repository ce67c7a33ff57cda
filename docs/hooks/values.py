"""Shows records, whose constructors are made when their class is, with the signature that type checkers see."""

from typing import Any

from griffe import Class, Extension, Function, Parameter, ParameterKind, Parameters


class Values(Extension):
    """Gives subclasses of ``Value`` a constructor made from their fields."""

    def on_class(self, *, cls: Class, **_: Any) -> None:
        """Add the constructor, unless the class has written one."""
        if "__init__" in cls.members or not any(str(base) == "Value" for base in cls.bases):
            return
        fields = [
            Parameter(name, annotation=field.annotation, kind=ParameterKind.positional_or_keyword, default=field.value)
            for name, field in cls.attributes.items()
            if field.annotation is not None and not str(field.annotation).startswith("ClassVar")
        ]
        itself = Parameter("self", kind=ParameterKind.positional_or_keyword)
        made = Function("__init__", parameters=Parameters(itself, *fields), lineno=cls.lineno, endlineno=cls.endlineno)
        cls.set_member("__init__", made)
