"""The one room that knows every concrete room: a request becomes a run.

For       The command line, the service and notebooks; `landbridge.sync` is `sync` here.
Touches   Both ends, through their rooms.
Promises  What is returned accounts for every document; nothing is printed.
"""

from landbridge.bridge.checkup import doctor
from landbridge.bridge.cutover import (
    CutoverRequest,
    Figures,
    Through,
    check_quiet,
    cut_over,
    plan_cutover,
    watch_cutover,
)
from landbridge.bridge.exporting import export
from landbridge.bridge.importing import import_files, plan_import
from landbridge.bridge.mapped_import import import_mapped
from landbridge.bridge.project_run import Pair, check_plugin, list_streams, plan_pair, run_pair
from landbridge.bridge.proposing import propose_mapping
from landbridge.bridge.provisioning import (
    database_in,
    setup_mongodb,
    setup_postgres,
    source_database_in,
)
from landbridge.bridge.quarantine import list_quarantine, retry_quarantine, show_quarantine
from landbridge.bridge.syncing import plan_sync, sync
from landbridge.bridge.undoing import undo_import
from landbridge.bridge.verifying import verification_page, verify

__all__ = [
    "CutoverRequest",
    "Figures",
    "Pair",
    "Through",
    "check_plugin",
    "check_quiet",
    "cut_over",
    "database_in",
    "doctor",
    "export",
    "import_files",
    "import_mapped",
    "list_quarantine",
    "list_streams",
    "plan_cutover",
    "plan_import",
    "plan_pair",
    "plan_sync",
    "propose_mapping",
    "retry_quarantine",
    "run_pair",
    "setup_mongodb",
    "setup_postgres",
    "show_quarantine",
    "source_database_in",
    "sync",
    "undo_import",
    "verification_page",
    "verify",
    "watch_cutover",
]
