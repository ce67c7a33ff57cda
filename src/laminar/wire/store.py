"""What attempts and people ask of the store of a server. Names are those of :mod:`laminar.data`, within the space."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct

from laminar.wire.deployments import ContentMd5

#: Bytes that travel in a request or an answer; more goes by a signed address.
INLINE = 1 << 16
#: Operations in one request.
MOST = 500

Key: TypeAlias = Annotated[str, Meta(min_length=1, max_length=1000)]
Small: TypeAlias = Annotated[bytes, Meta(max_length=INLINE)]


class ReadBlob(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="read", tag_field="do"):
    """Read a blob: its bytes if they are few, else where they are to be had."""

    key: Key


class WriteBlob(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="write", tag_field="do"):
    """Write a small blob, whole."""

    key: Key
    data: Small


class PutBlob(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="put", tag_field="do"):
    """Ask where a blob is to be sent.

    Attributes:
        key: Its name.
        size: How many bytes it has.
        content_md5: Their MD5 in Base64.
    """

    key: Key
    size: Annotated[int, Meta(ge=0)]
    content_md5: ContentMd5


class AppendLines(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="append", tag_field="do"):
    """Add lines to a log, in one go."""

    key: Key
    data: Annotated[bytes, Meta(max_length=1 << 19)]


class FindLog(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="lines", tag_field="do"):
    """Find a log: its bytes or where they are to be had, or the names of its pieces, in order."""

    key: Key


class AskSize(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="size", tag_field="do"):
    """Ask how many bytes a blob has."""

    key: Key


class ListNames(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="names", tag_field="do"):
    """List the names directly below a prefix."""

    prefix: Annotated[str, Meta(max_length=1000)]


class DeleteBlob(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True, tag="delete", tag_field="do"):
    """Remove a blob; one that is named by its content goes only if it is damaged."""

    key: Key


Reading: TypeAlias = ReadBlob | FindLog | AskSize | ListNames
Operation: TypeAlias = Reading | WriteBlob | PutBlob | AppendLines | DeleteBlob


class StoreRequest(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Operations, to be carried out in this order; what comes after one that is refused is not."""

    operations: Annotated[list[Operation], Meta(max_length=MOST)]


class StoreReading(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Operations that change nothing, to be carried out in this order."""

    operations: Annotated[list[Reading], Meta(max_length=MOST)]


class StoreReply(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """What became of an operation.

    Attributes:
        size: How many bytes the blob has; None if there is none, and where nothing was asked about one.
        data: Its bytes, where they are few.
        url: Where they are to be had, or to be sent.
        headers: What a request that sends them must say.
        names: What is below a prefix, or the names of the pieces of a log.
    """

    size: int | None = None
    data: bytes | None = None
    url: str | None = None
    headers: dict[str, str] = {}
    names: list[str] | None = None


class StoreAnswer(Struct, kw_only=True, frozen=True):
    """What became of operations, in their order."""

    replies: list[StoreReply]
