"""The history of the schema: one module a revision, run by backend/store/migrate.py."""
