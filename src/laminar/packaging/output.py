"""What a build says: shown live, kept in a file, and the end of it in a note of the error."""

from __future__ import annotations

import os
import re

from laminar.errors import ImageBuildError
from laminar.host import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Lines that a note repeats.
LAST = 20
CLASSIC_STEP = re.compile(r"^(?:Step|STEP) \d+/\d+ ?: (.*)")
BUILDKIT_STEP = re.compile(r"^#(\d+) \[[^\]]*\d+/\d+\] (.*)")
BUILDKIT_ERROR = re.compile(r"^#(\d+) ERROR\b")
#: Which object a step is, as older versions of BuildKit say; of use to nobody who waits.
DIGEST = re.compile(r"^#\d+ sha256:[0-9a-f]{64}$")


class Output:
    """The output of one build.

    Attributes:
        step: The step that is at work, or that failed.
        path: Path of the file.
    """

    def __init__(self, image: str, tell: Callable[[str], None], logs: str) -> None:
        """Open the file.

        Args:
            image: Name of the image that is built.
            tell: Takes each line.
            logs: Folder of the file.
        """
        self.step = ""
        self.path = os.path.join(logs, f"{re.sub(r'[^A-Za-z0-9._-]+', '-', image)}.log")
        self._image = image
        self._tell = tell
        self._last: list[str] = []
        self._begun = ""
        self._steps: dict[str, str] = {}
        self._file = files.open_log(self.path)

    def add(self, text: str) -> None:
        """Take text as it comes; lines may be broken anywhere."""
        *lines, self._begun = (self._begun + text.replace("\r\n", "\n")).split("\n")
        for line in lines:
            self._line(line.rstrip())

    def close(self) -> None:
        """Take what has no end of line yet, and close the file."""
        if self._begun:
            self.add("\n")
        os.close(self._file)

    def _line(self, line: str) -> None:
        os.write(self._file, f"{line}\n".encode())
        if not line or DIGEST.match(line):
            return
        self._note(line)
        self._last = [*self._last[1 - LAST :], line]
        self._tell(line)

    def _note(self, line: str) -> None:
        """Note which step this is about."""
        if found := CLASSIC_STEP.match(line):
            self.step = found[1]
        elif found := BUILDKIT_STEP.match(line):
            self._steps[found[1]] = found[2]
        elif (found := BUILDKIT_ERROR.match(line)) and found[1] in self._steps:
            self.step = self._steps[found[1]]

    def failure(self, words: str) -> ImageBuildError:
        """Say that the build failed.

        Args:
            words: What the builder says.
        """
        if self._begun:
            self.add("\n")
        lines = "\n".join(f"  {line}" for line in self._last)
        step = f"at the step\n  {self.step}\n" if self.step else ""
        error = ImageBuildError(
            f"Building the image {self._image} failed {step}with: {words}\n"
            f"All of its output is in {self.path}. Mend the step and run again; what was built before it is kept."
        )
        error.add_note(f"Its last lines:\n{lines}")  # not in the text, which is told next to the live lines too
        error.image, error.step, error.log = self._image, self.step, self.path
        return error
