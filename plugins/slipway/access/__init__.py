"""API keys of endpoints: read from Airflow's connections, handed to servers as hashes, used to verify.

A lower layer: rollout and verification both need them. Belongs here: what a key is. Does not: who is asked with it.
"""
