"""The rules of the house, judged from what is really there: `python run.py check`.

rules      what a rule is, and the points of a feature
tree       what is judged: features, files, tables, schemas, operations
sources    files as they are written; comments that silence a rule
functions  what services do: commits, errors, loaders
record     what the last test run saw
running    all rules on a tree
printing   table, lines, JSON
fixing     what `--fix` does

and the rules, one module for each point: model, migration, service, api, schemas, tests, indexes,
errors, docs, relationships; and for the pitfalls, pitfalls and written. `journey` runs the
migrations, `pairs` finds the model of a schema.
"""
