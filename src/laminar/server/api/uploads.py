"""Uploads of code: whoever deploys asks where a bundle goes, and sends it there."""

from __future__ import annotations

import base64
import binascii

from anyio import to_thread

from laminar.errors import UploadRefusedError
from laminar.server import deployments, keys
from laminar.server.identity import Role
from laminar.server.problems import refusal
from laminar.server.routes import KIB, Asked, Route
from laminar.wire.deployments import UploadAnswer, UploadRequest

#: Bytes of the largest bundle.
LARGEST = 256 * KIB * KIB


async def upload(asked: Asked) -> UploadAnswer:
    """Say where a bundle goes."""
    return await to_thread.run_sync(_place, asked)


def _place(asked: Asked) -> UploadAnswer:
    wanted: UploadRequest = asked.body
    if wanted.size > LARGEST:
        raise UploadRefusedError(
            f"{wanted.filename} has {wanted.size:,} bytes, and a bundle has {LARGEST:,} at most. Name in "
            ".laminarignore what the code does not need."
        )
    services, path = asked.services, asked.path
    store = services.store
    space = deployments.space(services.engine.catalog, path["project"], path["domain"])
    key = keys.bundle(space, _hexadecimal(wanted.content_md5))
    if store.blobs.renew(key) == wanted.size:
        return UploadAnswer(exists=True)
    signed = store.signed_put(key, md5=wanted.content_md5, size=wanted.size)
    return UploadAnswer(exists=False, url=signed.url, headers=dict(signed.headers))


def _hexadecimal(content_md5: str) -> str:
    try:
        return base64.b64decode(content_md5, validate=True).hex()
    except binascii.Error:
        raise refusal(422, f"{content_md5!r} is no MD5 in Base64.") from None


ROUTES = (
    Route(
        "POST",
        "/projects/{project}/domains/{domain}/uploads",
        Role.EDITOR,
        upload,
        "Ask where a bundle is to be sent.",
        body=UploadRequest,
        returns=UploadAnswer,
        most=4 * KIB,
    ),
)
