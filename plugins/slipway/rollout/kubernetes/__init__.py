"""The target `kubernetes`: a model's objects on a cluster, and how one version of them replaces another.

Belongs here: what is applied and in which order, and what a rollout's state means. Does not: how the cluster is spoken to
(`slipway.cluster`).
"""
