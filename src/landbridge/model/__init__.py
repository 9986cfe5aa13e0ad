"""Plain frozen data that travels between rooms, and the ports that the engine is handed.

For       Rooms that never meet: what one makes, another takes.
Touches   Nothing.
Promises  No behaviour beyond knowing its own shape.
"""
