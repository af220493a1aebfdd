"""Draws docs/show.svg, the picture of `detente show` in the README.

Run it in the checkout with `python -m docs.show_svg MODEL`, once rich is there (`pip install rich`).
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from inference import Predictor
from inference.reading import read_article
from inference.show import render
from inference.terminal import painted

HERE = Path(__file__).parent
COLUMNS = 104


def main(model: str) -> None:
    """Score docs/article.txt with a bundle and draw what the terminal shows."""
    article = read_article(str(HERE / "article.txt"))
    prediction = next(Predictor.load(model).predict([article]))
    page = render(article, prediction, COLUMNS, painted)
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi(page))
    svg = console.export_svg(title="detente show article.txt")
    # A picture fetches nothing: the fonts of whoever looks at it do.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace(
        "Fira Code", "ui-monospace, Menlo, Consolas"
    )
    (HERE / "show.svg").write_text(svg, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
