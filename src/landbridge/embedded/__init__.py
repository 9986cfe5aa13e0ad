"""Real servers for the demo, the tests and the benchmarks, from wheels, in about a second.

For       A mongod and a PostgreSQL that nobody had to install, each in a folder of its own.
Touches   Those folders, processes that it started, free ports of the loopback interface.
Promises  Nothing is left behind when we end, by kill -9 even. Where `LANDBRIDGE_TEST_MONGODB`
          or `LANDBRIDGE_TEST_POSTGRES` names a server, `servers` uses that and starts none.

The rest of landbridge never imports this room; only `cli`, and the tests.
"""

from landbridge.embedded.mongod import Mongod
from landbridge.embedded.postgres import PostgreSQL
from landbridge.embedded.servers import MongoServer, PostgresServer, mongodb, postgresql, servers

__all__ = [
    "MongoServer",
    "Mongod",
    "PostgreSQL",
    "PostgresServer",
    "mongodb",
    "postgresql",
    "servers",
]
