"""Bringing a bundle into service, one folder per target; `process` is a supervised server on the worker's machine.

Belongs here: replacing one version by another without losing a request, and undoing it. Does not: what is served, or who
may reach it.
"""
