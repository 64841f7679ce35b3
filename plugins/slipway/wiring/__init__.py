"""What the DAG files share: which models there are, the defaults of every task, and an import error per broken model file.

Belongs here: how model files become DAGs in Airflow's eyes. Does not: what any task does.
"""
