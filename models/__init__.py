"""The model families: fit, score, calibrate, export to a bundle."""
