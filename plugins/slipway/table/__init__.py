"""The rows of a file: CSV, Parquet and JSON Lines as one stream of column batches, and as a frame for training.

Belongs here: how a file's bytes become values, and what counts as null. Does not: what a dataset may hold (`dataset/`).
"""
