"""The replay's parts: what it tells, what it asks, what it breaks on purpose, and how it speaks to the API."""
