"""Files of flights over the API: sent, scored by a worker, downloaded by who sent them, or refused with a reason."""

import csv
import gzip
import io
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backend import clock, options
from backend.api import batches as batches_module
from backend.api import uploads
from backend.options import Limits
from backend.store import batches, jobs
from backend.store.blobs import Blobs
from jobs import worker
from jobs.files.table import ADDED
from tests.conftest import Api, World
from tests.integration.served import Served, problem
from tests.unit.test_blobs import no_file_over

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
GOOD = b"id,note\n2013-04-01.UA.1545.EWR,\n"


@pytest.fixture(name="own")
def make_own(world_copy: World, password_hash: str) -> Iterator[Served]:
    """The API over a world of the test's own, and a worker that scores what is sent to it."""
    stop = threading.Event()
    work = (world_copy.settings, {"batch": "jobs.batch"}, 30, stop)
    thread = threading.Thread(target=worker.work, args=work)
    thread.start()
    own = Served.over(world_copy, password_hash).by("analyst")
    yield own
    stop.set()
    thread.join(30)
    own.engine.dispose()


def send(api: Any, headers: dict[str, str], content: bytes, content_type: str = CSV, query: str = "") -> Any:
    return api.post(f"/predictions/batch{query}", data=content, content_type=content_type, headers=headers)


def finished(own: Served, sent: Any) -> dict[str, Any]:
    assert sent.status_code == 202, sent.text
    end = time.monotonic() + 60
    while time.monotonic() < end:
        job: dict[str, Any] = own.get(sent.headers["Location"]).get_json()
        if job["state"] not in ("queued", "running"):
            return job
        time.sleep(0.1)
    raise AssertionError(f"still {job}")


def coming(own: Served, count: int) -> list[dict[str, Any]]:
    fields = ("id", "carrier", "flight", "origin", "dest", "scheduled_departure", "scheduled_arrival")
    return [{name: flight[name] for name in fields} for flight in own.coming()[:count]]


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def files(own: Served) -> set[str]:
    return set(Blobs(own.world.settings.blobs).below("batches"))


def wait_for_files(own: Served, expected: set[str]) -> None:
    """A job has ended a moment before its worker has deleted what nobody needs."""
    end = time.monotonic() + 20
    while files(own) != expected:
        assert time.monotonic() < end, files(own)
        time.sleep(0.05)


def test_a_csv_file_is_scored_as_predict_answers_and_bad_rows_are_named_by_line(own: Served) -> None:
    flights = coming(own, 4)
    rows = [{**flight, "note": f"=row {place}"} for place, flight in enumerate(flights)]
    rows[2] |= {"id": "", "origin": "XXX"}
    sent = send(own.client, own.headers, as_csv(rows))
    assert sent.get_json()["kind"] == "batch"
    job = finished(own, sent)
    assert job["state"] == "done", job["error"]
    said = job["result"]
    assert (said["rows"], said["scored"], said["refused"]) == (4, 3, 1)
    assert said["errors"] == [{"line": 4, "reason": "origin: XXX is not a known airport"}]
    assert (said["as_of"], said["model_version"]) == (clock.iso(own.world.until), "1") and said["seq"] > 0
    answer = own.get(f"{sent.headers['Location']}/result")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="risks-{job["id"]}.csv"'
    assert answer.content_length == len(answer.data) == said["bytes"]
    found = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert list(found[0]) == [*rows[0], *ADDED]
    assert [row["note"] for row in found] == [f"'=row {place}" for place in range(4)]
    assert found[2]["error"] == "origin: XXX is not a known airport" and not found[2]["probability"]
    asked = [{"id": row["id"]} for row in (rows[0], rows[1], rows[3])]
    expected = [said["probability"] for said in own.predict(asked)]
    assert [float(found[place]["probability"]) for place in (0, 1, 3)] == expected
    wait_for_files(own, {f"batches/{job['id']}/result-1.csv"})  # what was sent is needed no more


