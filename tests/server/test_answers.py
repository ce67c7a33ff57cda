"""What every answer has: problems that name what to do, ids, a line in the log, a count."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import faces
import msgspec
import pytest

from laminar import errors
from laminar.runs import configuration, examining
from laminar.server import logs
from laminar.server.identity import Role
from laminar.server.routes import Asked, Route
from laminar.server.settings import Settings
from laminar.wire.problems import STATUSES, Problem, error_of, problem_of

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.LaminarError)]


async def mistake(asked: Asked) -> None:
    raise ZeroDivisionError("a secret of the server")


async def refuse(asked: Asked) -> None:
    raise errors.UnknownProjectError("No project 'x' is known.")


async def silent(asked: Asked) -> None:
    raise errors.LedgerError("The database does not answer.")


@pytest.fixture
def face() -> Iterator[faces.Face]:
    more = (
        Route("GET", "/mistake", Role.VIEWER, mistake, "Fail."),
        Route("GET", "/refuse/{project}", Role.VIEWER, refuse, "Refuse."),
        Route("GET", "/ledger", Role.VIEWER, silent, "Find no database."),
    )
    with faces.running((*faces.ROUTES, *more)) as found:
        yield found


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The server's log, as JSON."""
    root, before = logging.getLogger(), (logging.getLogger().handlers[:], logging.getLogger().level)
    stream = io.StringIO()
    logs.write_to(stream, "json")
    yield stream
    root.handlers[:], level = before
    root.setLevel(level)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_of_the_server_is_the_same_error_at_its_client(kind: type[errors.LaminarError]) -> None:
    problem = problem_of(kind("What happened. What to do."), "request")
    sent = msgspec.json.decode(msgspec.json.encode(problem), type=Problem)
    raised = error_of(sent)
    assert type(raised) is kind
    assert str(raised) == "What happened. What to do."
    assert 400 <= sent.status < 600


def test_a_class_without_a_status_of_its_own_has_that_of_the_nearest_above() -> None:
    assert problem_of(errors.DigestMismatchError("x")).status == STATUSES[errors.UploadRefusedError]


def test_a_client_that_does_not_know_an_error_says_what_the_server_said() -> None:
    raised = error_of(Problem(type="urn:laminar:of-the-future", title="x", status=499, detail="Wait for it."))
    assert type(raised) is errors.ServerError
    assert str(raised) == "Wait for it."


def test_a_refusal_is_a_problem_with_type_place_and_id(face: faces.Face) -> None:
    answer = face.ask("GET", "/api/v1/refuse/x")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json == {
        "type": "urn:laminar:unknown-project-error",
        "title": "Unknown project",
        "status": 404,
        "detail": "No project 'x' is known.",
        "request": answer.headers["x-request-id"],
    }


def test_a_mistake_of_the_server_tells_strangers_nothing_but_where_to_look(face: faces.Face, log: io.StringIO) -> None:
    answer = face.ask("GET", "/api/v1/mistake")
    assert (answer.status, answer.kind) == (500, "server-failed-error")
    assert b"secret" not in answer.data
    assert b"ZeroDivision" not in answer.data
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    told = next(line for line in lines if line["level"] == "error")
    assert told["request"] == answer.json["request"]
    assert "ZeroDivisionError: a secret of the server" in told["traceback"]


def test_a_database_that_does_not_answer_is_worth_asking_again(face: faces.Face) -> None:
    answer = face.ask("GET", "/api/v1/ledger")
    assert (answer.status, answer.kind, answer.headers["retry-after"]) == (503, "ledger-error", "1")


def test_an_unknown_path_and_a_wrong_method_say_what_there_is(face: faces.Face) -> None:
    assert "openapi.json" in face.ask("GET", "/api/v1/runz").json["detail"]
    wrong = face.ask("PATCH", "/api/v1/tokens")
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", ["/api/v1/me/", "//api/v1/me", "/api/v1/../v1/me", "/API/V1/ME", "/"])
def test_a_path_has_one_spelling(face: faces.Face, path: str) -> None:
    assert face.ask("GET", path).status == 404


