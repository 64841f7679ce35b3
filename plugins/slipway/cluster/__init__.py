"""The API of a Kubernetes cluster: read, apply, watch, and reach a pod.

Belongs here: speaking the protocol. Does not: what is deployed, and when a rollout has come up or failed.
"""
