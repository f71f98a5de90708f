"""Whole features, made, copied, grown and taken away: `new`, `copy`, `add-field`, `remove`.

names      the spellings of an entity
fields     what a person types, read into dataclasses
kinds      what each type of field is in a model, a schema and a test
project    what the tree has already, read without importing it
entity     the one description that feeds every file
rendering  the files, from `templates/`, as ruff formats them
sides      the other side of a relationship, written into a living model and taken out of it
changes    files made, edited and deleted, all of them or none
addition   new fields of a living feature, described as an entity that has nothing else
grafting   what `new` would write for them, written into living files by their syntax trees
altering   the migration of their columns, for tables with rows
workshop   the copy of the tree in which all of it is tried first
"""
