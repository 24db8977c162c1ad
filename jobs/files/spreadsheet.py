"""Cells that a spreadsheet shows and does not run (OWASP, "CSV Injection")."""

import re

# What a program may take for the start of a formula: after blanks too, and in the wide forms of East Asian keyboards.
# Both patterns are read by Python's `re` and by Arrow's RE2.
FORMULA = "^(?:[\\s\\x00-\\x20\u00a0\u3000\ufeff]*[=+\\-@＝＋－＠]|[\\t\\r\\n])"
NUMBER = "-?[0-9]+(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?"

_formula = re.compile(FORMULA)
_number = re.compile(NUMBER)


def safe(cell: str) -> str:
    """The cell with an apostrophe before it where it would begin a formula; a number may be negative."""
    return f"'{cell}" if _formula.match(cell) and not _number.fullmatch(cell) else cell
