"""The loops: what is read, what is asked of each end, and when it is committed.

For       Moving a stream from its source to its target, by one method and one layout.
Touches   The ends it is handed, and `state` through the target's session.
Promises  It knows no server. A stop at any moment needs only the same command again.
"""
