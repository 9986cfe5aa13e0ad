"""The rules by which documents become rows of a schema that already exists, and back.

For       `import --mapping`, `mapping propose`, and the verification through a mapping.
Touches   Nothing: rules, and values by them.
Promises  A rule says where a value comes from and what it becomes; it is a file that people edit.
"""
