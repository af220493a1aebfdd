"""The commands of training: `python -m training run|check|tune|evaluate|behave|fetch|log|promote`."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from inference.errors import DetenteError
from inference.heads import STANCES

from .catalogue import CATALOGUE
from .recipe import Corpus, RecipeError, load_recipe

if TYPE_CHECKING:
    from .tracking import LoggedRun

LOG = logging.getLogger("training")


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 when it did what it was asked, 2 when it could not; 130 after an interrupt, 141 where its reader went away.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    for package in ("training", "models"):
        logging.getLogger(package).setLevel(logging.INFO)
    _quieten()
    try:
        options.run(options)
        sys.stdout.flush()
    except DetenteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # Python would complain once more when it flushes at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description="Train, judge and register models.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="train what a recipe describes, track it and register it")
    run.add_argument("recipe", type=Path, metavar="RECIPE")
    _add_overrides(run)
    run.add_argument("--out", type=Path, metavar="DIR", help="where the bundle will lie (default: build/RECIPE's name)")
    run.add_argument("--keep-encoder", type=Path, metavar="DIR",
                     help="also write the fine-tuned encoder, for a recipe to start from")  # fmt: skip
    run.add_argument("--resume", action="store_true", help="go on after an interruption")
    run.add_argument("--skip-bad-rows", action="store_true", help="list bad rows of a corpus and leave them out")
    run.set_defaults(run=_run)

    check = commands.add_parser("check", help="check recipes, their encoders and corpora, without training")
    check.add_argument("recipes", type=Path, nargs="+", metavar="RECIPE")
    check.add_argument("--without-corpora", action="store_true", help="read no articles: they need not be at hand")
    check.add_argument("--skip-bad-rows", action="store_true", help="list bad rows of a corpus and leave them out")
    _add_overrides(check)
    check.set_defaults(run=_check)

    tune = commands.add_parser("tune", help="train a recipe with several settings and take the best on validation")
    tune.add_argument("recipe", type=Path, metavar="RECIPE")
    tune.add_argument("--try", dest="tried", action="append", required=True, metavar="KEY=VALUE,VALUE",
                      help="such as trainer.epochs=2,3; all combinations of several are trained")  # fmt: skip
    _add_overrides(tune)
    tune.add_argument("--out", type=Path, metavar="DIR", help="where the best bundle will lie, the trials' beside it "
                      "(default: build/RECIPE's name)")  # fmt: skip
    tune.set_defaults(run=_tune)

    evaluate = commands.add_parser("evaluate", help="measure a bundle on a labelled corpus")
    evaluate.add_argument("model", metavar="MODEL", help="a bundle's directory or an MLflow URI")
    evaluate.add_argument("--corpus", metavar="NAME",
                          help="`starter`, a public corpus, or what to call the files (default: the "
                          "name of the first)")  # fmt: skip
    evaluate.add_argument("--files", type=Path, nargs="+", metavar="FILE", help="JSON lines, CSV or Parquet")
    evaluate.add_argument("--labels", type=Path, metavar="FILE", help="labels in a file of their own, joined by id")
    evaluate.add_argument("--split", default="test", metavar="SPLIT",
                          help="train, validation, test or all, or another that a public corpus gives; of what the "
                          "model's run has parted, the part (default: test)")  # fmt: skip
    evaluate.add_argument("--skip-bad-rows", action="store_true")
    _add_catalogue(evaluate)
    evaluate.add_argument("--json", action="store_true", help="print every figure as JSON")
    evaluate.set_defaults(run=_evaluate)

    behave = commands.add_parser("behave", help="see which sentences a bundle reads rightly, by capability")
    behave.add_argument("model", metavar="MODEL", help="a bundle's directory or an MLflow URI")
    behave.add_argument("--cases", type=Path, metavar="DIR", help="default: the project's own, tests/behaviour")
    behave.add_argument("--json", action="store_true", help="print the figures as JSON")
    behave.set_defaults(run=_behave)

    fetch = commands.add_parser("fetch", help="download public corpora and verify them")
    fetch.add_argument("names", nargs="*", metavar="CORPUS", help="default: all of the catalogue")
    _add_catalogue(fetch)
    fetch.add_argument("--list", action="store_true", help="say what there is and what it may be used for, and stop")
    fetch.set_defaults(run=_fetch)

    log = commands.add_parser("log", help="track and register a bundle that could not be logged when it was made")
    log.add_argument("bundle", type=Path, metavar="BUNDLE")
    log.set_defaults(run=_log)

    promote = commands.add_parser("promote", help="make a registered version the champion")
    promote.add_argument("version", metavar="VERSION", help="its number, or an alias such as `candidate`")
    promote.add_argument("--model", default="detente", metavar="NAME")
    promote.add_argument("--force", action="store_true", help="even if it is worse than the champion")
    promote.set_defaults(run=_promote)
    return parser


def _add_overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help="such as trainer.epochs=2"
    )


def _add_catalogue(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--catalogue", type=Path, default=CATALOGUE, metavar="FILE", help="of public corpora (default: the shipped one)"
    )


def _run(options: argparse.Namespace) -> None:
    from .fit import run
    from .tracking import log_bundle

    recipe = load_recipe(options.recipe, options.overrides)
    out = options.out or Path("build") / recipe.name
    bundle = run(recipe, out, options.resume, options.skip_bad_rows, options.keep_encoder)
    _tell(log_bundle(bundle))
    print(bundle.path)


def _tune(options: argparse.Namespace) -> None:
    from .fit import run
    from .tracking import log_bundle
    from .tune import chosen, quality, table, taken, trials

    out = options.out or Path("build") / load_recipe(options.recipe, options.overrides).name
    planned = trials(options.recipe, options.tried, options.overrides, out.with_name(f"{out.name}-tune"))
    bundles = {}
    for number, trial in enumerate(planned, start=1):
        LOG.info("trial %d of %d: %s", number, len(planned), " ".join(trial.settings))
        bundle = trial.finished()
        if bundle is None:
            bundle = run(trial.recipe, trial.out)
            log_bundle(bundle, register=False)
        else:
            LOG.info("trained by an earlier command: %s; remove it if its corpora are others now", trial.out)
        bundles[trial] = bundle
        LOG.info("macro-F1 on validation %.4f", quality(bundle))
    print(table(bundles), flush=True)
    best = taken(bundles[chosen(bundles)], out)
    _tell(log_bundle(best))
    print(best.path)


def _check(options: argparse.Namespace) -> None:
    from .fit import check_needs, prepare
    from .taxonomy import load_lexicon, load_taxonomy

    for path in options.recipes:
        recipe = load_recipe(path, options.overrides)
        if options.without_corpora:
            check_needs(recipe)
            load_taxonomy(recipe.taxonomy)
            load_lexicon(recipe.actors)
            print(f"{path}: ok, its corpora aside")
            continue
        data = prepare(recipe, options.skip_bad_rows)
        sizes = f"{len(data.train)} to train, {len(data.validation)} to validate, {len(data.test)} to test"
        print(f"{path}: ok: {len(data.dataset)} articles: {sizes}")


def _evaluate(options: argparse.Namespace) -> None:
    from .judge import judge, table
    from .tracking import log_evaluation

    corpus = _corpus(options)
    bundle, metrics = judge(options.model, corpus, options.split, options.skip_bad_rows, options.catalogue)
    print(json.dumps(metrics, indent=1) if options.json else table(metrics), flush=True)
    run = log_evaluation(bundle, f"{corpus.name}.{options.split}", metrics)
    LOG.info("logged to run %s" if run else "not logged: MLflow has no run of this bundle", *([run] if run else []))


def _behave(options: argparse.Namespace) -> None:
    from inference.predictor import Predictor

    from .behaviour import CASES, BehaviourError, behave, load_cases, table

    cases = load_cases(options.cases or CASES)
    predictor = Predictor.load(options.model)
    if not predictor.bundle.manifest.has(STANCES):
        raise BehaviourError(f"{options.model}: has no head of stances, which the cases ask for")
    figures = behave(cases, predictor.score, predictor.bundle.manifest.decisions)
    print(json.dumps(figures, indent=1) if options.json else table(figures))


def _corpus(options: argparse.Namespace) -> Corpus:
    if options.labels and not options.files:
        raise RecipeError("--labels goes with --files")
    if not (options.corpus or options.files):
        raise RecipeError("name a --corpus, or --files")
    for path in (*(options.files or ()), *([options.labels] if options.labels else [])):
        if not path.is_file():
            raise RecipeError(f"{path}: no such file")
    name = options.corpus or options.files[0].name.partition(".")[0] or "files"
    try:
        return Corpus(name=name, files=options.files and tuple(options.files), labels=options.labels)
    except ValidationError as error:
        raise RecipeError(f"--corpus {name}: {error.errors()[0]['msg']}") from None


def _fetch(options: argparse.Namespace) -> None:
    from .catalogue import FOLDER, described, load_catalogue
    from .fetch import fetch

    catalogue = load_catalogue(options.catalogue)
    print(described(catalogue, options.names), flush=True)
    if not options.list:
        fetch(options.names, catalogue, FOLDER)


def _quieten() -> None:
    """Keep the libraries' progress bars to terminals, as ours are, and MLflow from reporting on its user."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("torch.onnx", "urllib3"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")


def _tell(logged: LoggedRun) -> None:
    place = logged.url or f"run {logged.run_id} in {logged.tracking_uri}"
    alias = ", alias candidate" if logged.candidate else ""
    LOG.info("%s: version %s of %s%s", place, logged.version, logged.model, alias)


def _log(options: argparse.Namespace) -> None:
    from inference.bundle import Bundle

    from .tracking import log_bundle

    _tell(log_bundle(Bundle.open(options.bundle)))


def _promote(options: argparse.Namespace) -> None:
    from .registry import promote

    done = promote(options.model, options.version, force=options.force)
    before = f", version {done.previous} was before" if done.previous else ""
    if before and not (done.compared or options.force):
        before += ", and was tested on other articles, so that nobody knows which is better"
    print(f"{done.alias} of {done.name} is version {done.version}{before}")


if __name__ == "__main__":
    sys.exit(main())
