"""Recipes in, tracked runs with evaluated and registered models out."""
