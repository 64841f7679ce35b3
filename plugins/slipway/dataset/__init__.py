"""Datasets: fetched, checked against the model file and the champion, and stored under the digest of their bytes.

Belongs here: the rules a dataset must keep, and what is stored of one. Does not: how a file becomes rows (`table/`),
and what is learnt from them (`training/`).
"""
