"""The image of a model version: the serving base, the bundle as one more layer, and what is attached to it.

Belongs here: building, pushing, describing and signing. Does not: running it.
"""
