"""However a project is laid out, its code runs where its bundle arrives, or is refused by name before it leaves."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import textwrap
import zipfile

import pytest
from journeys import LAMINAR, Journey, program

SITE = sysconfig.get_paths()["purelib"]


def arrives(journey: Journey, left, answer, files):
    assert left.refused == ""
    assert left.answer == answer
    assert left.files == sorted(files)
    arrived, argv, cwd = journey.arrive()
    assert arrived == answer
    return argv, cwd


def test_a_script_alone_with_its_arguments_and_its_folder(journey):
    journey.write("main.py", program("[__name__, 1]"))
    left = journey.leave("main.py", "--rate", "3")
    argv, cwd = arrives(journey, left, ["__main__", 1], ["main.py"])
    assert argv == [str(journey.there / "main.py"), "--rate", "3"]
    assert cwd == str(journey.there)


def test_a_script_and_the_modules_beside_it(journey):
    journey.write("one.py", "import two\nVALUE = two.VALUE + 1\n")
    journey.write("two.py", "VALUE = 2\n")
    journey.write("unused.py", "VALUE = 3\n")
    journey.write("main.py", program("one.VALUE", "import one"))
    arrives(journey, journey.leave("main.py"), 3, ["main.py", "one.py", "two.py"])


def test_a_package_with_relative_imports(journey):
    journey.write("pkg/__init__.py", "from .deep import VALUE\n")
    journey.write("pkg/deep/__init__.py", "from ..near import NEAR\nfrom . import below\nVALUE = NEAR + below.BELOW\n")
    journey.write("pkg/deep/below.py", "BELOW = 2\n")
    journey.write("pkg/near.py", "NEAR = 1\n")
    journey.write("main.py", program("pkg.VALUE", "import pkg"))
    files = ["main.py", "pkg/__init__.py", "pkg/deep/__init__.py", "pkg/deep/below.py", "pkg/near.py"]
    arrives(journey, journey.leave("main.py"), 3, files)


def test_a_script_in_a_subfolder_that_is_started_from_the_project(journey):
    journey.write("lib.py", "VALUE = 1\n")
    journey.write("scripts/near.py", "VALUE = 2\n")
    journey.write("scripts/main.py", program("[near.VALUE, lib.VALUE]", "import near, lib"))
    left = journey.leave("scripts/main.py", path=(".",))
    argv, cwd = arrives(journey, left, [2, 1], ["lib.py", "scripts/main.py", "scripts/near.py"])
    assert argv == [str(journey.there / "scripts/main.py")]
    assert cwd == str(journey.there)


def test_a_script_that_is_started_from_elsewhere(journey):
    journey.write("work/notes.txt")
    journey.write("project/lib.py", "VALUE = 1\n")
    journey.write("project/main.py", program("lib.VALUE", "import lib"))
    _, cwd = arrives(journey, journey.leave("../project/main.py", cwd="work"), 1, ["lib.py", "main.py"])
    assert cwd == str(journey.there)


def test_a_script_that_is_a_link_finds_the_neighbours_of_what_it_leads_to(journey):
    journey.write("tools/lib.py", "VALUE = 1\n")
    journey.write("tools/main.py", program("lib.VALUE", "import lib"))
    (journey.home / "run").symlink_to("tools/main.py")
    arrives(journey, journey.leave("run"), 1, ["tools/lib.py", "tools/main.py"])


def test_folders_of_the_path_that_lie_outside_the_project(journey):
    journey.write("app/main.py", program("[tools.VALUE, shared.x.VALUE]", "import tools, shared.x"))
    journey.write("libs/a/tools.py", "VALUE = 1\n")
    journey.write("libs/b/shared/__init__.py")
    journey.write("libs/b/shared/x.py", "VALUE = 2\n")
    left = journey.leave("main.py", cwd="app", path=("libs/b", "libs/a"))
    files = ["main.py", ".path/0/shared/__init__.py", ".path/0/shared/x.py", ".path/1/tools.py"]
    arrives(journey, left, [1, 2], files)


def test_of_two_modules_of_one_name_the_same_is_found(journey):
    journey.write("main.py", program("double.VALUE", "import double"))
    journey.write("first/double.py", "VALUE = 1\n")
    journey.write("second/double.py", "VALUE = 2\n")
    left = journey.leave("main.py", path=("second", "first"))
    arrives(journey, left, 2, ["main.py", "second/double.py"])


def test_a_namespace_package_whose_parts_lie_in_two_folders(journey):
    journey.write(
        "main.py",
        program(
            "[team.one.VALUE, late()]",
            "import team.one\ndef late():\n    from team.sub import two\n    return two.VALUE",
        ),
    )
    journey.write("a/team/one.py", "VALUE = 1\n")
    journey.write("b/team/sub/two.py", "VALUE = 2\n")
    left = journey.leave("main.py", path=("a", "b"))
    arrives(journey, left, [1, 2], ["a/team/one.py", "b/team/sub/two.py", "main.py"])


LATE = {
    "a function": "import late\nreturn late.VALUE",
    "a function from a package": "from pack import late\nreturn late.VALUE",
    "a name that is known as a literal": "import importlib\nreturn importlib.import_module('late').VALUE",
    "a relative name that is known as a literal": (
        "from importlib import import_module\nreturn import_module('.late', 'pack').VALUE"
    ),
    "a function of the language": "return __import__('late').VALUE",
    "one line": "if True: import late\nreturn late.VALUE",
}


@pytest.mark.parametrize("body", LATE.values(), ids=LATE.keys())
def test_what_is_imported_only_later_and_what_that_imports(journey, body):
    for folder, package in (("", ""), ("pack/", "pack.")):
        journey.write(
            f"{folder}late.py",
            f"def value():\n    import {package}later\n    return {package}later.VALUE\nVALUE = value()\n",
        )
        journey.write(f"{folder}later.py", "VALUE = 7\n")
    journey.write("pack/__init__.py")
    journey.write("main.py", program(body))
    files = ["late.py", "later.py"] if "pack" not in body else ["pack/__init__.py", "pack/late.py", "pack/later.py"]
    arrives(journey, journey.leave("main.py"), 7, ["main.py", *files])


def test_what_a_loaded_module_imports_later(journey):
    journey.write("pkg/__init__.py")
    journey.write("pkg/loaded.py", "def value():\n    from . import late\n    return late.VALUE\n")
    journey.write("pkg/late.py", "VALUE = 7\n")
    journey.write("main.py", program("loaded.value()", "from pkg import loaded"))
    files = ["main.py", "pkg/__init__.py", "pkg/late.py", "pkg/loaded.py"]
    arrives(journey, journey.leave("main.py"), 7, files)


def test_what_a_script_imports_behind_the_call_of_its_flow(journey):
    journey.write("late.py", "VALUE = 7\n")
    journey.write("main.py", program("__import__('la' + 'te').VALUE") + "\nimport late\n")
    assert arrives(journey, journey.leave("main.py"), 7, ["late.py", "main.py"])


def test_imports_that_lead_nowhere_or_to_installed_packages_do_no_harm(journey):
    imports = """
        import json
        from typing import TYPE_CHECKING

        if TYPE_CHECKING:
            import absent
            from types_only import Row
        try:
            import faster_json
        except ImportError:
            faster_json = None
    """
    journey.write("types_only.py", "class Row: ...\n")
    journey.write("main.py", program("import cloudpickle\nreturn [faster_json, cloudpickle.__name__]", imports))
    arrives(journey, journey.leave("main.py"), [None, "cloudpickle"], ["main.py", "types_only.py"])


def test_a_module_that_was_started_by_its_name(journey):
    journey.write("pkg/__init__.py")
    journey.write("pkg/near.py", "VALUE = 4\n")
    journey.write("pkg/mod.py", program("[near.VALUE, __spec__.name]", "from . import near"))
    left = journey.leave("-m", "pkg.mod", "word")
    argv, _ = arrives(journey, left, [4, "pkg.mod"], ["pkg/__init__.py", "pkg/mod.py", "pkg/near.py"])
    assert argv == [str(journey.there / "pkg/mod.py"), "word"]


def test_a_package_that_was_started_by_its_name(journey):
    journey.write("pkg/__init__.py")
    journey.write("pkg/near.py", "VALUE = 4\n")
    journey.write("pkg/__main__.py", program("near.VALUE", "from . import near"))
    arrives(journey, journey.leave("-m", "pkg"), 4, ["pkg/__init__.py", "pkg/__main__.py", "pkg/near.py"])


def test_a_folder_that_was_started(journey):
    journey.write("tool/near.py", "VALUE = 4\n")
    journey.write("tool/__main__.py", program("near.VALUE", "import near"))
    arrives(journey, journey.leave("tool"), 4, ["tool/__main__.py", "tool/near.py"])


def test_a_flow_deep_in_a_package_that_a_script_imports(journey):
    for folder in ("a", "a/b", "a/b/c"):
        journey.write(f"{folder}/__init__.py", "from . import conftest\n")
        journey.write(f"{folder}/conftest.py", f"NAME = {folder!r}\n")
    journey.write("a/b/c/flows.py", program("[a.conftest.NAME, conftest.NAME]", "import a\nfrom . import conftest"))
    journey.write("main.py", "import a.b.c.flows\n")
    left = journey.leave("main.py")
    files = [f"{folder}/{name}.py" for folder in ("a", "a/b", "a/b/c") for name in ("__init__", "conftest")]
    arrives(journey, left, ["a", "a/b/c"], [*files, "a/b/c/flows.py"])


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A virtual environment in which laminar is installed."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    [site] = folder.glob("lib/python3*/site-packages")
    (site / "laminar.pth").write_text(f"{SITE}\n{LAMINAR}\n")
    return site


@pytest.fixture
def installed(environment, journey):
    """A journey from that environment, where packages can be installed for editing."""
    before = set(environment.iterdir())
    journey.python = str(environment.parents[2] / "bin" / "python")
    yield environment
    for path in set(environment.iterdir()) - before:
        path.unlink()


def test_a_src_layout_that_is_installed_for_editing(journey, installed):
    journey.write("src/shop/__init__.py", "VALUE = 5\n")
    journey.write("src/shop/late.py", "VALUE = 6\n")
    journey.write("flows/main.py", program("from shop import late\nreturn [shop.VALUE, late.VALUE]", "import shop"))
    (installed / "_editable_impl_shop.pth").write_text(str(journey.home / "src"))
    files = ["flows/main.py", "src/shop/__init__.py", "src/shop/late.py"]
    arrives(journey, journey.leave("flows/main.py"), [5, 6], files)


def test_a_package_elsewhere_that_is_installed_for_editing(journey, installed):
    journey.write("libs/shop/src/shop/__init__.py", "VALUE = 5\n")
    journey.write("app/main.py", program("shop.VALUE", "import shop"))
    (installed / "_editable_impl_shop.pth").write_text(str(journey.home / "libs/shop/src"))
    arrives(journey, journey.leave("main.py", cwd="app"), 5, [".path/0/shop/__init__.py", "main.py"])


@pytest.mark.parametrize("late", [False, True], ids=["loaded", "imported later"])
def test_a_package_that_a_finder_of_an_editable_install_knows_by_name(journey, installed, late):
    journey.write("libs/shop/__init__.py", "VALUE = 5\n")
    journey.write("libs/shop/part.py", "VALUE = 6\n")
    journey.write("libs/setup.py", "raise SystemExit\n")
    imports = "" if late else "import shop.part"
    journey.write("app/main.py", program("import shop.part\nreturn [shop.VALUE, shop.part.VALUE]", imports))
    finder = f"""
        import sys
        from importlib.util import spec_from_file_location

        class Finder:
            @classmethod
            def find_spec(cls, name, path=None, target=None):
                if name == "shop":
                    return spec_from_file_location(name, {str(journey.home / "libs/shop/__init__.py")!r})

        sys.meta_path.append(Finder)
    """
    (installed / "__editable___shop_finder.py").write_text(textwrap.dedent(finder))
    (installed / "__editable__.shop.pth").write_text("import __editable___shop_finder")
    left = journey.leave("main.py", cwd="app")
    arrives(journey, left, [5, 6], [".path/0/shop/__init__.py", ".path/0/shop/part.py", "main.py"])


def test_of_installed_packages_and_of_laminar_nothing_travels(journey, installed):
    (installed / "plain.py").write_text("VALUE = 8\n")
    (journey.packages / "plain.py").write_text("VALUE = 8\n")
    journey.write("main.py", program("plain.VALUE", "import plain, laminar.cli.main, email.mime.text"))
    arrives(journey, journey.leave("main.py"), 8, ["main.py"])


def test_a_notebook_sends_the_modules_that_it_has_imported(journey):
    journey.write("helper.py", "VALUE = 9\n")
    notebook = program("helper.VALUE", "import helper").replace("departure.leave(flow)", "departure.leave(flow)\n")
    left = journey.leave("-c", notebook)
    assert left.refused == ""
    assert left.files == ["helper.py"]


FILELESS = {
    "a module that was made at run time": f"""
        import sys, types
        made = sys.modules["made"] = types.ModuleType("made")
        exec({program("1")!r}, vars(made))
    """,
    "a module that was compiled and has no source": """
        import py_compile
        py_compile.compile("made.txt", "made.pyc")
        import made
    """,
}


@pytest.mark.parametrize("main", FILELESS.values(), ids=FILELESS.keys())
def test_code_without_a_file_is_refused_by_name(journey, main):
    journey.write("made.txt", program("1"))
    journey.write("main.py", main)
    assert "Module made, in which the code is, has no Python file" in journey.leave("main.py").refused


@pytest.mark.parametrize("late", [False, True], ids=["loaded", "imported later"])
def test_a_module_in_a_zip_is_refused_by_name(journey, late):
    with zipfile.ZipFile(journey.home / "lib.zip", "w") as archive:
        archive.writestr("zipped.py", "VALUE = 1\n")
    journey.write("main.py", program("import zipped\nreturn zipped.VALUE", "" if late else "import zipped"))
    refused = journey.leave("main.py", path=("lib.zip",)).refused
    assert "Module zipped is imported by the code, but lies in" in refused
    assert "lib.zip" in refused


def test_a_flow_in_a_zip_is_refused_by_name(journey):
    with zipfile.ZipFile(journey.home / "app.zip", "w") as archive:
        archive.writestr("__main__.py", program("1"))
    assert "app.zip" in journey.leave("app.zip").refused


def test_a_module_that_does_not_bear_its_name_is_refused(journey):
    loading = """
        import sys
        from importlib.util import module_from_spec, spec_from_file_location
        spec = spec_from_file_location("plugin", "other.py")
        plugin = sys.modules["plugin"] = module_from_spec(spec)
        spec.loader.exec_module(plugin)
        import plugin
    """
    journey.write("other.py", "VALUE = 1\n")
    journey.write("main.py", program("plugin.VALUE", loading))
    refused = journey.leave("main.py").refused
    assert "Module plugin" in refused
    assert "other.py does not bear its name" in refused


def test_a_module_whose_file_is_gone_is_refused_by_name(journey):
    journey.write("helper.py", "VALUE = 9\n")
    journey.write("main.py", program("helper.VALUE", "import helper, os\nos.unlink('helper.py')"))
    assert "Module helper is imported by the code, but lies in" in journey.leave("main.py").refused
