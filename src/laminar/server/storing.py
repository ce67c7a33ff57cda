"""Carries out what an attempt asks of the store.

Content is named by its hash, and attempts of one space share it, so nobody takes it from the others: what is whole is
neither replaced nor removed.
"""

from __future__ import annotations

import functools

from laminar.errors import PermissionDeniedError
from laminar.server import keys
from laminar.wire import store as asked
from laminar.wire.store import INLINE, StoreReply

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from laminar.server.keys import Permit
    from laminar.server.store import Store

#: Bytes of blobs in one answer; what comes after them goes by signed addresses.
TOGETHER = 1 << 20


class Counter:
    """Carries out the operations of one request.

    Args:
        store: The store.
        permit: What who asks may touch.
    """

    def __init__(self, store: Store, permit: Permit) -> None:
        """Begin with an empty answer."""
        self._store = store
        self._permit = permit
        self._room = TOGETHER

    def carry_out(self, operations: Iterable[asked.Operation]) -> list[StoreReply]:
        """Carry out operations, in their order; gives what became of each.

        Raises:
            PermissionDeniedError: One of them is not allowed.
            RequestError: One is about something that is no name.
            UploadRefusedError: A blob is too large.
            StorageError: The store does not do it.
        """
        return [self._one(operation) for operation in operations]

    @functools.singledispatchmethod
    def _one(self, operation: asked.Operation) -> StoreReply:
        raise TypeError(f"{type(operation).__name__} is no operation.")

    @_one.register
    def _(self, operation: asked.ReadBlob) -> StoreReply:
        return self._found(self._readable(operation.key))

    @_one.register
    def _(self, operation: asked.AskSize) -> StoreReply:
        return StoreReply(size=self._store.blobs.size(self._readable(operation.key)))

    @_one.register
    def _(self, operation: asked.ListNames) -> StoreReply:
        return StoreReply(names=self._store.blobs.names(self._readable(operation.prefix.rstrip("/"))))

    @_one.register
    def _(self, operation: asked.FindLog) -> StoreReply:
        key = self._readable(operation.key)
        names = self._store.blobs.names(key)  # where logs cannot grow, their pieces are below their name
        return StoreReply(names=names) if names else self._found(key)

    @_one.register
    def _(self, operation: asked.WriteBlob) -> StoreReply:
        key = self._writable(operation.key)
        if not self._may_be_relied_on(operation.key, key):
            self._store.blobs.write(key, operation.data)
        return StoreReply(size=len(operation.data))

    @_one.register
    def _(self, operation: asked.PutBlob) -> StoreReply:
        key = self._writable(operation.key)
        if self._may_be_relied_on(operation.key, key):
            return StoreReply(size=operation.size)
        is_record = keys.content(operation.key) is None
        signed = self._store.signed_put(key, md5=operation.content_md5, size=operation.size, replace=is_record)
        return StoreReply(url=signed.url, headers=dict(signed.headers))

    @_one.register
    def _(self, operation: asked.AppendLines) -> StoreReply:
        key = self._writable(operation.key)
        if keys.content(operation.key) is not None:
            raise PermissionDeniedError(f"{operation.key} is named by its content, and nothing is added to that.")
        self._store.blobs.append(key, operation.data)
        return StoreReply()

    @_one.register
    def _(self, operation: asked.DeleteBlob) -> StoreReply:
        key = self._writable(operation.key)
        if not self._is_kept(operation.key, key):
            self._store.blobs.delete(key)
        return StoreReply()

    def _readable(self, name: str) -> str:
        key = self._permit.readable(name)
        self._store.see(key)
        return key

    def _writable(self, name: str) -> str:
        key = self._permit.writable(name)
        self._store.see(key)
        return key

    def _found(self, key: str) -> StoreReply:
        """Give the bytes of a blob if they are few, else where they are to be had."""
        size = self._store.blobs.size(key)
        if size is None:
            return StoreReply()
        if size > min(INLINE, self._room):
            return StoreReply(size=size, url=self._store.signed_get(key))
        self._room -= size
        try:
            data = self._store.blobs.read(key)
        except FileNotFoundError:  # removed since
            return StoreReply()
        return StoreReply(size=len(data), data=data)

    def _is_kept(self, name: str, key: str) -> bool:
        """Tell whether content is there and whole, which then stays; what is damaged goes at once."""
        hexdigest = keys.content(name)
        if hexdigest is None or self._store.blobs.size(key) is None:
            return False
        if self._store.is_damaged(key, hexdigest):
            self._store.blobs.delete(key)
            return False
        return True

    def _may_be_relied_on(self, name: str, key: str) -> bool:
        """Tell whether content need not be written, since it is there and whole, and will stay."""
        return self._is_kept(name, key) and self._store.blobs.renew(key) is not None
