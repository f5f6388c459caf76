"""The abstract interpreter for Python: functions evaluated on symbolic shapes, on demand.

Executes nothing of the user's: values are shapes, sizes, classes and functions, and unknowns with their reason.
"""
