"""Which passwords are good enough."""

import pytest

from backend import passwords


@pytest.mark.parametrize(
    "password",
    [
        *("1qaz2wsx3edc", "JustinBieber", "qwertyuiop[]", "123456789012"),
        *("Password2026!", "!!!!dragon!!!!", "p@ssw0rd1234", "Pushback2013"),
        *("PasswordPassword", "123456123456", "abcabcabcabc", "aaaaaaaaaaaa", "ababababacac"),
    ],
)
def test_what_is_tried_first_is_refused(password: str) -> None:
    with pytest.raises(ValueError, match="tried first"):
        passwords.require_acceptable(password, "anna")


@pytest.mark.parametrize(
    "password", ["correct horse battery staple", "a long enough one", "Xk3vQz81Lm0p", "dragonflies at dawn"]
)
def test_what_is_long_and_not_common_is_taken(password: str) -> None:
    passwords.require_acceptable(password, "anna")


@pytest.mark.parametrize(("username", "refused"), [("anna", True), ("ann", False)])
def test_the_accounts_name_inside_is_refused_unless_it_is_so_short_that_it_tells_nothing(
    username: str, refused: bool
) -> None:
    said = ""
    try:
        passwords.require_acceptable("here comes AnnA again", username)
    except ValueError as error:
        said = str(error)
    assert ("name in it" in said) == refused


@pytest.mark.parametrize(("length", "complaint"), [(11, "at least 12"), (1001, "at most 1000")])
def test_too_short_and_too_long_are_refused(length: int, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        passwords.require_acceptable("x" * length, "anna")


def test_a_password_that_is_too_long_matches_nothing_and_costs_nothing() -> None:
    assert not passwords.matches(passwords.hash_of("x" * 1001), "x" * 1001)
