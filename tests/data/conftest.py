from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

import moto_process


@pytest.fixture(scope="session")
def s3_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with moto_process.serving(str(tmp_path_factory.mktemp("moto") / "log")) as address:
        yield address


@pytest.fixture
def s3_root() -> str:
    """A prefix that no other test uses."""
    return f"s3://{moto_process.BUCKET}/{uuid.uuid4().hex}/laminar"


@pytest.fixture
def s3_options(s3_address: str) -> dict[str, str]:
    return moto_process.options(s3_address)
