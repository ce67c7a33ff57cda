"""An image is a value: each step gives a new one, and nonsense is refused where it is written."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from laminar import Image
from laminar.errors import FlowError

WORDS = st.text("abcxyz", min_size=1, max_size=5)
STEPS = st.one_of(
    st.tuples(st.just("with_pip_packages"), WORDS),
    st.tuples(st.just("with_apt_packages"), WORDS),
    st.tuples(st.just("with_commands"), WORDS),
    st.tuples(st.just("with_workdir"), WORDS.map("/{}".format)),
    st.tuples(st.just("with_env_vars"), st.dictionaries(WORDS, WORDS, min_size=1)),
    st.tuples(st.just("with_requirements"), WORDS),
    st.tuples(st.just("with_uv_project"), WORDS),
    st.tuples(st.just("with_source_file"), WORDS),
    st.tuples(st.just("with_source_folder"), WORDS),
)


def made(steps):
    image = Image.from_debian_base()
    for name, argument in steps:
        image = getattr(image, name)(argument)
    return image


@given(st.lists(STEPS, max_size=4), STEPS)
def test_a_step_gives_a_new_image_and_leaves_the_old_one_as_it_was(steps, more):
    image = made(steps)
    before = pickle.dumps(image)
    other = getattr(image, more[0])(more[1])
    assert pickle.dumps(image) == before
    assert other != image
    assert other.steps[:-1] == image.steps


@given(st.lists(STEPS, max_size=4))
def test_images_of_the_same_steps_are_equal_and_survive_a_pickle(steps):
    image = made(steps)
    assert made(steps) == image
    assert hash(made(steps)) == hash(image)
    copy = pickle.loads(pickle.dumps(image))
    assert copy == image
    assert hash(copy) == hash(image)


def test_nothing_of_an_image_can_be_set():
    image = Image.from_debian_base()
    with pytest.raises(AttributeError, match="cannot be changed"):
        image.name = "other"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda image: Image.from_debian_base("three"), "python_version='three'"),
        (lambda image: Image.from_debian_base("2.7"), "python_version='2.7'"),
        (lambda image: Image.from_debian_base(name="Has Space"), "name='Has Space'"),
        (lambda image: Image.from_debian_base(registry="not a registry"), "registry='not a registry'"),
        (lambda image: Image.from_registry(""), "uri=''"),
        (lambda image: Image.from_registry("a\nRUN evil"), "uri="),
        (lambda image: Image.from_registry("Has/Upper"), "uri='Has/Upper'"),
        (lambda image: Image.from_registry("image:"), "uri='image:'"),
        (lambda image: Image.from_dockerfile(""), "path=''"),
        (lambda image: Image.from_dockerfile(3), "path=3"),
        (lambda image: image.with_pip_packages(), r"with_pip_packages\(\) adds nothing"),
        (lambda image: image.with_pip_packages(["numpy"]), "expects strings"),
        (lambda image: image.with_pip_packages("--index-url"), "looks like an option"),
        (lambda image: image.with_pip_packages("a", index_url=""), "index_url=''"),
        (lambda image: image.with_pip_packages("a", extra_index_urls=[3]), r"extra_index_urls=\[3\]"),
        (lambda image: image.with_pip_packages("a", extra_args="'"), "extra_args"),
        (lambda image: image.with_apt_packages("git\nRUN evil"), "expects strings"),
        (lambda image: image.with_commands(), "adds nothing"),
        (lambda image: image.with_commands(" "), "expects strings"),
        (lambda image: image.with_env_vars({"1A": "x"}), "'1A' cannot be the name"),
        (lambda image: image.with_env_vars({"A": 1}), "A expects a string"),
        (lambda image: image.with_env_vars({"A": "x\ny"}), "of one line"),
        (lambda image: image.with_workdir("here"), "no absolute path"),
        (lambda image: image.with_source_file(""), "src=''"),
        (lambda image: image.with_source_file("a", ""), "dst=''"),
        (lambda image: image.with_uv_project("p", project_install_mode="all"), "neither 'dependencies_only'"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(make, words):
    with pytest.raises(FlowError, match=words):
        make(Image.from_debian_base())


def test_python_may_be_named_as_text_or_as_numbers():
    assert Image.from_debian_base((3, 12)) == Image.from_debian_base("3.12")
    assert Image.from_debian_base() == Image.from_debian_base(sys.version_info[:2])


@pytest.mark.parametrize(
    "uri",
    [
        "python",
        "pytorch/pytorch:2.0-cuda11.7",
        "localhost:5000/a/b__c:1",
        "Registry.Example.com/a-b",
        f"python@sha256:{'0' * 64}",
        f"sha256:{'0' * 64}",
    ],
)
def test_whatever_names_an_image_is_accepted(uri):
    assert Image.from_registry(uri).base.uri == uri


def test_from_base_is_another_word_for_from_registry():
    assert Image.from_base("python:3.12") == Image.from_registry("python:3.12")


def test_describing_an_image_loads_nothing_that_takes_time():
    program = (
        "import sys; from laminar import Image; Image.from_debian_base(name=None).with_pip_packages('a');"
        "print(sorted(set(sys.modules) & {'pathlib', 'subprocess', 'asyncio', 'aiodocker', 'tomllib', 're', 'typing'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