def test_a_head_is_an_answer_without_its_body(face: faces.Face) -> None:
    answer = face.ask("HEAD", "/api/v1/me")
    assert (answer.status, answer.data) == (200, b"")
    assert answer.headers["content-length"] == str(len(face.ask("GET", "/api/v1/me").data))


@pytest.mark.parametrize("query", ["?x=1", "?signature=x", "?after"])
def test_a_parameter_that_is_not_known_is_refused(face: faces.Face, query: str) -> None:
    answer = face.ask("GET", f"/api/v1/me{query}")
    assert (answer.status, answer.kind) == (400, "request-error")


def test_a_body_where_none_belongs_is_refused(face: faces.Face) -> None:
    assert face.ask("GET", "/api/v1/me", {}).status == 400


def test_each_request_is_a_line_of_the_log_without_tokens_and_signatures(log: io.StringIO) -> None:
    with faces.running(auth=True) as face:
        token = face.token_for(Role.VIEWER, name="ann")
        answer = face.ask("GET", "/api/v1/me", token=token)
        face.ask("GET", "/api/v1/me?signature=hidden%0Aline")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    requests = [line for line in lines if line["message"] == "request"]
    assert requests[0]["request"] == answer.headers["x-request-id"]
    assert {name: requests[0][name] for name in ("method", "path", "status", "caller", "address")} == {
        "method": "GET",
        "path": "/api/v1/me",
        "status": 200,
        "caller": "ann",
        "address": "127.0.0.1",
    }
    assert [line["status"] for line in requests] == [200, 401]
    assert token not in log.getvalue()
    assert "hidden" not in log.getvalue()


def test_a_request_cannot_write_lines_of_its_own_to_the_log(log: io.StringIO) -> None:
    logs.write_to(log, "plain")
    with faces.running() as face:
        face.ask("GET", "/a%0A12:00:00%20forged%1b%5b31m")
    assert len(log.getvalue().splitlines()) == 1
    assert "forged" in log.getvalue()
    assert "\x1b" not in log.getvalue()


def test_requests_are_counted_by_route_and_strangers_make_no_new_series(face: faces.Face) -> None:
    for number in range(5):
        face.ask("GET", f"/api/v1/refuse/{number}")
        face.ask("GET", f"/unknown/{number}")
    text = face.ask("GET", "/api/v1/metrics").data.decode()
    assert 'laminar_http_requests_total{method="GET",route="/api/v1/refuse/{project}",status="404"} 5.0' in text
    assert 'laminar_http_requests_total{method="none",route="none",status="404"} 5.0' in text
    assert "/unknown" not in text


def test_methods_that_are_none_make_no_new_series(face: faces.Face) -> None:
    face.ask("FROBNICATE", "/api/v1/me")
    assert "FROBNICATE" not in face.ask("GET", "/api/v1/metrics").data.decode()


def test_a_server_that_cannot_work_says_so() -> None:
    unwell = faces.services(Settings(port=0), unwell=lambda: "The database does not answer.")
    with faces.running(given=unwell) as face:
        answer = face.ask("GET", "/api/v1/health")
        assert answer.status == 503
        assert answer.json["detail"] == "The database does not answer."


def test_doctor_tells_what_keeps_a_server_from_its_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    unwell = faces.services(Settings(port=0), unwell=lambda: "The database does not answer.")
    with faces.running(given=unwell) as face:
        monkeypatch.setenv("LAMINAR_SERVER_ENDPOINT", f"http://127.0.0.1:{face.port}")
        [server] = [check for check in examining.local() if check.name == "server"]
    monkeypatch.delenv("LAMINAR_SERVER_ENDPOINT")
    assert configuration.current().endpoint is None, "who looks configures nothing"
    assert server.state == "problem"
    assert server.found.endswith("cannot do its work: The database does not answer.")
