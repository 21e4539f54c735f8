"""The tasks, by what they are about. Each module has TASKS; a new one is added here."""

from bench.graded.task import Task
from bench.graded.tasks import (
    basics,
    changed_files,
    few_files,
    files,
    joins,
    knowledge,
    mixed,
    more_files,
    more_tables,
    repositories,
    repository_changes,
    repository_history,
    table_changes,
    table_checks,
    tables,
    times,
)

TASKS: tuple[Task, ...] = (
    *basics.TASKS,
    *files.TASKS,
    *few_files.TASKS,
    *more_files.TASKS,
    *changed_files.TASKS,
    *knowledge.TASKS,
    *joins.TASKS,
    *mixed.TASKS,
    *times.TASKS,
    *tables.TASKS,
    *table_changes.TASKS,
    *more_tables.TASKS,
    *table_checks.TASKS,
    *repositories.TASKS,
    *repository_history.TASKS,
    *repository_changes.TASKS,
)
"""Every task over the real servers, in the order in which they are run."""
