"""What the snippets of the page are surrounded with: what the page has defined before, files that it names, and checks.

Nothing here is the page's own text; that is in ``snippets.md``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

IMPORT = "import laminar as flyte\n"
ENV = IMPORT + 'env = flyte.TaskEnvironment(name="my_env")\n'

#: Several lines of a shell that the page shows without the backslashes between them.
ONE_LINE = {"\n    ": " "}

MY_EXAMPLE = (
    ENV
    + """
@env.task
async def my_task(name: str) -> str:
    return f"Hello, {name}!"
"""
)
PIPELINE = (
    ENV
    + """
@env.task
async def process_data(input_path: str, batch_size: int) -> str:
    return f"Processed {input_path} by {batch_size}"
"""
)
MY_WORKFLOW = (
    ENV
    + """
@env.task
async def process_file(filename: str) -> str:
    return f"Processing {filename}"

@env.task
async def data_pipeline(input_path: str, batch_size: int) -> str:
    return await process_file(f"{input_path}/{batch_size}")
"""
)
TWO_ARGUMENTS = (
    ENV
    + """
@env.task
async def my_task(arg1: str, arg2: str) -> str:
    return f"{arg1} and {arg2}"
"""
)
OTHER = """
import laminar

env = laminar.TaskEnvironment("other_env")

@env.task
async def process_data(input: str) -> str:
    return f"Processed {input}"
"""
INSIDES = Path(__file__).with_name("insides.py").read_text()
WORKFLOWS = {"workflows/data_pipeline.py": PIPELINE}
PROCESSED = "Processed /data/raw by 100"


@dataclass(frozen=True)
class Around:
    """What one snippet is surrounded with.

    Attributes:
        before: Python that comes first.
        after: Python that comes last: what is checked.
        files: What lies in the folder.
        filled: What is put in the place of what the page leaves open.
        prints: What must be among the output.
        first: A command that comes before all, on a server.
    """

    before: str = ""
    after: str = ""
    files: dict[str, str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)
    prints: str = ""
    first: str = ""


AROUND = {
    "declare": Around(after='assert flyte.run(my_task, name="World").result() == "Hello, World!"\n'),
    "deploy-command": Around(files={"my_example.py": MY_EXAMPLE}, prints="Environment my_env, version "),
    "load-module": Around(
        before="import importlib.util\nimport sys\n" + IMPORT,
        after='assert flyte.run(module.my_task, name="World").result() == "Hello, World!"\n',
        files={"my_example.py": MY_EXAMPLE},
    ),
    "choose-files": Around(
        before="import glob\nimport sys\n" + IMPORT + "import my_example\n" + 'copy_style = "all"\n',
        after="""
flyte.init_from_config()
[deployment] = flyte.deploy(my_example.env, dryrun=True, copy_style=copy_style)
assert set(files_to_bundle) <= {path for path, _ in deployment.files}
""",
        files={"my_example.py": MY_EXAMPLE, "data/other.py": ""},
    ),
    "upload-bundle": Around(
        before="from insides import *\n",
        after="import insides\nassert insides.is_there()\n",
        files={"my_example.py": MY_EXAMPLE, "insides.py": INSIDES},
        filled={"await ": ""},
    ),
    "register-task": Around(
        before="import insides\nfrom insides import *\ninsides.send()\n",
        after="""
