"""Judging results: metrics, a study's expectations, and the comparison with an earlier result.

metrics        how a group of runs is measured, with its interval
feasibility    what is wrong with an expectation, or too weak for its seeds, before anything has run
expectations   one expectation and the runs it selects → verdicts
judging        a study and its results folder → all verdicts, as text and JUnit XML
summary        the table of verdicts for a terminal;  documents: the same as JSON
pairing        which run of one table is which run of another;  comparison: what changed between them
"""
