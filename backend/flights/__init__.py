"""The problem: what becomes known about flights, when, and what can be computed from it. Knows no store and no model."""
