"""Slipway: from a dataset and a scikit-learn estimator to a served, verified, secured model, on Apache Airflow.

One folder per station of the chain, in the order data flows::

    network -> dataset -> training -> release (gate) -> rollout -> firewall -> verification -> release (promotion)

Shared lower layers: `core` (values, no I/O), `storage` (object stores), `table` (rows of a file).
`local` is the embedded profile. `tests/contract/test_layers.py` enforces who may import whom.
"""
