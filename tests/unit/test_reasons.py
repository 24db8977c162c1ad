"""Reasons in words: each feature is about one thing, and a sentence says what counts most."""

from itertools import chain

from backend.flights import features, reasons


def test_every_feature_is_in_one_group_and_every_group_has_features() -> None:
    found = reasons.positions()
    assert sorted(chain.from_iterable(found.values())) == list(range(len(features.names())))
    assert all(found.values())


def test_a_feature_is_about_what_its_name_says() -> None:
    expected = {
        "weather_precip_6h": "the weather",
        "departure_minute": "the time and the route",
        "carrier": "the time and the route",
        "origin_carrier_demand_around": "the traffic at the airport",
        "carrier_dest_disrupted_28d": "the record of flights like this one",
        "to_region_overdue_minutes": "delays around the destination",
        "origin_carrier_departure_delay_3h": "the carrier's day",
        "origin_overdue": "delays at the airport",
    }
    assert {name: reasons.about(name) for name in expected} == expected


def test_a_sentence_names_the_strongest_reasons_on_both_sides() -> None:
    contributions = dict.fromkeys(reasons.GROUPS, 0.0)
    contributions |= {"the weather": 0.9, "delays at the airport": 1.4, "the carrier's day": 0.2}
    contributions |= {"the time and the route": -0.5}
    assert reasons.sentence(0.624, contributions) == (
        "A risk of 62%, raised most by delays at the airport and the weather, "
        "and lowered most by the time and the route."
    )


def test_where_nothing_counts_the_sentence_says_so() -> None:
    said = reasons.sentence(0.25, dict.fromkeys(reasons.GROUPS, 0.05))
    assert said == "A risk of 25%: nothing that is known sets this flight apart."


def test_no_risk_is_called_certain() -> None:
    nothing = dict.fromkeys(reasons.GROUPS, 0.0)
    said = [reasons.sentence(probability, nothing).split(":")[0] for probability in (0.004, 0.9951)]
    assert said == ["A risk of less than 1%", "A risk of more than 99%"]
