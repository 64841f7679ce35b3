"""Object stores behind one small interface: S3, Google Cloud Storage, a folder; and read-only HTTP(S) sources.

Belongs here: moving bytes by key, and compare-and-swap. Does not: what the bytes mean.
"""
