"""The target `kubernetes`: a model as a Deployment on a cluster."""
