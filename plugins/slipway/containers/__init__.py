"""Image registries and Docker engines, as Airflow connections name them.

Belongs here: speaking their protocols. Does not: what is built, pushed or run.
"""
