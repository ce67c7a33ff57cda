"""Flows whose layers say where in their containers they run, and how; they tell the test what they find."""

import os
import sys
import urllib.parse
import urllib.request
from pathlib import Path

from laminar import Flow, Layer
from laminar.configurations.hooks import submission
from laminar.configurations.layers import Container, ForEach, Parameter

EARLY = os.environ.get("EARLY", "unknown")


def note(*what):
    said = urllib.parse.quote(" ".join(map(str, what)))
    urllib.request.urlopen(f"{os.environ['OUTSIDE']}/note/{said}").close()


class Placed(Flow): ...


@Placed.register
class Usual(Layer):
    def __call__(self) -> None:
        Path("scratch").write_text("kept on disk")
        note("usual", os.getcwd(), Path(__file__).parent, Path("/laminar/scratch").read_text())


@Placed.register(container=Container(workdir="/srv/app/", env={"EARLY": "before the code is loaded"}))
class Elsewhere(Layer):
    def __call__(self, usual: Usual) -> None:
        note("elsewhere", os.getcwd(), Path(__file__).parent, EARLY)


class Commanded(Flow): ...


@Commanded.register(container=Container(command="env SAID='a word' python placed.py apart", workdir="/srv/app"))
class Spoken(Layer):
    def __call__(self) -> None:
        note("spoken", os.environ["SAID"], *sys.argv[1:], os.getcwd(), __name__)
        self.word = os.environ["SAID"]


@Commanded.register
class Heard(Layer):
    def __call__(self, spoken: Spoken) -> None:
        note("heard", spoken.word)


class Unstarted(Flow): ...


@Unstarted.register(container=Container(command="no-such-program main.py"))
class Never(Layer):
    def __call__(self) -> None: ...


class Moved(Flow): ...


@Moved.register
class Many(Layer):
    def __call__(self) -> None:
        self.shard(number=[1, 2])


@Moved.register(foreach=ForEach(parameters=[Parameter(layer=Many, attribute="number")]))
class Changed(Layer):
    def __call__(self, many: Many) -> None: ...

    @submission
    def elsewhere(self):
        if self.index == 1:
            self.configuration.container.image = "another/image:1"
        yield


if __name__ == "__main__":
    if flow := Commanded():
        flow()