import laminar as flyte
my_task = flyte.remote.Task.get("my_env.my_task", auto_version="latest")
assert flyte.run(my_task, name="World").result() == "Hello, World!"
""",
        files={"my_example.py": MY_EXAMPLE, "insides.py": INSIDES},
        filled={"await ": ""},
    ),
    "deploy-form": Around(
        files={"my_example.py": MY_EXAMPLE},
        prints="Environment my_env, version ",
        filled={"<source_file_path>": "my_example.py", "<variable_of_task_environment>": "env"},
    ),
    "declare-briefly": Around(after='assert flyte.run(my_task, name="World").outputs() == ("Hello, World!",)\n'),
    "deploy-named": Around(files={"my_example.py": MY_EXAMPLE}, prints="Environment my_env, version "),
    "deploy-sdk": Around(prints="Environment my_env, version "),
    "deploy-basic": Around(prints="Environment my_workflow, version "),
    "deploy-commands": Around(
        files={"my_workflow.py": MY_WORKFLOW}, prints="Environment my_env, version v1.0.0: 2 tasks"
    ),
    "deploy-options": Around(
        before=MY_EXAMPLE + "flyte.init_from_config()\n",
        after='assert deployment[0].version == "v1.0.0"\n',
    ),
    "run-form": Around(
        files=WORKFLOWS,
        filled={
            **ONE_LINE,
            "<source_file_path>": "workflows/data_pipeline.py",
            "<task_name>": "process_data",
            "[--<argument_1> <value_1> ...]": "--input_path /data/raw --batch_size 100",
        },
        prints=PROCESSED,
    ),
    "run-command": Around(files=WORKFLOWS, prints=PROCESSED),
    "run-sdk-form": Around(
        before=MY_EXAMPLE + 'task_name = my_task\nvalue_1 = "World"\n',
        filled={"argument_1": "name", "        ...\n": ""},
        after='assert r.result() == "Hello, World!"\n',
    ),
    "run-sdk": Around(before=PIPELINE, after=f'assert r.result() == "{PROCESSED}"\n'),
    "run-local-form": Around(
        files=WORKFLOWS,
        filled={
            **ONE_LINE,
            "<source_file_path>": "workflows/data_pipeline.py",
            "<task_function>": "process_data",
            "[ --<argument_1> <value_1>][...]": "--input_path /data/raw --batch_size 100",
        },
        prints=PROCESSED,
    ),
    "run-local-command": Around(files=WORKFLOWS, prints=PROCESSED),
    "run-without-client-form": Around(
        before=MY_EXAMPLE,
        filled={"<task_function>": "my_task", "<argument_1>=<value_1>,[...]": 'name="World"'},
        after='assert r.result() == "Hello, World!"\n',
    ),
    "run-mode-local": Around(before=MY_EXAMPLE, after='assert r.result() == "Hello, World!"\n'),
    "run-client-local-form": Around(
        before=MY_EXAMPLE,
        filled={"\n    .run(": ".run(", "<task_function>": "my_task", "<argument_1>=<value_1>, ...": 'name="World"'},
        after=(
            'import os\nos.environ.pop("LAMINAR_SERVER_ENDPOINT", None)\nflyte.init()\n'
            "from laminar.ledger.sql import Ledger\n"
            '[run] = Ledger(".laminar/ledger.db", create=False).runs()\n'
            'assert flyte.Run.get(run.run).result() == "Hello, World!"\n'
        ),
    ),
    "run-client-local": Around(
        before='import os\nos.environ["LAMINAR_SERVER_ENDPOINT"] = "https://laminar.example"\n' + MY_EXAMPLE,
        after='assert r.result() == "Hello, World!"\n',
    ),
    "run-deployed-form": Around(
        files={"my_example.py": MY_EXAMPLE},
        filled={
            **ONE_LINE,
            "<task_name>": "my_env.my_task",
            "[ --<argument_1> <value_1>]": "--name World",
            " [...]": "",
            " [--<argument_n> <value_n>]": "",
        },
        first="laminar deploy my_example.py env",
        prints="Hello, World!",
    ),
    "run-deployed-sdk": Around(
        after='assert result.result() == "value1 and value2"\n',
        files={"my_example.py": TWO_ARGUMENTS},
        first='laminar deploy --version "v1.0.0" my_example.py env',
    ),
    "run-project-domain": Around(
        files={"hello.py": TWO_ARGUMENTS},
        filled={**ONE_LINE, "<project-name>": "run-project-domain"},
        prints="value1 and value2",
    ),
    "run-inputs-form": Around(
        files=WORKFLOWS,
        filled={
            "<source_file_path>": "workflows/data_pipeline.py",
            "<task_name>": "process_data",
            "<input_1> <value_1>": "input_path /data/raw",
            "<input_2> <value_2>": "batch_size 100",
        },
        prints=PROCESSED,
    ),
    "run-command-again": Around(files=WORKFLOWS, prints=PROCESSED),
    "run-url-form": Around(
        before=TWO_ARGUMENTS,
        filled={
            "<task_function>": "my_task",
            "<input_1>=<value_1>": 'arg1="1"',
            "<input_2>=<value_2>": 'arg2="2"',
        },
        after="assert result.name in result.url\nassert result.result() == '1 and 2'\n",
        prints="Task URL: ",
    ),
    "environment": Around(
        after="""
@env.task
def level() -> str:
    import os
    return os.environ["LOG_LEVEL"]

assert flyte.run(level).result() == "INFO"
assert level.settings.resources.memory == flyte.Resources(memory="2Gi").memory
""",
    ),
    "tasks": Around(
        before=ENV,
        after="""
