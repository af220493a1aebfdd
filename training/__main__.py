"""The commands of training: `python -m training run|check|evaluate|log|promote`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from inference.errors import DetenteError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m training", description="Train, judge and register models.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train what a recipe describes, and register it")
    run.add_argument("recipe", type=Path)
    run.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    run.add_argument("--out", type=Path)
    run.add_argument("--resume", action="store_true")
    run.add_argument("--skip-bad-rows", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        from .fit import run as fit
        from .recipe import load_recipe

        recipe = load_recipe(options.recipe, options.overrides)
        out = options.out or Path("build") / recipe.name
        bundle = fit(recipe, out, options.resume, options.skip_bad_rows)
        print(bundle.path)
    except DetenteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
