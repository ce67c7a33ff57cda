"""What pages need around them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from laminar.host import processes

#: The image that a page builds by name.
BUILT = {"images.md": "laminar-train"}


@pytest.fixture
def bucket():
    """A server on loopback that speaks S3's protocol, with a bucket, and the variables that lead there."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "reader", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **keys).create_bucket(Bucket="my-bucket")
    yield {
        "AWS_ENDPOINT_URL": address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "reader",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    server.stop()


@pytest.fixture
def server_variables(tmp_path_factory):
    """What leads to a server, started for the page alone."""
    folder = tmp_path_factory.mktemp("server")
    command = [str(Path(sys.executable).with_name("laminar")), "serve", "--port", "0", "--log", "json"]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        said = map(json.loads, server.stderr)
        url = next(line["url"] for line in said if line["message"] == "listening")
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield {"LAMINAR_SERVER_ENDPOINT": url}
        server.terminate()
    for pid in processes.labelled("agent/"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in Path(f"/proc/{pid}/environ").read_bytes():
                processes.kill_tree(pid)


@pytest.fixture
def container_variables(engine_named, page):
    """What leads to an engine; the images that the page builds there by name are removed, and no other page's."""
    engine = engine_named("docker")
    yield engine.variables
    names = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()
    if images := [name for name in names if name.partition(":")[0] == BUILT.get(page.name)]:
        engine.docker("rmi", "--force", *images)
