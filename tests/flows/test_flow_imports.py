"""The paths that users have in their code."""

import subprocess
import sys

import pytest

PATHS = {
    "laminar": "Flow Layer Parameters Execution Accessor",
    "laminar.components": "Flow Layer Parameters Execution Accessor",
    "laminar.configurations.datastores": "DataStore Local Memory S3 GCS Azure AWS Accessor",
    "laminar.configurations.executors": "Executor Process Thread",
    "laminar.configurations.flows": "Configuration",
    "laminar.configurations.hooks": "entry submission execution retry",
    "laminar.configurations.layers": ("Configuration Container ForEach Parameter Retry Catch Timeout Resources"),
    "laminar.configurations.schedulers": "Scheduler",
    "laminar.configurations.serde": "Protocol",
    "laminar.types": "unwrap",
    "laminar.settings": "current",
    "laminar.exceptions": "FlowError LaminarError ExecutionError AttemptTimeoutError",
}


@pytest.mark.parametrize("module", PATHS)
def test_every_name_can_be_imported_from_its_path_by_itself(module: str) -> None:
    code = f"from {module} import {', '.join(PATHS[module].split())}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_paths_are_faces_of_the_same_objects() -> None:
    import laminar
    from laminar import components, configurations
    from laminar.configurations import datastores, layers
    from laminar.flows.configurations import ForEach

    assert components.Flow is laminar.Flow
    assert components.Layer is laminar.Layer
    assert components.Execution is laminar.Execution
    assert components.Parameters is laminar.Parameters
    assert layers.ForEach is ForEach
    assert datastores.AWS.S3 is datastores.S3
    assert configurations.__name__ == "laminar.configurations"


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import laminar

    with pytest.raises(AttributeError, match="'laminar' has no attribute 'Flwo'"):
        laminar.Flwo  # noqa: B018
    assert "Flow" in dir(laminar)


def test_importing_laminar_starts_nothing_and_loads_no_heavy_module() -> None:
    code = (
        "import sys, threading; before = set(sys.modules); import laminar; laminar.Flow;"
        "heavy = {'asyncio', 'logging', 'dataclasses', 'inspect', 'typing', 'tempfile', 'subprocess', 'pathlib'};"
        "print(sorted(heavy & set(sys.modules) - before), threading.active_count())"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=False, env=_here())
    assert done.stdout == "[] 1\n", done.stderr


def _here() -> dict[str, str]:
    import os

    import laminar

    source = os.path.dirname(os.path.dirname(laminar.__file__))
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, *packages])}


def test_unwrap_gives_the_value_or_the_default_or_says_that_both_are_none() -> None:
    from laminar.types import unwrap

    assert unwrap(0) == 0
    assert unwrap(None, 3) == 3
    assert unwrap(2, 3) == 2
    with pytest.raises(ValueError, match="None"):
        unwrap(None)


def test_accessor_refuses_what_is_none() -> None:
    from laminar.types import accessor

    with pytest.raises(TypeError, match=r"foreach layer.*got a float"):
        accessor(1.5)
