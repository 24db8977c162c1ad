"""Decisions and deployments are append-only: the database itself refuses to change or delete a row of them."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = ("decisions", "deployments")

REFUSE = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$
"""


def upgrade() -> None:
    """One trigger for each table and verb."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    if postgresql:
        op.execute(REFUSE)
    for table in TABLES:
        for verb in ("UPDATE", "DELETE"):
            op.execute(_of_a_row(table, verb, postgresql))
        if postgresql:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )


def _of_a_row(table: str, verb: str, postgresql: bool) -> str:
    name = f"{table}_no_{verb.lower()}"
    if postgresql:
        return f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    return f"CREATE TRIGGER {name} BEFORE {verb} ON {table} BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
