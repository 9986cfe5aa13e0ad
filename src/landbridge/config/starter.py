"""A project file to start from.

For       `landbridge init`.
Touches   Nothing.
Promises  It reads as a project, and runs once its addresses are those of the reader's servers.
"""

from __future__ import annotations

STARTER = """\
version: 1
default_environment: dev
project_id: {name}

environments:
  - name: dev
  - name: prod

plugins:
  extractors:
    - name: tap-mongodb
      config:
        database: shop
        # With a user: mongodb://reader:${{MONGODB_PASSWORD}}@localhost:27017/?authSource=admin
        mongodb_connection_string: mongodb://localhost:27017
        flattening_enabled: true        # objects become columns: address.city -> address_city
        flattening_max_depth: 1
      metadata:
        '*':
          # FULL_TABLE reads everything. INCREMENTAL reads what is new by a replication-key such
          # as updatedAt; LOG_BASED every change (it needs a replica set).
          replication-method: FULL_TABLE
      select:
        - '*.*'                         # all collections; leave out some: '!logs.*'

  loaders:
    - name: target-postgres
      config:
        host: localhost
        port: 5432
        user: loader
        password: ${{TARGET_POSTGRES_PASSWORD}}   # in .env, or in the environment
        database: bi
        default_target_schema: raw
        load_method: overwrite          # after each run the tables equal the collections
        add_record_metadata: true       # _sdc_extracted_at and others

jobs:
  - name: sync
    tasks:
      - tap-mongodb target-postgres
"""

ENVIRONMENT = """\
# Copy to .env, which is kept out of git.
TARGET_POSTGRES_PASSWORD=
"""

IGNORED = """\
.env
"""


def files_of(name: str) -> dict[str, str]:
    """Return the files of a new project by their names, the project file first."""
    return {
        "meltano.yml": STARTER.format(name=name),
        ".env.example": ENVIRONMENT,
        ".gitignore": IGNORED,
    }
