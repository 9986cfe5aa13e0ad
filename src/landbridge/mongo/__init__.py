"""The MongoDB end: connect, list what there is, read it as the bytes that the server sends.

For       Handing raw BSON to whoever turns it into something else.
Touches   One MongoDB deployment, reading only, on the primary.
Promises  No Python object for each document on the hot path; every error is a `LandbridgeError`.

Other rooms use `connect.connect` and `Connection`; `catalog.collections`, `with_sizes` and
`with_indexes`; `source.CollectionSource`, which is a `model.stream.Source`.
"""
