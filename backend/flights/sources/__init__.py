"""Where facts come from: each source reads its own format into one table of flights, which `rows` checks and dates."""
