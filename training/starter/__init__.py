"""The starter corpus: the articles that ship with the project."""
