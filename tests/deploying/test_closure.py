"""What is deployed together, and calls of what is not: told with file and line before anything is sent."""

from __future__ import annotations

import json

import pytest
from plans import Project

OTHER = """
import laminar

inner = laminar.TaskEnvironment("inner{n}")
other = laminar.TaskEnvironment("other{n}", depends_on=[inner])

@inner.task
def deep(x: int) -> int:
    return x

@other.task
def clean(x: int) -> int:
    return deep(x)
"""

#: Bodies of a task that reach the task ``clean`` of another environment, and the line of the file that says so.
CALLS = {
    "by its name": "return clean(x)",
    "by its module": "return there.clean(x)",
    "with settings of its own": "return clean.override(retries=0)(x)",
    "to be awaited": "return [clean.aio(x)]",
    "mapped": "return list(laminar.map(clean, [x]))",
    "in a comprehension": "return [clean(one) for one in [x]]",
    "in a function inside": "def inside(): return clean(x)\n    return inside()",
    "in a lambda": "return (lambda one: clean(one))(x)",
    "by an import inside": "from there import clean as tidy; return tidy(x)",
    "by an import of the module inside": "import there as where; return where.clean(x)",
}
#: The same by way of something else in the file; the line is that of the call there.
DETOURS = {
    "by a function": ("def step(x): return clean(x)", "return step(x)"),
    "by a class": ("class Steps:\n  def one(self, x): return clean(x)", "return Steps().one(x)"),
    "by a base class": (
        "class Base:\n  def one(self, x): return clean(x)\nclass Steps(Base): pass",
        "return Steps().one(x)",
    ),
    "by a property": ("class Steps:\n  @property\n  def one(self): return clean(1)", "return Steps().one"),
    "by an object": ("class Steps:\n  def one(self, x): return clean(x)\nsteps = Steps()", "return steps.one(x)"),
    "by an attribute of a class": ("class Steps:\n  step = clean\n  def one(self): pass", "return Steps.step(x)"),
    "by a list": ("STEPS = [int, clean]", "return [step(x) for step in STEPS]"),
    "by a part of it": ("import functools\nstep = functools.partial(clean, 1)", "return step()"),
    "by a default": ("def step(x, by=clean): return by(x)", "return step(x)"),
    "by a decorator": (
        (
            "import functools\ndef twice(f):\n  @functools.wraps(f)\n  def g(x): return clean(f(x))\n  return g\n"
            "@twice\ndef step(x): return x"
        ),
        "return step(x)",
    ),
}
#: Lines that lead to such a call without naming the task.
WAYS = ("    return [step(x) for step in STEPS]", "    return step()", "    return Steps.step(x)")
#: Bodies that hold the task without calling it as one.
HARMLESS = {
    "its name": "return clean.name",
    "its function, which calls nothing": "return plain.function(x)",
    "another thing of that name": "clean = int\n    return clean(x)",
    "a parameter of that name": "def inside(clean): return clean\n    return inside(x)",
}

CASE = """
import laminar
import there
from there import clean, plain
env = laminar.TaskEnvironment("case{n}")
{detour}
@env.task
def task(x: int) -> object:
    {body}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Plan all cases in one program, and give what it found of each."""
    project = Project(tmp_path_factory.mktemp("calls"))
    plain = '\nalone = laminar.TaskEnvironment("alone")\n@alone.task\ndef plain(x: int) -> int:\n    return x\n'
    project.write("there.py", OTHER.format(n="") + plain)
    cases = {
        **{name: ("", body) for name, body in {**CALLS, **HARMLESS}.items()},
        **DETOURS,
    }
    for n, (detour, body) in enumerate(cases.values()):
        project.write(f"case{n}.py", CASE.format(n=n, detour=detour, body=body))
    numbers = dict(zip(cases, range(len(cases)), strict=True))
    program = (
        f"import importlib\n{{n: planned(importlib.import_module(f'case{{n}}').env) for n in range({len(cases)})}}"
    )
    results = project.plan(program)
    return {name: (results[str(n)], (project.folder / f"case{n}.py")) for name, n in numbers.items()}


@pytest.mark.parametrize("name", [*CALLS, *DETOURS])
def test_a_call_of_a_task_that_is_not_deployed_is_told_with_file_and_line(found, name):
    result, file = found[name]
    lines = file.read_text().splitlines()
    called = [
        number
        for number, line in enumerate(lines, 1)
        if "clean" in line and "from there import clean, plain" not in line
    ]

    assert result.get("refused") == "DeploymentError", result
    number = int(result["says"].partition("line ")[2].partition(":")[0])
    assert result["says"].startswith(f"{file}, line ")
    assert number in called or lines[number - 1] in WAYS
    assert "calls other.clean, and environment other is not deployed" in result["says"]
    assert "depends_on=[…]" in result["says"]


@pytest.mark.parametrize("name", HARMLESS)
def test_what_only_looks_like_a_call_is_none(found, name):
    result, _ = found[name]

    assert "refused" not in result


def test_environments_are_deployed_with_those_that_they_depend_on_and_those_with_theirs(project):
    project.write("there.py", OTHER.format(n=""))
    project.write(
        "main.py",
        """
        import laminar, there
        env = laminar.TaskEnvironment("main", depends_on=[there.other])
        alone = laminar.TaskEnvironment("alone")
        @alone.task
        def not_wanted(): ...
        @env.task
        def work(x: int) -> int:
            return there.clean(x) + work(x - 1) if x else 0
        """,
    )

    found = project.plan("import main\nplanned(main.env)")

    assert found["names"] == ["main", "other", "inner"]
    assert found["calls"] == {"main.work": ["other.clean"], "other.clean": ["inner.deep"], "inner.deep": []}
    assert found["files"] == [".laminar/code.json", "main.py", "there.py"]


