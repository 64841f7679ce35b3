"""The embedded profile: a stand-in cloud, Airflow and a demo runner on one machine, for trying Slipway and for its tests.

The composition root: it may import anything, and nothing imports it. `python -m slipway.local --help` lists its commands.
"""
