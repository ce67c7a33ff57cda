"""Datastores as containers reach them."""

from __future__ import annotations

from pathlib import Path

import pytest

import moto_process
from engines import Engine
from programs import HOLD, artifacts, inspected, write

SECRET = "never-to-be-seen"
CHAIN = """
    class OneFlow(Flow): ...

    @OneFlow.register
    class First(Layer):
        def __call__(self):
            self.shard(values=[1, 2])
            self.large = b"x" * 3_000_000
            self.seen = sorted(os.environ)

    @OneFlow.register(foreach=ForEach(parameters=[Parameter(layer=First, attribute="values")]))
    class Each(Layer):
        def __call__(self, first: First):
            self.twice = 2 * self.index + len(first.large)
"""
RESULT = "[list(execution.layer('Each').twice), execution.layer('First').seen]"


@pytest.fixture
def s3(shared_s3: tuple[str, str]) -> dict[str, str]:
    here, there = shared_s3
    if here != there:
        pytest.skip("containers reach the server by another address than this machine")
    return moto_process.options(here)


def test_a_bucket_is_reached_by_settings_of_the_program_and_no_secret_is_told_to_the_engine(
    container_engine: Engine, s3: dict[str, str], tmp_path: Path
) -> None:
    options = {**s3, "secret_access_key": SECRET}
    root = f"s3://bucket/given on {container_engine.name}"
    body = CHAIN.replace("self.shard", f"hold({str(tmp_path / '.laminar')!r}); self.shard")
    script = write(tmp_path, HOLD, body, datastore=f"datastores.S3(root='{root}', **{options})", artifacts=RESULT)
    text, (found, _) = inspected(container_engine, script, tmp_path / ".laminar")
    assert found == [3_000_000, 3_000_002]
    assert "laminar" in text
    assert SECRET not in text


def test_a_bucket_is_reached_by_settings_of_the_environment(
    docker_host: str, s3: dict[str, str], tmp_path: Path
) -> None:
    variables = {
        "AWS_ENDPOINT_URL": s3["endpoint"],
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": s3["region"],
        "SOMETHING_ELSE": "stays here",
    }
    script = write(tmp_path, CHAIN, datastore="datastores.S3(root='s3://bucket/environment')", artifacts=RESULT)
    found, seen = artifacts(script, env=variables)
    assert found == [3_000_000, 3_000_002]
    assert set(variables) - set(seen) == {"SOMETHING_ELSE"}
