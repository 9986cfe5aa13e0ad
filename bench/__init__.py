"""Benchmarks: landbridge against the limit of this machine and against what people would write.

For       `python -m bench`, which starts its own servers, measures and prints a table.
Touches   Two embedded servers in temporary folders, and the processes that are measured.
Promises  Both sides of a ratio are measured in the same run, in turn. Nothing is asserted.
"""
