"""The commands of inference: `predict`, `inspect`, `show` and `graph`."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from .errors import DetenteError, InputError
from .terminal import colours, painted, plain, visible

# What needs numpy or an engine is imported by the command that needs it: help must come at once.

_SOME_FAILED, _NOTHING_DONE, _INTERRUPTED, _READER_GONE = 1, 2, 130, 141
_MODEL = "a bundle's directory, or an MLflow URI such as models:/detente@champion"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: those of the command line, by default the process's own.

    Returns:
        The exit code: 0 when all went well, 1 when some articles failed, 2 when nothing could be done or something went
        wrong that nobody foresaw, 130 after an interrupt, 141 where the reader of the output went away.
    """
    closed = sys.stdout is None
    for stream in ("stdin", "stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever began this process
            setattr(sys, stream, Path(os.devnull).open("r" if stream == "stdin" else "w"))  # noqa: SIM115
    options = _parser().parse_args(arguments)
    _log_to_stderr()
    try:
        if closed and getattr(options, "output", None) == "-":
            raise InputError("-: standard output is closed")
        code: int = options.command(options)
        sys.stdout.flush()
        return code
    except DetenteError as error:
        return _refused(str(error))
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _READER_GONE
    except OSError as error:
        return _refused(str(error))
    except Exception:  # noqa: BLE001  # 1, which Python would end with, says that there is a record of every row
        traceback.print_exc()
        return _NOTHING_DONE


def _parser() -> argparse.ArgumentParser:
    run_as_module = Path(sys.argv[0]).name == "__main__.py"
    parser = argparse.ArgumentParser(
        prog=f"python -m {__package__}" if run_as_module else "detente",
        description="Label news articles by topic and by who supports or opposes whom.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    predict = commands.add_parser("predict", help="score files of articles", description="Score files of articles.")
    predict.add_argument("inputs", nargs="+", metavar="INPUT",
                         help=".jsonl or .csv, also with .gz or .zst, or .parquet; a directory or a pattern of such "
                         "files; - for JSON lines")  # fmt: skip
    predict.add_argument("-o", "--output", required=True,
                         help=".jsonl, also with .gz or .zst, or .parquet; with / at its end a directory of such "
                         "files; - for JSON lines")  # fmt: skip
    predict.add_argument("--keep", action="append", default=[], metavar="COLUMN",
                         help="carry a column into the records; may be given several times")  # fmt: skip
    only = predict.add_mutually_exclusive_group()
    only.add_argument("--topics-only", action="store_true", help="leave out actors and stances")
    only.add_argument("--stances-only", action="store_true", help="leave out topics")
    predict.add_argument("--all-pairs", action="store_true",
                         help="give the likelier leaning of all actors that a sentence names together, whatever its "
                         "precision")  # fmt: skip
    predict.add_argument("--min-precision", type=_share, metavar="P",
                         help="give only what had this precision on validation, such as 0.9")  # fmt: skip
    predict.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    predict.add_argument(
        "--workers", type=_positive, metavar="N", help="processes to score with, by default a core each"
    )
    predict.add_argument("--part-rows", type=_positive, metavar="N",
                         help="after how many articles an interrupted run can go on, by default 10000")  # fmt: skip
    predict.add_argument("--metrics", metavar="FILE", help="tell in a JSON file how far the run is")
    _add_model(predict, "threads of each process, by default its share of the cores")
    predict.set_defaults(command=_predict)

    inspect = commands.add_parser("inspect", help="say what a bundle is", description="Say what a bundle is.")
    inspect.add_argument("model", metavar="MODEL", help=_MODEL)
    said = inspect.add_mutually_exclusive_group()
    said.add_argument("--json", action="store_true", help="print the manifest as it is")
    said.add_argument("--min-precision", type=_share, metavar="P",
                      help="say instead which thresholds reach this precision, and what they leave")  # fmt: skip
    inspect.set_defaults(command=_inspect)

    show = commands.add_parser("show", help="score one article and show it", description="Score one article.")
    show.add_argument("article", metavar="ARTICLE", help=".txt, .json, .jsonl, .csv or .parquet; - for text")
    show.add_argument("--id", help="which article of the file, by default its first")
    show.add_argument("--html", metavar="FILE", help="write a page for a browser instead")
    _add_model(show)
    show.set_defaults(command=_show)

    graph = commands.add_parser("graph", help="gather records into a network of actors",
                                description="Gather records into a network of actors.")  # fmt: skip
    graph.add_argument("records", nargs="+", metavar="RECORDS",
                       help="what predict wrote, files, directories or patterns; - for JSON lines")  # fmt: skip
    graph.add_argument("-o", "--output", action="append", required=True, metavar="FILE",
                       help=".graphml, .csv (edge list) or .svg (picture); may be given several times")  # fmt: skip
    graph.add_argument("--top", type=_positive, default=30, metavar="N", help="actors of a picture, by default 30")
    graph.set_defaults(command=_graph)
    return parser


def _add_model(command: argparse.ArgumentParser, threads: str = "threads to score with, by default all cores") -> None:
    command.add_argument("--model", required=True, help=_MODEL)
    command.add_argument("--threads", type=_positive, metavar="N", help=threads)
    command.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="by default cpu")


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above zero")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0 and up to 1")
    return share