def test_environments_that_depend_on_each_other_are_deployed_together(project):
    project.write(
        "main.py",
        """
        import laminar
        one, two = laminar.TaskEnvironment("one"), laminar.TaskEnvironment("two")
        one.add_dependency(two)
        two.add_dependency(one)
        @one.task
        def ping(x: int) -> int: return pong(x - 1) if x else 0
        @two.task
        def pong(x: int) -> int: return ping(x - 1) if x else 0
        """,
    )

    found = project.plan("import main\nplanned(main.two)")

    assert found["names"] == ["two", "one"]


def test_tasks_that_layers_call_and_flows_that_tasks_call_come_along(project):
    project.write(
        "main.py",
        """
        import laminar
        from laminar import Flow, Layer
        env, far = laminar.TaskEnvironment("env"), laminar.TaskEnvironment("far")
        class Train(Flow): ...
        class Other(Flow): ...
        @Other.register
        class Only(Layer):
            def __call__(self): self.x = distant(1)
        @far.task
        def distant(x: int) -> int: return x
        @env.task
        def near(x: int) -> int:
            Other()()
            return x
        @Train.register
        class First(Layer):
            def __call__(self): self.x = near(1)
        """,
    )

    found = project.plan("import main\nplanned(main.Train)")

    assert found["names"] == ["Train", "env", "Other", "far"]
    assert found["calls"]["Train.First"] == ["env.near"]
    assert found["calls"]["Other.Only"] == ["far.distant"]


REFUSED = {
    "two environments of one name": (
        (
            'def make(): return laminar.TaskEnvironment("twin")\none, two = make(), make()\n'
            "@one.task\ndef a(): ...\n@two.task\ndef b(): ...\nthings = [one, two]"
        ),
        "There are two named twin",
    ),
    "an environment without tasks": ('things = [laminar.TaskEnvironment("empty")]', "empty has no tasks"),
    "nothing": ("things = []", "Nothing was given"),
    "what is neither": ("things = [len]", "Give a TaskEnvironment, or a subclass of Flow"),
    "the class of all environments": ("things = [laminar.TaskEnvironment]", "cannot be deployed"),
    "the class of all flows": ("things = [laminar.Flow]", "cannot be deployed"),
    "a flow without layers": ("class Bare(laminar.Flow): ...\nthings = [Bare]", "has no layers"),
    "a flow whose containers are to see folders of this machine": (
        (
            "class Joined(laminar.Flow): ...\n@Joined.register\nclass A(laminar.Layer): ...\n"
            "from laminar.configurations import executors\n"
            'things = [Joined(executor=executors.Docker(mounts={"/data": "/data"}))]'
        ),
        "Docker(mounts={'/data': '/data'}) is for containers that this machine runs",
    ),
    "an image with files where the code will lie": (
        (
            "class Hiding(laminar.Flow): ...\n"
            'image = laminar.Image.from_debian_base().with_source_file(__file__, "/app/")\n'
            "from laminar.configurations.layers import Container\n"
            '@Hiding.register(container=Container(image=image, workdir="/app"))\nclass A(laminar.Layer): ...\n'
            "things = [Hiding]"
        ),
        "into /app, where the code of each run is put over it",
    ),
    "a flow inside a function": (
        (
            "def make():\n  class Hidden(laminar.Flow): ...\n  return Hidden\nHidden = make()\n"
            "@Hidden.register\nclass A(laminar.Layer): ...\nthings = [Hidden]"
        ),
        "Define it at the top of a module",
    ),
    "a trigger without an input that the task needs": (
        (
            'env = laminar.TaskEnvironment("t1")\n'
            '@env.task(triggers=laminar.Trigger("t", laminar.Cron("0 3 * * *")))\ndef a(x: int): ...\nthings = [env]'
        ),
        "the task needs a value for x",
    ),
    "a trigger with an input of another type": (
        (
            'env = laminar.TaskEnvironment("t2")\n'
            '@env.task(triggers=laminar.Trigger("t", laminar.FixedRate(5), {"x": "one"}))\n'
            "def a(x: int): ...\nthings = [env]"
        ),
        "the input x expects int",
    ),
    "a trigger of a flow that JSON cannot say": (
        (
            'class Timed(laminar.Flow, triggers=[laminar.Trigger("t", laminar.FixedRate(5), {"x": {1}})]): ...\n'
            "@Timed.register\nclass B(laminar.Layer): ...\nthings = [Timed]"
        ),
        "JSON cannot say the input x",
    ),
    "two triggers of one name": (
        (
            'env = laminar.TaskEnvironment("t3")\nt = laminar.Trigger("t", laminar.FixedRate(5))\n'
            "@env.task(triggers=[t, t])\ndef a(): ...\nthings = [env]"
        ),
        "Triggers of t3.a: there are two named t",
    ),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory):
    """Plan what is refused in one program, and give what was said of each."""
    project = Project(tmp_path_factory.mktemp("refused"))
    for n, (text, _) in enumerate(REFUSED.values()):
        (project.folder / f"wrong{n}.py").write_text(f"import laminar\n{text}\n")
    program = (
        "import importlib\n"
        f"{{n: planned(*importlib.import_module(f'wrong{{n}}').things) for n in range({len(REFUSED)})}}"
    )
    results = project.plan(program)
    return {name: results[str(n)] for n, name in enumerate(REFUSED)}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_deployed_is_refused_before_anything_is_sent(refused, name):
    assert REFUSED[name][1] in refused[name].get("says", json.dumps(refused[name]))


def test_what_is_defined_in_no_file_is_refused(project):
    found = project.plan(
        """
        env = laminar.TaskEnvironment("typed")
        @env.task
        def work(): ...
        planned(env)
        """
    )

    assert "defined in no file" in found["says"]
