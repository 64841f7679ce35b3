"""Verification: the endpoint must answer the golden rows as training did, through the address its users have.

Belongs here: asking and comparing. Does not: what to do when it fails; that is undo's.
"""
