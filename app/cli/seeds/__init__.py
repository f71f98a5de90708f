"""Believable rows: one module for each feature, found because it is there.

A module says
- `MODEL`: the entity,
- `AFTER`: the modules whose rows it needs,
- `number(plan)`: how many rows there are to be,
- `make(db, plan)`: the rows, the same ones in each run. Those that are stored are left out.
"""
