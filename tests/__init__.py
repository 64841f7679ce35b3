"""Mirrors plugins/ and serving/: unit, contract, dags, integration, system, benchmarks."""
