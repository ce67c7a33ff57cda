"""The inside of a deployment, by the names that the page gives to it: each is one request to the server."""

from __future__ import annotations

import os
import tempfile
from types import SimpleNamespace
from typing import Any, NamedTuple

import my_example

from laminar.runs import configuration, connecting, planning
from laminar.wire.deployments import DeploymentView, DeployRequest, UploadAnswer, UploadRequest

configuration.init_from_config()
server = connecting.client()
plan = planning.plan([my_example.env])

project, domain = server.project, server.domain
bundle_path = os.path.join(tempfile.mkdtemp(), "code_bundle.tgz")
md5_hash = plan.bundle.write(bundle_path)
[task_template] = plan.requests
uploaded_bundle_uri, built_image_uri = task_template.bundle, task_template.entities[0].image


class CreateUploadLocationRequest(NamedTuple):
    project: str
    domain: str
    content_md5: str
    filename: str


class DeployTaskRequest(NamedTuple):
    task_spec: DeployRequest
    code_bundle_uri: str
    image_uri: str | None


class Location(NamedTuple):
    signed_url: UploadAnswer


def locate(request: CreateUploadLocationRequest) -> Location:
    size = os.path.getsize(bundle_path)
    wanted = UploadRequest(content_md5=request.content_md5, size=size, filename=request.filename)
    path = f"/projects/{request.project}/domains/{request.domain}/uploads"
    return Location(server.call("POST", path, body=wanted, returns=UploadAnswer))


def upload_file_to_signed_url(path: str, answer: UploadAnswer) -> None:
    assert not answer.exists
    assert answer.url is not None
    with open(path, "rb") as file:
        server.put(answer.url, file, answer.headers)


def register(request: DeployTaskRequest) -> DeploymentView:
    assert request.code_bundle_uri == request.task_spec.bundle
    return server.call("POST", server.space_path("/deployments"), body=request.task_spec, returns=DeploymentView)


client: Any = SimpleNamespace(
    dataproxy_service=SimpleNamespace(CreateUploadLocation=locate),
    task_service=SimpleNamespace(DeployTask=register),
)


def is_there() -> bool:
    """Whether the bundle needs no upload any more."""
    return locate(CreateUploadLocationRequest(project, domain, md5_hash, "code_bundle.tgz")).signed_url.exists


def send() -> None:
    """Do what comes before a task is registered."""
    wanted = CreateUploadLocationRequest(project, domain, md5_hash, "code_bundle.tgz")
    upload_file_to_signed_url(bundle_path, locate(wanted).signed_url)
