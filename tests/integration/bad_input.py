"""Bad requests, each with the kind of problem that it is and a word of its answer."""

import gzip
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

JSON = MappingProxyType({"Content-Type": "application/json"})
JUNK = {"Accept": "\xff/\xfe;q=x", "Cookie": "=;=;\xff", "Host": "a b"}
FLIGHT = '{"carrier": "UA", "flight": 1, "origin": "EWR", "dest": "IAH", "scheduled_departure": "2013-04-01T09:15:00Z"}'


class Case(NamedTuple):
    """Something bad, the kind of problem that it is, and a word of the answer."""

    method: str
    target: str
    kind: str
    word: str
    body: bytes | str = b""
    headers: Mapping[str, str] = JSON


def by(authorization: str) -> dict[str, str]:
    return {"Authorization": authorization}


def asked(flights: str, more: str = "") -> str:
    return f'{{"flights": [{flights}]{more}}}'


def flight(**changed: object) -> str:
    return json.dumps(json.loads(FLIGHT) | changed)


PREDICT = {
    "malformed JSON": Case("POST", "/predict", "not-json", "line 1 column 13", '{"flights": oops}'),
    "half of JSON": Case("POST", "/predict", "not-json", "column", '{"flights": ['),
    "another content type": Case(
        "POST", "/predict", "wrong-content-type", "text/plain", asked(FLIGHT), {"Content-Type": "text/plain"}
    ),
    "no content type": Case("POST", "/predict", "wrong-content-type", "application/json", asked(FLIGHT), {}),
    "a form": Case(
        "POST",
        "/predict",
        "wrong-content-type",
        "urlencoded",
        "flights=1",
        {"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "another charset": Case(
        "POST",
        "/predict",
        "wrong-content-type",
        "UTF-8",
        asked(FLIGHT).encode("utf-16"),
        {"Content-Type": "application/json; charset=utf-16"},
    ),
    "no UTF-8": Case("POST", "/predict", "not-json", "UTF-8", b'{"flights": "\xff"}'),
    "an unknown field": Case("POST", "/predict", "not-valid", "no such field", asked(FLIGHT, ', "model": 1')),
    "a name twice": Case("POST", "/predict", "not-json", '"flights\\" twice', '{"flights": [], "flights": []}'),
    "NaN": Case("POST", "/predict", "not-valid", "finite", asked('{"flight": NaN}')),
    "Infinity": Case("POST", "/predict", "not-valid", "finite", asked('{"flight": -Infinity}')),
    "1e400": Case("POST", "/predict", "not-valid", "/flights/0/flight", asked(FLIGHT.replace(" 1,", " 1e400,"))),
    "5,000 digits": Case("POST", "/predict", "not-json", "digits", asked(FLIGHT.replace(" 1,", f" {'9' * 5000},"))),
    "4,000 digits": Case(
        "POST", "/predict", "not-valid", "/flights/0/flight", asked(FLIGHT.replace(" 1,", f" {'9' * 4000},"))
    ),
    "a number as text": Case("POST", "/predict", "not-valid", "/flights/0/flight", asked(flight(flight="1"))),
    "true as a number": Case("POST", "/predict", "not-valid", "/flights/0/flight", asked(flight(flight=True))),
    "seconds as a time": Case(
        "POST", "/predict", "not-valid", "ISO 8601", asked(flight(scheduled_departure=1364807700))
    ),
    "half a character": Case("POST", "/predict", "not-json", "half a character", asked(flight(origin="\ud800"))),
    "a NUL": Case("POST", "/predict", "not-a-text", "NUL", asked('{"id": "2013-04-01\\u0000"}')),
    "an unknown airport": Case(
        "POST", "/predict", "flights-not-predictable", "GET /status", asked(flight(origin="ZZZ"))
    ),
    "an unknown carrier": Case(
        "POST", "/predict", "flights-not-predictable", '"accepted"', asked(flight(carrier="ZZ"))
    ),
    "an unknown id": Case("POST", "/predict", "no-such-flight", "GET /flights", asked('{"id": "2013-04-01.ZZ.1.EWR"}')),
    "a flight that has left": Case(
        "POST",
        "/predict",
        "flights-not-predictable",
        "had passed",
        asked(flight(scheduled_departure="2013-03-31T09:15:00Z")),
    ),
    "a flight that is far": Case(
        "POST",
        "/predict",
        "flights-not-predictable",
        "ask later",
        asked(flight(scheduled_departure="2013-05-01T09:15:00Z")),
    ),
    "as_of in the future": Case(
        "POST",
        "/predict",
        "as-of-in-the-future",
        "stands at 2013-04-01T04:00:00Z",
        asked(FLIGHT, ', "as_of": "2013-04-02T00:00:00Z"'),
    ),
    "as_of before the data": Case(
        "POST", "/predict", "as-of-too-early", "2013-02-", asked(FLIGHT, ', "as_of": "2013-01-02T00:00:00Z"')
    ),
    "as_of in the year 1": Case(
        "POST", "/predict", "as-of-too-early", "2013-02-", asked(FLIGHT, ', "as_of": "0001-01-01T00:00:00+14:00"')
    ),
    "as_of in the year 9999": Case(
        "POST", "/predict", "as-of-in-the-future", "stands at", asked(FLIGHT, ', "as_of": "9999-12-31T23:59:59-14:00"')
    ),
    "1,001 flights": Case("POST", "/predict", "not-valid", "1000", asked(", ".join([FLIGHT] * 1001))),
    "no flights": Case("POST", "/predict", "not-valid", "/flights", asked("")),
    "no body": Case("POST", "/predict", "not-valid", "/flights"),
    "null": Case("POST", "/predict", "not-valid", "null", "null"),
    "a list": Case("POST", "/predict", "not-valid", "", "[]"),
    "deep nesting": Case("POST", "/predict", "not-json", "nested", "[" * 100_000),
    "deep and closed": Case("POST", "/predict", "not-json", "nested", "[" * 100_000 + "]" * 100_000),
    "3 MiB": Case("POST", "/predict", "too-large", "2 MiB", '{"flights": "' + "x" * 3 * 2**20 + '"}'),
    "a compressed bomb": Case(
        "POST",
        "/predict",
        "compressed",
        "gzip",
        gzip.compress(b" " * 2**26),
        {**JSON, "Content-Encoding": "gzip"},
    ),
    "an unknown parameter": Case("POST", "/predict?explain=true&colour=red", "not-valid", "colour", asked(FLIGHT)),
    "a parameter twice": Case(
        "POST", "/predict?explain=true&explain=false", "not-valid", "more than once", asked(FLIGHT)
    ),
}
OTHERS = {
    "an unknown path": Case("GET", "/nowhere", "nothing-here", "/docs"),
    "a path that climbs": Case("GET", "/flights/../../etc/passwd", "nothing-here", ""),
    "slashes": Case("GET", "/models//1", "nothing-here", ""),
    "an unknown method": Case("BREW", "/flights", "wrong-method", "GET"),
    "TRACE": Case("TRACE", "/flights", "wrong-method", "GET"),
    "another method": Case("PUT", "/predict/", "wrong-method", "POST"),
    "a NUL in a path": Case("GET", "/flights/%00", "nothing-here", ""),
    "a percent that escapes nothing": Case("GET", "/flights/%zz%", "no-such-flight", ""),
    "a path that is no UTF-8": Case("GET", "/flights/%ff%fe", "no-such-flight", ""),
    "a long path": Case("GET", "/flights/" + "x" * 3000, "no-such-flight", ""),
    "a percent in a query": Case("GET", "/flights?origin=%zz", "", ""),
    "a query that is no UTF-8": Case("GET", "/flights?origin=%ff%ff%ff%ff%ff", "not-valid", "origin"),
    "a NUL in a query": Case("GET", "/flights?origin=%00", "not-valid", "NUL"),
    "a parameter where there is none": Case("GET", "/status?verbose=1", "not-valid", "verbose"),
    "a cursor of another list": Case("GET", "/jobs?cursor=AAAA", "not-a-cursor", "cursor"),
    "a sort that is none": Case("GET", "/flights?sort=delay", "not-valid", "sort"),
    "an account that is none": Case("GET", "/flights", "not-logged-in", "Basic", headers=by("Basic %%%")),
    "a token that is none": Case("GET", "/flights", "not-logged-in", "POST /token", headers=by("Bearer x.y.z")),
    "a scheme that is none": Case("GET", "/flights", "not-logged-in", "", headers=by("Digest \xff")),
    "an empty login": Case("GET", "/flights", "not-logged-in", "", headers=by("")),
    "junk in headers": Case("GET", "/flights", "", "", headers=JUNK),
    "a range": Case("GET", "/flights", "", "", headers={"Range": "bytes=9-1", "If-None-Match": "x"}),
}
CASES = PREDICT | OTHERS
