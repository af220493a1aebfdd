"""Readers of public corpora, each into the rows of `training.corpora.FEATURES`."""
