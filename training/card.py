"""The model card."""

from __future__ import annotations

from .report import Report


def model_card(report: Report) -> str:
    """A model card in Markdown with the YAML header of the Hugging Face hub."""
    return "# card\n"
