"""Keys of groups: two flights share one exactly where they belong to the same group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.flights.columns import GROUPS
from backend.flights.facts import pack_all
from backend.flights.groups import LARGEST_NUMBER, MOST_AIRPORTS, MOST_CARRIERS, Carriers, Parts, keys
from backend.flights.windows import KEY_BITS

# The parts of a flight: small ones and the largest that there may be.
LARGEST = (MOST_AIRPORTS - 1, MOST_CARRIERS, LARGEST_NUMBER, MOST_AIRPORTS - 1, (1 << 13) - 1, 23, 23)
FLIGHTS = st.tuples(*(st.sampled_from([0, 1, 2, most - 1, most]) for most in LARGEST))
MEANS = {
    "all": (),
    "region": ("region",),
    "route": ("origin", "dest"),
    "number": ("carrier", "number"),
    "origin_now": ("origin", "hour_now"),
}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(left=FLIGHTS, right=FLIGHTS)
def test_two_flights_share_a_key_where_they_share_what_the_group_is_of(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    table = keys(GROUPS, Parts(*np.array([left, right], np.int64).T))
    assert table.shape == (len(GROUPS), 2) and (table >= 0).all() and (table < 1 << KEY_BITS).all()
    one, other = dict(zip(Parts._fields, left, strict=True)), dict(zip(Parts._fields, right, strict=True))
    for group, of_left, of_right in zip(GROUPS, *table.T, strict=True):
        parts = MEANS.get(group, tuple(group.split("_")))
        assert (of_left == of_right) == all(one[part] == other[part] for part in parts), group


def test_no_two_groups_share_a_key_but_the_origins_hour_now_and_then() -> None:
    parts = Parts(*np.array([[0] * 7, list(LARGEST), [3] * 7], np.int64).T)
    of_groups = {name: set(row) for name, row in zip(GROUPS, keys(GROUPS, parts).tolist(), strict=True)}
    assert of_groups.pop("origin_now") == of_groups["origin_hour"]
    assert len(set.union(*of_groups.values())) == sum(map(len, of_groups.values()))


def test_carriers_have_numbers_of_their_own_and_unknown_ones_have_none() -> None:
    carriers = Carriers(pack_all(["UA", "9E", "AAAA"]))
    assert carriers.numbers(pack_all(["9E", "UA", "AAAA", "ZZ", "A"])).tolist() == [2, 1, 3, 0, 0]
    assert Carriers(pack_all([])).numbers(pack_all(["UA"])).tolist() == [0]


def test_more_carriers_than_keys_have_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="more than keys have room for"):
        Carriers(np.arange(1, MOST_CARRIERS + 2))
