"""The values that travel between stations: pure, no I/O, no Airflow.

Belongs here: a value that two stations share. Does not: anything that opens a file or a socket, or only one station needs.
"""