assert flyte.run(process_data, "a.csv").result() == "Processed a.csv"
assert flyte.run(compute_metrics, "a").result() == {"accuracy": 0.95, "loss": 0.05}
assert compute_metrics("a") == {"accuracy": 0.95, "loss": 0.05}
""",
    ),
    "workflow": Around(
        before=ENV
        + """
@env.task
async def process_data(input_path: str) -> str:
    return f"Processed {input_path}"

@env.task
def compute_metrics(data: str) -> dict:
    return {"accuracy": 0.95, "data": data}
""",
        after="""
run = flyte.run(data_pipeline, input_path="a.csv")
assert run.result() == {"accuracy": 0.95, "data": "Processed a.csv"}
assert [action.task for action in run.actions()] == [
    "my_env.data_pipeline", "my_env.process_data", "my_env.compute_metrics"
]
""",
    ),
    "run-and-wait": Around(
        after='assert result.result() == "Processing data.csv"\nassert result.status == "SUCCEEDED"\n',
        prints="Run name: ",
    ),
    "run-commands": Around(files={"my_workflow.py": MY_WORKFLOW}, prints="Processing /data/100"),
    "sequential": Around(
        before=ENV,
        after="""
run = flyte.run(etl_pipeline, source="here")
assert run.result() == "Loaded: Transformed: Data from here"
assert len(run.actions()) == 4
""",
    ),
    "parallel": Around(
        before=ENV,
        after='assert flyte.run(parallel_processing, ["a", "b"]).result() == ["Batch 0: a", "Batch 1: b"]\n',
    ),
    "grouped": Around(
        before="import asyncio\n" + ENV,
        after="""
run = flyte.run(dynamic_workflow, items=["a", "b"])
assert run.result() == ["Processed a", "Processed b"]
assert [action.group for action in run.actions()] == ["", "batch-processing", "batch-processing"]
""",
    ),
    "environments": Around(
        before=IMPORT,
        after="assert orchestrator_env.depends_on == (prep_env, ml_env) and ml_env.depends_on == (prep_env,)\n",
    ),
    "cross-environment": Around(
        before=IMPORT
        + """
prep_env = flyte.TaskEnvironment(name="preprocessing")
ml_env = flyte.TaskEnvironment(name="ml_training", depends_on=[prep_env])
orchestrator_env = flyte.TaskEnvironment(name="orchestrator", depends_on=[prep_env, ml_env])
""",
        after='assert flyte.run(ml_pipeline, raw_data="rows").result() == "Model trained on: Cleaned: rows"\n',
    ),
    "deploy-environments": Around(
        before=IMPORT
        + """
orchestrator_env = flyte.TaskEnvironment(name="orchestrator")

@orchestrator_env.task
async def ml_pipeline(raw_data: str) -> str:
    return raw_data
""",
    ),
    "environment-by-domain": Around(before=IMPORT, after='assert env.name == "dev_env"\n'),
    "remote-task": Around(
        before=ENV + "flyte.init_from_config()\n",
        after='assert flyte.run(orchestrator).result() == "Processed test_data"\n',
        files={"other.py": OTHER},
        first="laminar deploy other.py env",
    ),
    "custom-images": Around(
        before=IMPORT,
        after='assert env.name == "ml_env"\nassert "pytorch/pytorch:2.0-cuda11.7" in repr(env._settings["image"])\n',
        files={"Dockerfile": "FROM debian:stable\n"},
    ),
    "monitor": Around(
        before=ENV
        + """
@env.task
async def my_workflow(input_data: str) -> str:
    print(f"working on {input_data}")
    return input_data
""",
        prints="Workflow completed successfully",
    ),
    "retries": Around(
        before=ENV
        + """

def process_data(data: str) -> str:
    if flyte.ctx().attempt < 4:
        raise ConnectionError("not yet")
    return f"processed at try {flyte.ctx().attempt}"
""",
        after="""
run = flyte.run(resilient_task, data="rows")
assert run.result() == "processed at try 4"
print(*run.logs())
""",
        prints="Task failed: not yet",
    ),
    "resources": Around(
        before=IMPORT,
        after="""
@gpu_env.task
def train() -> None: ...

asked = train.settings.resources
assert (asked.gpu, asked.cpu, asked.memory) == ("1", "4", "32Gi")
""",
    ),
}

#: Snippets that only a server can carry out.
OF_A_SERVER = {
    "deploy-command",
    "upload-bundle",
    "register-task",
    "deploy-form",
    "deploy-named",
    "deploy-sdk",
    "deploy-basic",
    "deploy-commands",
    "deploy-options",
    "run-deployed-form",
    "run-deployed-sdk",
    "deploy-environments",
    "remote-task",
}
