"""What landbridge remembers, in the schema `landbridge` of the target database.

For       Positions, leases, the ledger, the column map, history and quarantine.
Touches   PostgreSQL, through the connection it is handed; it opens none and commits nothing.
Promises  A fresh install equals all migrations. Nothing outlives the caller's transaction.
"""
