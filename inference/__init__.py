"""detente: topics, actors and stances of news articles, each with the words that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ArticleError, BundleError, DetenteError, InputError
from .schema import Article, Prediction

if TYPE_CHECKING:
    from .predictor import Predictor

__version__ = "0.1.0"
__all__ = ["Article", "ArticleError", "BundleError", "DetenteError", "InputError", "Prediction", "Predictor"]


def __getattr__(name: str) -> object:
    """Import the predictor when it is first asked for: the command line's help does without it."""
    if name == "Predictor":
        from .predictor import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