def test_a_parquet_file_comes_back_as_parquet_with_the_same_answers(own: Served) -> None:
    flights = coming(own, 3)
    rows = [{"id": flight["id"], "seats": place} for place, flight in enumerate(flights)] + [{"id": "no", "seats": 9}]
    form = {"file": (io.BytesIO(as_parquet(rows)), "flights.parquet")}
    sent = own.client.post("/predictions/batch", data=form, headers=own.headers)
    job = finished(own, sent)
    assert job["state"] == "done", job["error"]
    answer = own.get(f"{sent.headers['Location']}/result")
    assert answer.content_type == PARQUET and answer.headers["Content-Disposition"].endswith('.parquet"')
    table = pq.read_table(io.BytesIO(answer.data))
    assert table.schema.names == ["id", "seats", *ADDED]
    expected = [said["probability"] for said in own.predict([{"id": row["id"]} for row in rows[:3]])]
    assert table.column("probability").to_pylist() == [*expected, None]
    assert job["result"]["errors"] == [{"line": 4, "reason": "id: no is no flight whose schedule is stored"}]


def test_as_of_is_the_one_that_was_asked_for(own: Served) -> None:
    flight = coming(own, 1)[0]
    before = clock.iso(own.world.until - clock.HOUR) or ""
    job = finished(own, send(own.client, own.headers, as_csv([{"id": flight["id"]}]), query=f"?as_of={before}"))
    assert job["result"]["as_of"] == before
    answer = own.get(f"/jobs/{job['id']}/result")
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    (expected,) = own.predict([{"id": flight["id"]}], as_of=before)
    assert (row["as_of"], float(row["probability"])) == (before, expected["probability"])


def test_a_file_that_the_job_cannot_read_fails_with_a_sentence_and_leaves_nothing(own: Served) -> None:
    nested = as_parquet([{"id": "A", "list": [1, 2]}])
    job = finished(own, send(own.client, own.headers, nested, PARQUET))
    assert job["state"] == "failed" and "The column list holds list" in job["error"]
    assert "failed" in problem(own.get(f"/jobs/{job['id']}/result"), 404)["detail"]
    twice = finished(own, send(own.client, own.headers, b"id,note,note\nA,1,2\n"))
    assert twice["error"] == "The column 'note' is there twice."
    wait_for_files(own, set())


def test_a_result_is_its_owners_and_operators_until_it_is_deleted(own: Served) -> None:
    job = finished(own, send(own.client, own.headers, GOOD))
    path = f"/jobs/{job['id']}/result"
    problem(own.by("viewer").get(path), 404)
    for role in ("operator", "analyst", "admin"):
        assert own.by(role).get(path).status_code == 200
    assert own.client.head(path, headers=own.headers).content_length == job["result"]["bytes"]
    problem(own.client.get(path), 401)
    batches.forget(Blobs(own.world.settings.blobs), job["id"])
    assert "deleted" in problem(own.get(path), 404)["detail"]


# What follows needs no worker: files are refused, or wait.


@pytest.fixture(name="waiting")
def make_waiting(world_copy: World, password_hash: str) -> Iterator[Served]:
    """The API over a world of the test's own, in which no worker works."""
    own = Served.over(world_copy, password_hash).by("analyst")
    yield own
    own.engine.dispose()


