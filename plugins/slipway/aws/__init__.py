"""Clients of AWS services, as Airflow's connections describe them.

A lower layer: storage, firewall and network all need them. Belongs here: how a client is made. Does not: what it is asked.
"""
