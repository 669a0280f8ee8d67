"""`kycgate schema`: the JSON Schema of run.json."""

import typer


def register(app: typer.Typer) -> None:
    app.command()(schema)


def schema() -> None:
    """Print the JSON Schema of run.json."""
    from kycgate.runs.model import schema_text

    print(schema_text(), end="")