@pytest.mark.sqlite("since the body is what is looked at")
def test_what_is_no_file_of_flights_is_refused_at_once_and_not_kept(waiting: Served) -> None:
    refused: list[tuple[bytes, str, int, str]] = [
        (b"", CSV, 422, "is empty"),
        (b"carrier;flight\nUA;1\n", CSV, 422, "separated by commas"),
        (b"\xff\xfei\x00d\x00\n\x00", CSV, 422, "not UTF-8"),
        (b"x" * 70_000, CSV, 422, "longer than 64 KiB"),
        (b"id\nA\n", PARQUET, 422, "does not begin as Parquet"),
        (b"PAR1 and no more", PARQUET, 422, "does not end as Parquet"),
        (as_parquet([{"id": "A"}]), CSV, 422, "send it as application/vnd.apache.parquet"),
        (GOOD, "application/json", 415, "text/csv"),
        (GOOD, "text/csv; charset=utf-16", 415, "text/csv"),
        (GOOD, "multipart/form-data", 415, "boundary"),
        (GOOD, "multipart/form-data; boundary=x", 422, "not written as RFC 7578"),
    ]
    for content, content_type, status, said in refused:
        answer = send(waiting.client, waiting.headers, content, content_type)
        assert said in problem(answer, status)["detail"], (content[:20], content_type)
    assert not files(waiting) and not jobs.listing(waiting.engine)[0]


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_form_is_one_file_and_nothing_else(waiting: Served) -> None:
    def form(**parts: Any) -> Any:
        return waiting.client.post("/predictions/batch", data=parts, headers=waiting.headers)

    def file() -> tuple[io.BytesIO, str]:
        return io.BytesIO(GOOD), "flights.csv"

    nothing = send(waiting.client, waiting.headers, b"--x--\r\n", "multipart/form-data; boundary=x")
    assert "no file" in problem(nothing, 422)["detail"]
    assert "field" in problem(form(file=file(), as_of="2013-04-01T04:00:00Z"), 422)["detail"]
    assert "more than one" in problem(form(file=file(), second=file()), 422)["detail"]
    assert form(anything=file()).status_code == 202


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_compressed_body_is_refused_before_anything_of_it_is_unpacked(waiting: Served) -> None:
    headers = {**waiting.headers, "Content-Encoding": "gzip"}
    answer = send(waiting.client, headers, gzip.compress(GOOD))
    assert "without Content-Encoding: gzip" in problem(answer, 415)["detail"]
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.sqlite("since the body is what is looked at")
@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_that_is_too_large_is_refused_and_taken_off_the_connection(
    waiting: Served, monkeypatch: pytest.MonkeyPatch, chunked: bool
) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 100_000)
    body = io.BytesIO(GOOD + b"x" * 200_000)
    how: dict[str, Any] = {"environ_overrides": {"wsgi.input_terminated": True}} if chunked else {}
    how |= {} if chunked else {"content_length": len(GOOD) + 200_000}
    headers = {**waiting.headers, "Content-Type": CSV}
    answer = waiting.client.post("/predictions/batch", input_stream=body, headers=headers, **how)
    assert problem(answer, 413)["title"] == "Too large"
    assert chunked or body.tell() == len(GOOD) + 200_000
    assert not files(waiting)


@pytest.mark.sqlite("since the body is what is looked at")
def test_who_may_not_send_files_is_told_so_and_the_file_is_taken_off_the_connection(waiting: Served) -> None:
    content = GOOD + b"x" * 5_000_000  # more than any other call takes
    for headers, status in (({}, 401), (waiting.by("viewer").headers, 403), (waiting.by("feeder").headers, 403)):
        body = io.BytesIO(content)
        given = {**headers, "Content-Type": CSV}
        answer = waiting.client.post(
            "/predictions/batch", input_stream=body, content_length=len(content), headers=given
        )
        problem(answer, status)
        assert body.tell() == len(content)


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_file_that_breaks_off_is_not_kept(waiting: Served) -> None:
    headers = {**waiting.headers, "Content-Type": CSV}
    cut = {"CONTENT_LENGTH": str(len(GOOD) + 1), "wsgi.input": io.BytesIO(GOOD)}
    answer = waiting.client.post("/predictions/batch", headers=headers, environ_overrides=cut)
    assert "broke off" in problem(answer, 400)["detail"]
    assert not files(waiting)


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_file_that_stops_coming_is_not_waited_for(waiting: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "STALLS_SECONDS", 0.2)
    here, there = socket.socketpair()
    with here, there, here.makefile("rb", buffering=0) as body:
        there.sendall(GOOD)
        slow = {"CONTENT_LENGTH": "1000", "wsgi.input": body, "gunicorn.socket": here}
        headers = {**waiting.headers, "Content-Type": CSV}
        answer = waiting.client.post("/predictions/batch", headers=headers, environ_overrides=slow)
        assert here.gettimeout() is None
    assert "too slowly" in problem(answer, 408)["detail"]
    assert not files(waiting)


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_file_that_comes_in_drips_is_not_waited_for_either(waiting: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TAKES_SECONDS", 0.5)
    here, there = socket.socketpair()
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.05):
            there.send(b"i")

    dripping = threading.Thread(target=drip)
    with here, there, here.makefile("rb", buffering=0) as body:
        dripping.start()
        slow = {"CONTENT_LENGTH": "1000", "wsgi.input": body, "gunicorn.socket": here}
        headers = {**waiting.headers, "Content-Type": CSV}
        answer = waiting.client.post("/predictions/batch", headers=headers, environ_overrides=slow)
        over.set()
        dripping.join(10)
    problem(answer, 408)


