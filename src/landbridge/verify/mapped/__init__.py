"""Verification through a mapping: documents against the rows of tables that people made.

For       `landbridge verify --mapping`.
Touches   Both ends, reading only.
Promises  Every value is derived here once more from the mapping's rules; no line of the import
          judges what the import wrote.
"""
