"""The tasks, by what they are about. Each module has TASKS; a new one is added here."""

from bench.graded.task import Task
from bench.graded.tasks import basics, few_files, files

TASKS: tuple[Task, ...] = (*basics.TASKS, *files.TASKS, *few_files.TASKS)
"""Every task over the real servers, in the order in which they are run."""
