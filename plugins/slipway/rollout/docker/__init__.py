"""The target `docker`: containers on a Docker host, behind a proxy that swaps them."""
