"""Whole features, made, copied and taken away: `python run.py new`, `copy`, `remove`.

names      the spellings of an entity
fields     what a person types, read into dataclasses
kinds      what each type of field is in a model, a schema and a test
project    what the tree has already, read without importing it
entity     the one description that feeds every file
rendering  the files, from `templates/`, as ruff formats them
sides      the other side of a relationship, written into a living model and taken out of it
changes    files made, edited and deleted, all of them or none
workshop   the copy of the tree in which all of it is tried first
"""