def _predict(options: argparse.Namespace) -> int:
    from tqdm.contrib.logging import logging_redirect_tqdm

    from .batch import PART_ROWS, predict_files
    from .predictor import Predictor, Wanted

    wanted = Wanted(
        topics=not options.stances_only,
        stances=not options.topics_only,
        all_pairs=options.all_pairs,
        min_precision=options.min_precision,
    )
    predictor = Predictor.load(options.model, options.threads, options.device, wanted)
    with logging_redirect_tqdm():
        totals = predict_files(
            predictor,
            options.inputs,
            options.output,
            options.keep,
            workers=options.workers,
            part_rows=options.part_rows or PART_ROWS,
            resume=options.resume,
            metrics=options.metrics,
        )
    counts, *reasons = totals.lines()
    print("\n".join([f"{counts} → {visible(options.output)}", *map(visible, reasons)]), file=sys.stderr)
    return _SOME_FAILED if totals.statuses["error"] else 0


def _inspect(options: argparse.Namespace) -> int:
    from .bundle import MANIFEST, Bundle
    from .describe import describe, describe_precision
    from .locate import locate

    bundle = Bundle.open(locate(options.model)[0])
    if options.min_precision:
        _print(describe_precision(bundle, options.min_precision))
        return 0
    _print((bundle.path / MANIFEST).read_text("utf-8") if options.json else describe(bundle))
    return 0


def _show(options: argparse.Namespace) -> int:
    from .page import page
    from .predictor import Predictor
    from .reading import read_article
    from .show import render
    from .writing import write_text

    if options.html and Path(options.html).resolve() == Path(options.article).resolve():
        raise InputError(f"--html {options.html}: is also the input")
    article = read_article(options.article, options.id)
    prediction = next(Predictor.load(options.model, options.threads, options.device).predict([article]))
    if options.html:
        write_text(options.html, page(article, prediction))
        print(f"→ {visible(options.html)}", file=sys.stderr)
        return 0
    columns = shutil.get_terminal_size((100, 24)).columns
    _print(render(article, prediction, columns, painted if colours(sys.stdout) else plain))
    return 0


def _graph(options: argparse.Namespace) -> int:
    from .graph import actors, edges
    from .graph_files import check_output, write_graph

    for path in options.output:
        check_output(path)
    network = edges(options.records)
    for path in options.output:
        write_graph(path, network, options.top)
    written = ", ".join(visible(path) for path in options.output)
    print(f"{len(actors(network))} actors, {len(network)} edges → {written}", file=sys.stderr)
    return 0


def _print(text: str) -> None:
    """Write UTF-8 whatever the locale: an article is not lost for want of a letter."""
    sys.stdout.buffer.write(text.encode())


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_HarmlessFormatter("%(levelname)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger(f"{__package__}.progress").setLevel(logging.INFO)


class _HarmlessFormatter(logging.Formatter):
    """Messages quote ids and files, which can hold what commands a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, made visible."""
        return visible(super().format(record), keep="\n")


def _refused(reason: str) -> int:
    print("error:", visible(reason, keep="\n"), file=sys.stderr)
    return _NOTHING_DONE


if __name__ == "__main__":
    sys.exit(main())
