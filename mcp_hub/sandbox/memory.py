"""Measures what the processes of running programs use together.

The OS bounds the address space of each process of a program; what its forks use together, and on macOS what each uses,
is sampled from the hub. Pages that a fork shares with the process it came from aren't its own and don't count.
"""

import os
from collections.abc import Set as AbstractSet

import psutil

SAMPLE_EVERY = 0.1
"""Seconds between two looks, while a program has several processes. Two cores fill about 200 MB meanwhile."""


def used_by_groups(zygote: int, groups: AbstractSet[int]) -> dict[int, int]:
    """Bytes of memory of their own that the processes of each group have, of those that descend from the zygote."""
    used = dict.fromkeys(groups, 0)
    try:
        descendants = psutil.Process(zygote).children(recursive=True)
    except psutil.NoSuchProcess:
        return used
    for process in descendants:
        try:
            group = os.getpgid(process.pid)
            if group in used:
                used[group] += process.memory_full_info().uss
        except (psutil.Error, ProcessLookupError):
            continue  # it has ended meanwhile
    return used
