"""What every implementation of :class:`laminar.data.contract.Blobs` must do."""

from __future__ import annotations

import array
import pickle
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from laminar.data.contract import Blobs

#: More than any implementation handles in one piece.
LARGE = bytes(range(256)) * 12_345


class BlobsConformance:
    """Subclass it and give the fixture ``blobs``: an empty place that is ready to write.

    Attributes:
        shared: Whether a pickled copy reaches the same blobs, as other processes must.
        many: A number of names that is more than a page of a listing, where there are pages.
    """

    shared = True
    many = 1203

    @pytest.fixture
    def blobs(self) -> Blobs:
        """Give an empty place, after ``prepare()``."""
        raise NotImplementedError("Give the fixture 'blobs'.")

    @pytest.mark.parametrize("data", [b"", b"one", bytes(range(256)), LARGE], ids=["empty", "few", "all", "large"])
    def test_what_is_written_can_be_read(self, blobs: Blobs, data: bytes) -> None:
        """Bytes come back as they were, in one piece and as a stream; their number is known."""
        blobs.write("space/a.bin", data)
        assert blobs.read("space/a.bin") == data
        with blobs.open("space/a.bin") as file:
            assert _all_of(file.read) == data
        assert blobs.size("space/a.bin") == len(data)

    def test_the_last_write_wins(self, blobs: Blobs) -> None:
        """A second write replaces all of the first."""
        blobs.write("space/a", b"a longer first value")
        blobs.write("space/a", b"second")
        assert blobs.read("space/a") == b"second"

    @pytest.mark.parametrize("path", ["space/none", "none/at/all", "space/a/below-a-blob"])
    def test_what_is_missing_is_told_so(self, blobs: Blobs, path: str) -> None:
        """A name without a blob has no bytes, no size and nothing below it; to delete it does no harm."""
        blobs.write("space/a", b"there")
        with pytest.raises(FileNotFoundError):
            blobs.read(path)
        with pytest.raises(FileNotFoundError):
            blobs.open(path)
        assert blobs.size(path) is None
        assert blobs.names(path) == []
        assert blobs.lines(path) == []
        blobs.delete(path)

    def test_a_deleted_blob_is_gone(self, blobs: Blobs) -> None:
        """After delete the name is missing, and its neighbours are there."""
        blobs.write("space/a", b"a")
        blobs.write("space/b", b"b")
        blobs.delete("space/a")
        assert blobs.size("space/a") is None
        assert blobs.names("space") == ["b"]

    def test_names_are_those_directly_below(self, blobs: Blobs) -> None:
        """Blobs and folders are listed once each, sorted, without what lies deeper or only begins alike."""
        for path in ("space/b", "space/a/1", "space/a/2/x", "space/.hidden/y", "spaces/z", "space2"):
            blobs.write(path, b"x")
        assert blobs.names("space") == [".hidden", "a", "b"]
        assert blobs.names("space/") == [".hidden", "a", "b"]
        assert blobs.names("space/a") == ["1", "2"]
        assert [name for name in blobs.names("") if not name.startswith(".")] == ["space", "space2", "spaces"]

    def test_many_names_are_all_listed(self, blobs: Blobs) -> None:
        """Listing does not end at a page."""
        expected = sorted(f"{number:05d}" for number in range(self.many))
        for name in expected:
            blobs.write(f"space/{name}", b"")
        assert blobs.names("space") == expected

    @pytest.mark.parametrize(
        "name", ["Größe", "naïve café", "日本", "a+b=c&d", "per%cent%20", "hash#tag?", "~tilde", "(x)'s"]
    )
    def test_names_may_have_any_letters(self, blobs: Blobs, name: str) -> None:
        """A name comes back from a listing as it was given."""
        blobs.write(f"space/{name}/{name}.json", b"x")
        assert blobs.names("space") == [name]
        assert blobs.names(f"space/{name}") == [f"{name}.json"]
        assert blobs.read(f"space/{name}/{name}.json") == b"x"

    def test_an_upload_shows_nothing_before_its_commit(self, blobs: Blobs) -> None:
        """Bytes are given before the name, and appear whole."""
        upload = blobs.upload()
        upload.write(LARGE)
        upload.write(memoryview(b"and more"))
        assert blobs.names("space") == []
        upload.commit("space/large")
        assert blobs.read("space/large") == LARGE + b"and more"
        upload.abort()
        assert blobs.size("space/large") == len(LARGE) + len(b"and more")

    def test_an_upload_takes_memory_of_any_shape(self, blobs: Blobs) -> None:
        """A view of numbers is stored as its bytes."""
        numbers = array.array("d", [1.0, 2.0, 3.0])
        upload = blobs.upload()
        upload.write(memoryview(numbers))
        upload.write(b"")
        upload.commit("space/numbers")
        assert blobs.read("space/numbers") == numbers.tobytes()
        assert blobs.size("space/numbers") == 24

    def test_an_aborted_upload_leaves_nothing(self, blobs: Blobs) -> None:
        """Abort may come at any time, and twice."""
        upload = blobs.upload()
        upload.write(LARGE)
        upload.abort()
        upload.abort()
        blobs.upload().abort()
        assert [name for name in blobs.names("") if not name.startswith(".")] == []

    def test_a_stream_gives_what_is_asked_for(self, blobs: Blobs) -> None:
        """Parts of any size, in order, and nothing at the end."""
        blobs.write("space/a", LARGE)
        with blobs.open("space/a") as file:
            assert file.read(5) == LARGE[:5]
            assert file.read(0) == b""
            assert _all_of(file.read, 100_000) == LARGE[5:]
            assert file.read(1) == b""

    def test_lines_of_a_log_stay_in_order(self, blobs: Blobs) -> None:
        """A log is read as it was written, line by line."""
        lines = [f'{{"index": {number}}}'.encode() for number in range(25)]
        for line in lines:
            blobs.append("space/log.jsonl", line)
        assert blobs.lines("space/log.jsonl") == lines

    def test_readers_never_see_a_part_of_a_write(self, blobs: Blobs) -> None:
        """While two writers take turns, a reader sees one value or the other, whole."""
        values = [letter * 200_000 for letter in (b"x", b"y")]
        blobs.write("space/a", values[0])
        failures: list[BaseException] = []

        def write() -> None:
            try:
                for _ in range(10):
                    for value in values:
                        blobs.write("space/a", value)
            except BaseException as error:
                failures.append(error)

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            assert blobs.read("space/a") in values
        assert failures == []

    def test_to_prepare_again_does_no_harm(self, blobs: Blobs) -> None:
        """Every run prepares."""
        blobs.write("space/a", b"kept")
        blobs.prepare()
        assert blobs.read("space/a") == b"kept"

    def test_a_copy_reaches_the_same_blobs(self, blobs: Blobs) -> None:
        """Workers get the blobs pickled, also after these have been used."""
        if not self.shared:
            pytest.skip("these blobs belong to one process")
        blobs.write("space/a", b"from here")
        copy: Blobs = pickle.loads(pickle.dumps(blobs))  # noqa: S301 - our own
        assert copy.read("space/a") == b"from here"
        copy.write("space/b", b"from there")
        assert blobs.read("space/b") == b"from there"

    def test_people_are_told_where_a_blob_is(self, blobs: Blobs) -> None:
        """The address begins with the root and ends with the name."""
        assert blobs.where("space/a").startswith(blobs.root)
        assert blobs.where("space/a").endswith("/space/a")


def _all_of(read: object, size: int = 1 << 16) -> bytes:
    parts = []
    while part := read(size):  # type: ignore[operator]
        parts.append(part)
    return b"".join(parts)
