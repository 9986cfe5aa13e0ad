"""The parts of a proposal: tables by name, columns by name and values, keys, arrays.

For       `mapping.propose`, which puts them together.
Touches   Nothing.
Promises  Every guess says how sure it is and what speaks against it.
"""
