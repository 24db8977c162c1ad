"""The problem: what becomes known about flights, when, and what follows from it. Knows no store and no model."""
