"""Whether the database answers, and what to tell people when it does not."""

from django.db import Error, connection


def why_unreachable() -> str:
    """One sentence for whoever started a command, without the password; empty when the database answers."""
    connection.close()
    try:
        connection.ensure_connection()
    except Error as error:
        database = connection.settings_dict
        where = f"{database['NAME']} at {database['HOST']}" if database["HOST"] else str(database["NAME"])
        reason = str(error).strip().splitlines()[0].rstrip(".")
        return f"The database {where} cannot be reached: {reason}. See DATABASE_URL."
    return ""
