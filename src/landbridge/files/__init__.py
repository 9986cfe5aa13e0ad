"""The file end: archives of JSON lines in a local folder or on S3.

For       `export`, which writes them, and `import`, which reads them.
Touches   The folder or the bucket that it is given, nothing beside it.
Promises  A file is read and written in pieces, never held whole. A name that a person sees is the
          name that lies there. No key or secret stands in an error.
"""

from landbridge.files.archive import Archive, look_at
from landbridge.files.manifest import read_manifest, write_manifest
from landbridge.files.names import archive_names, collection_of
from landbridge.files.reading import chunks
from landbridge.files.source import FileSource
from landbridge.files.store import Store, open_store

__all__ = [
    "Archive",
    "FileSource",
    "Store",
    "archive_names",
    "chunks",
    "collection_of",
    "look_at",
    "open_store",
    "read_manifest",
    "write_manifest",
]
