"""``laminar build``."""

from __future__ import annotations

import os

import pytest

from shells import Shell

TRAIN = """
    from laminar import Flow, Image, Layer
    from laminar.configurations.layers import Container

    image = Image.from_debian_base(name="{name}").with_env_vars({{"MADE": "by a command"}})

    class Train(Flow): ...

    @Train.register(container=Container(image=image))
    class Fit(Layer):
        def __call__(self) -> None: ...

    @Train.register(container=Container(image="{base}"))
    class Report(Layer):
        def __call__(self) -> None: ...

    if flow := Train():
        flow()
"""


@pytest.fixture
def shell(tmp_path):
    made = Shell(tmp_path)
    made.write("train.py", TRAIN.format(name="test-never-built", base="some/base:1"))
    yield made
    made.close()


def test_a_dry_run_prints_tags_and_dockerfiles_without_an_engine(shell):
    answer = shell.laminar("build", "train.py", "--dryrun", DOCKER_HOST="unix:///nowhere.sock")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[1].startswith("image, Train/Fit  laminar-test-never-built:")
    assert lines[2].split() == ["Train/Report", "some/base:1"]
    assert 'ENV MADE="by a command"' in lines


def test_a_dry_run_may_answer_in_json(shell):
    [fit, report] = shell.laminar("build", "train.py", "Train", "--dryrun", "-o", "json").plain["images"]
    assert (fit["names"], report) == (["Train/Fit"], {"names": ["Train/Report"], "image": "some/base:1"})
    assert fit["dockerfile"].startswith("FROM ")


def test_a_layer_without_an_image_gets_the_automatic_one(shell):
    shell.write(
        "main.py",
        """
        # /// script
        # dependencies = ["six"]
        # ///
        from laminar import Flow, Layer

        class Plain(Flow): ...

        @Plain.register
        class Only(Layer):
            def __call__(self) -> None: ...
        """,
    )
    [one] = shell.laminar("build", "main.py", "--dryrun", "-o", "json").plain["images"]
    assert one["names"] == ["Plain/Only"]
    assert one["image"].startswith("laminar-main:")
    assert "RUN /opt/laminar/pip six" in one["dockerfile"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian.py"], "There is no file trian.py. Did you mean 'train.py'?"),
        (["train.py", "Trian"], "train.py declares no image 'Trian'. Did you mean 'Train'?"),
        (["train.py", "Train/Fitt"], "train.py declares no image 'Train/Fitt'. Did you mean 'Train/Fit'"),
        (["empty.py"], "empty.py declares no image: it has neither an Image object nor a flow with layers."),
        (["missing.py", "--dryrun"], "with_requirements: "),
    ],
)
def test_wrong_use_is_told_with_the_nearest_names(shell, arguments, words):
    shell.write("empty.py", "")
    shell.write(
        "missing.py", "from laminar import Image\nimage = Image.from_debian_base().with_requirements('nowhere.txt')"
    )
    answer = shell.laminar("build", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err


def test_an_engine_that_does_not_answer_is_told(shell):
    answer = shell.laminar("build", "train.py", DOCKER_HOST="unix:///nowhere.sock")
    assert answer.code == 1
    assert "unix:///nowhere.sock" in answer.err


def test_what_a_file_declares_is_built_once(shell, docker_workshop):
    engine = docker_workshop.engine
    shell.write("train.py", TRAIN.format(name=docker_workshop.name, base=engine.image))
    variables = {name: os.environ[name] for name in engine.variables}
    first = shell.laminar("build", "train.py", "-o", "json", **variables)
    [fit, report] = first.plain["images"]
    assert report["image"] == engine.image
    assert f"laminar: Building the image {fit['image']}." in first.err
    assert engine.docker("run", "--rm", fit["image"], "printenv", "MADE") == "by a command"
    [log] = (shell.folder / ".laminar" / "logs" / "images").iterdir()
    assert fit["image"].rpartition(":")[2] in log.read_text()
    again = shell.laminar("build", "train.py", "-o", "json", **variables)
    assert (again.plain, again.err) == (first.plain, "")


def test_a_build_that_fails_ends_the_command(shell, docker_workshop):
    shell.write(
        "bad.py",
        f"""
        from laminar import Image
        image = Image.from_registry("{docker_workshop.base}").with_commands("echo so wrong; exit 3")
        """,
    )
    answer = shell.laminar("build", "bad.py", "-q")
    assert answer.code == 1
    assert "RUN echo so wrong; exit 3" in answer.err
    assert "so wrong" in answer.err


def test_an_image_without_a_registry_cannot_be_pushed(shell, docker_workshop):
    shell.write("train.py", TRAIN.format(name=docker_workshop.name, base=docker_workshop.engine.image))
    answer = shell.laminar("build", "train.py", "--push")
    assert answer.code == 2
    assert "LAMINAR_IMAGE_REGISTRY" in answer.err


def test_an_image_has_what_the_datastore_of_its_flow_needs(shell):
    shell.write(
        "main.py",
        """
        from laminar import Flow, Layer
        from laminar.configurations import datastores

        class Far(Flow): ...

        @Far.register
        class Only(Layer):
            def __call__(self) -> None: ...

        if flow := Far(datastore=datastores.S3(root="s3://bucket/runs")):
            flow()
        """,
    )
    answer = shell.laminar("build", "main.py", "--dryrun")
    assert "obstore" in answer.out
