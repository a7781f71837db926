"""The product's command line inside a test process."""

from typer.testing import CliRunner

from outreach.cli import app
from outreach.logs import configure_logs


def outreach(*words: str) -> tuple[int, str]:
    """Run a command with the environment's settings; its exit code and everything that it printed."""
    try:
        done = CliRunner().invoke(app, words)
        return done.exit_code, done.output
    finally:
        # The command logs to an output that is closed by now.
        configure_logs("WARNING", as_json=False)
