"""The PostgreSQL end: connections, catalog, DDL, COPY and merge.

For       Holding rows: making tables, filling them fast, and publishing them in one transaction.
Touches   The target database.
Promises  Identifiers are quoted and values are parameters. No session state outlives a
          transaction, so that a transaction-pooling proxy may stand in between.
"""
