"""What is asked for: options of a study and of a run, checked once, kept as JSON.

Nothing here knows models or devices; each later module checks what only it can.
"""

from jaxorder.config.described import described
from jaxorder.config.probes import check_group
from jaxorder.config.run import (
    SCHEMA,
    RunConfig,
    StudyOptions,
    check_names,
    folder_name,
    refuse_unknown,
    to_json,
)
from jaxorder.config.snapshots import snapshot_steps
from jaxorder.config.study import StudyAsked, StudyConfig, study_asked
from jaxorder.config.vary import parse_vary, values_of_members

__all__ = [
    "SCHEMA",
    "RunConfig",
    "StudyAsked",
    "StudyConfig",
    "StudyOptions",
    "check_group",
    "check_names",
    "described",
    "folder_name",
    "parse_vary",
    "refuse_unknown",
    "snapshot_steps",
    "study_asked",
    "to_json",
    "values_of_members",
]
