"""An export: the collections of a source become an archive of JSON lines.

For       `landbridge export`, and notebooks.
Touches   The source, reading only; the place of the archive.
Promises  What is in an archive with a manifest is whole, and the manifest tells the truth about it.
"""

from landbridge.bridge.exporting.run import export

__all__ = ["export"]
