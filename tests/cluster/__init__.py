"""A stand-in for a Kubernetes cluster: the real API over a socket, with its state in memory."""
