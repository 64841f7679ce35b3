"""Connectivity: can every endpoint that a run needs be reached, with the credentials it will use?

Belongs here: probing. Does not: what the endpoints are used for.
"""
