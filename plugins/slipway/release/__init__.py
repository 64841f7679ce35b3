"""The ledger: what was decided, what was released, what is in service; gate, promotion and undo journal.

Belongs here: records and the rules by which they change. Does not: scoring models or touching endpoints.
"""
