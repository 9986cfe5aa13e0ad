"""Verification: both sides read again, by code that loads nothing, and compared.

For       Proof that a copy is equal, or the names of what is not.
Touches   Both ends, reading only, and the folder where an unfinished verification is kept.
Promises  No line that writes a row is used to judge it: values are derived again here.
"""