def test_as_of_in_the_future_is_refused(waiting: Served) -> None:
    for query in ("?as_of=2031-01-01T00:00:00Z", "?as_of=1960-01-01T00:00:00Z", "?as_of=yesterday", "?when=now"):
        body = problem(send(waiting.client, waiting.headers, GOOD, query=query), 422)
        assert body["errors"][0]["parameter"] == query[1:].partition("=")[0]


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_disk_without_room_is_a_507_and_nothing_is_left(waiting: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with no_file_over(20_000_000):
        answer = send(waiting.client, waiting.headers, GOOD + b"x" * 25_000_000)
    assert "no room" in problem(answer, 507)["detail"]
    assert not files(waiting)
    monkeypatch.setattr(batches_module, "LEFT_FREE_BYTES", 2**60)
    problem(send(waiting.client, waiting.headers, GOOD), 507)


def test_an_account_has_five_files_waiting_at_most(waiting: Served) -> None:
    for _ in range(5):
        assert send(waiting.client, waiting.headers, GOOD).status_code == 202
    answer = send(waiting.client, waiting.headers, GOOD)
    assert "5 files" in problem(answer, 429)["detail"] and answer.headers["Retry-After"]
    assert send(waiting.client, waiting.by("operator").headers, GOOD).status_code == 202


@pytest.mark.sqlite("since the body is what is looked at")
def test_a_server_takes_two_files_at_a_time(waiting: Served) -> None:
    with uploads.slot(), uploads.slot():
        answer = send(waiting.client, waiting.headers, GOOD)
    assert "try again" in problem(answer, 503)["detail"] and answer.headers["Retry-After"]
    assert send(waiting.client, waiting.headers, GOOD).status_code == 202


def test_a_result_is_not_there_before_its_job_is_done_and_a_cancelled_job_leaves_no_file(waiting: Served) -> None:
    job = send(waiting.client, waiting.headers, GOOD).get_json()
    assert files(waiting) == {f"batches/{job['id']}/upload"}
    problem(waiting.get(f"/jobs/{job['id']}/result"), 409)
    assert waiting.client.delete(f"/jobs/{job['id']}", headers=waiting.headers).status_code == 200
    assert not files(waiting)
    problem(waiting.get(f"/jobs/{job['id']}/result"), 404)


def test_a_job_of_another_kind_has_no_file(api: Api) -> None:
    job = jobs.enqueue(api.engine, "training", {}, "operator", 1)
    claim = jobs.claim(api.engine, ["training"])
    assert claim is not None
    claim.finish({"version": 1})
    answer = api.client().get(f"/jobs/{job['id']}/result", headers=api.bearer("operator"))
    assert "no file" in problem(answer, 404)["detail"]


def test_before_anything_serves_no_file_is_taken(api: Api) -> None:
    assert "jobs.ingest" in problem(send(api.client(), api.bearer("analyst"), GOOD), 503)["detail"]


@pytest.mark.sqlite("since what is counted has tests of its own")
def test_a_file_is_counted_as_expensive_work(api: Api) -> None:
    options.write(api.documents, "limits", Limits(costly_an_hour=1))
    headers = api.bearer("analyst")
    assert send(api.client(), headers, GOOD).status_code == 503
    answer = send(api.client(), headers, GOOD)
    assert "uploads" in problem(answer, 429)["detail"] and answer.headers["Retry-After"] == "3600"
