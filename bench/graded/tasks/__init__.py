"""The tasks, by what they are about. Each module has TASKS; a new one is added here."""

from bench.graded.task import Task
from bench.graded.tasks import basics

TASKS: tuple[Task, ...] = (*basics.TASKS,)
"""Every task over the real servers, in the order in which they are run."""
