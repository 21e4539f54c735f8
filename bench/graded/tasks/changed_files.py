"""The same change in many files: renamed by a rule, given a header, edited where there is something to edit."""

import json
import random
import re
from collections.abc import Mapping

from bench.graded.grading import same_number, same_set
from bench.graded.task import Level, Steps, Task, look, program
from bench.graded.tasks.files import (
    FILESYSTEM,
    Texts,
    filesystem,
    made,
    names,
    relative,
    result_of,
    same_files,
    standing,
)
from bench.graded.worlds import World


def scans() -> Texts:
    chosen = random.Random(23)
    people = ("Okafor", "Lind", "Abara", "Prado", "Wilk", "Mori", "Haas", "Costa")
    files = {"files/inbox/README.txt": "Scans of the front office.\n", "files/inbox/2025-01-07-lind.txt": "Letter.\n"}
    while len(files) < 27:
        day, month = chosen.randrange(1, 29), chosen.randrange(1, 13)
        path = f"files/inbox/Scan {day:02}.{month:02}.2025 {chosen.choice(people)}.txt"
        files[path] = f"Letter {chosen.randrange(1000, 9999)}, {chosen.randrange(1, 6)} pages.\n"
    return files


SCAN = re.compile(r"Scan (\d\d)\.(\d\d)\.(\d{4}) (\w+)\.txt")


def renamed(name: str) -> str:
    """What a scan is called by the rule; a name that isn't a scan's stays."""
    return SCAN.sub(lambda found: f"{found[3]}-{found[2]}-{found[1]}-{found[4].lower()}.txt", name)


def renamed_solved(world: World) -> str:
    every = [path for path in (world.root / "files/inbox").iterdir() if SCAN.fullmatch(path.name)]
    for path in every:
        path.rename(path.with_name(renamed(path.name)))
    return str(len(every))


def renamed_graded(world: World, answer: str) -> bool:
    return same_number(answer, 25) and same_files(world, {renamed(path): text for path, text in scans().items()})


def renamed_direct(_: World) -> Steps:
    (listing,) = yield [filesystem("list_directory", path="files/inbox")]
    every = [name for name in names(listing.text) if SCAN.fullmatch(name)]
    yield [
        filesystem("move_file", source=f"files/inbox/{name}", destination=f"files/inbox/{renamed(name)}")
        for name in every
    ]
    return str(len(every))


def renamed_hub(_: World) -> Steps:
    yield [look("list the files in a folder"), look("rename files in a folder")]
    (answer,) = yield [
        program(r"""
listing = filesystem.list_directory(path="files/inbox")["content"]
scans = re.findall(r"Scan (\d\d)\.(\d\d)\.(\d{4}) (\w+)\.txt", listing)
for day, month, year, name in scans:
    filesystem.move_file(
        source=f"files/inbox/Scan {day}.{month}.{year} {name}.txt",
        destination=f"files/inbox/{year}-{month}-{day}-{name.lower()}.txt",
    )
result = len(scans)
""")
    ]
    return answer.text


HEADER = "# Copyright 2026 Lindqvist Papers\n# SPDX-License-Identifier: MIT\n"


def sources() -> Texts:
    chosen = random.Random(24)
    parts = {
        "shop": ("basket", "cart", "coupon", "gift", "price", "shelf", "tax"),
        "shop/views": ("account", "checkout", "home", "order", "search"),
        "stock": ("count", "move", "place", "supply", "waste"),
        "mail": ("letter", "queue", "send", "template"),
        "tools": ("backup", "export", "load", "tidy", "watch", "wipe"),
    }
    paths = [(folder, name) for folder, held in parts.items() for name in held]
    done = set(chosen.sample(range(len(paths)), len(paths) - 22))
    files = {"files/src/README.md": "# Source\n", "files/src/shop/prices.csv": "item,price\npaper,4.20\n"}
    for place, (folder, name) in enumerate(paths):
        functions = "".join(
            f"\n\ndef {verb}_{name}(items: list[str]) -> int:\n"
            f'    """{verb.capitalize()} them; how many were there."""\n'
            f"    kept = [item for item in items if len(item) > {chosen.randrange(2, 9)}]\n"
            f"    return len(kept)\n"
            for verb in chosen.sample(("check", "add", "drop", "sort", "merge", "show"), chosen.randrange(2, 5))
        )
        text = f'"""{name.capitalize()}, of {folder}."""\n\nfrom collections.abc import Iterable\n{functions}'
        files[f"files/src/{folder}/{name}.py"] = f"{HEADER}\n{text}" if place in done else text
    return files


def headed(files: Mapping[str, str]) -> Texts:
    """What must be written: the files that lack the header, with it."""
    return {
        path: f"{HEADER}\n{text}"
        for path, text in files.items()
        if path.endswith(".py") and not text.startswith(HEADER)
    }


def headed_solved(world: World) -> str:
    changed = headed(standing(world))
    for path, text in changed.items():
        world.write(path, text)
    return str(len(changed))


def headed_graded(world: World, answer: str) -> bool:
    return same_number(answer, 22) and same_files(world, {**sources(), **headed(sources())})


def headed_direct(_: World) -> Steps:
    (found,) = yield [filesystem("search_files", path="files/src", pattern="**/*.py")]
    paths = relative(found.text)
    firsts = yield [filesystem("read_text_file", path=path, head=2) for path in paths]
    starts = {
        path: first.text.splitlines()[0]
        for path, first in zip(paths, firsts, strict=True)
        if first.text.strip() != HEADER.strip()
    }
    yield [
        filesystem("edit_file", path=path, edits=[{"oldText": start, "newText": f"{HEADER}\n{start}"}])
        for path, start in starts.items()
    ]
    return str(len(starts))


def headed_hub(_: World) -> Steps:
    yield [look("find all files by extension"), look("read a text file"), look("write a text file")]
    (answer,) = yield [
        program(r"""
HEADER = "# Copyright 2026 Lindqvist Papers\n# SPDX-License-Identifier: MIT\n"
found = filesystem.search_files(path="files/src", pattern="**/*.py")["content"]

def add_header(path):
    text = filesystem.read_text_file(path=path)["content"]
    if text.startswith(HEADER):
        return 0
    filesystem.write_file(path=path, content=HEADER + "\n" + text)
    return 1

result = sum(parallel(add_header, re.findall(r"files/src/\S+\.py\b", found)))
""")
    ]
    return answer.text


NODES = tuple(f"files/nodes/node-{letter}.conf" for letter in "abcdefgh")
OLD, NEW = "log_level = debug", "log_level = info"


def nodes() -> Texts:
    chosen = random.Random(18)
    files = {}
    for path in NODES:
        level = {"c": "log_level = warn\n", "f": ""}.get(path[-6], f"{OLD}\n")
        files[path] = (
            f"# {path.rpartition('/')[2]}\nlisten = 10.0.{chosen.randrange(9)}.{chosen.randrange(2, 250)}:7400\n{level}"
            f"peers = 3\nheartbeat_ms = {chosen.choice((250, 500))}\ndata_dir = /var/lib/node\n"
        )
    return files


def quieted(files: Mapping[str, str]) -> Texts:
    return {path: text.replace(OLD, NEW) for path, text in files.items()}


def quieted_solved(world: World) -> str:
    before = standing(world)
    for path, text in quieted(before).items():
        world.write(path, text)
    return json.dumps([path for path, text in before.items() if OLD not in text])


def quieted_graded(world: World, answer: str) -> bool:
    left = [path for path, text in nodes().items() if OLD not in text]
    return same_set(answer, left) and same_files(world, quieted(nodes()))


def quieted_direct(_: World) -> Steps:
    answers = yield [filesystem("edit_file", path=path, edits=[{"oldText": OLD, "newText": NEW}]) for path in NODES]
    return json.dumps([path for path, answer in zip(NODES, answers, strict=True) if answer.is_error])


def quieted_hub(_: World) -> Steps:
    yield [look("replace text in a file")]
    (answer,) = yield [
        program("""
left = []
for letter in "abcdefgh":
    path = f"files/nodes/node-{letter}.conf"
    try:
        filesystem.edit_file(path=path, edits=[{"oldText": "log_level = debug", "newText": "log_level = info"}])
    except Exception as error:
        print(error)
        left.append(path)
result = left
""")
    ]
    return result_of(answer.text)


TASKS = (
    Task(
        name="scans-renamed",
        level=Level.HARD,
        servers=FILESYSTEM,
        request="Rename the scans in files/inbox: 'Scan 14.03.2025 Okafor.txt' is to be '2025-03-14-okafor.txt', and "
        "so on for every file named in that way (day.month.year, then the name, which becomes lower case). "
        "Leave the other files alone. Answer with the number of files renamed.",
        make=made(scans),
        solve=renamed_solved,
        grade=renamed_graded,
        wrong=("27", "24", "done"),
        direct=renamed_direct,
        hub=renamed_hub,
    ),
    Task(
        name="licence-headers",
        level=Level.HARD,
        servers=FILESYSTEM,
        request="Every Python file below files/src must begin with the lines '# Copyright 2026 Lindqvist Papers' and "
        "'# SPDX-License-Identifier: MIT' and then an empty line. Some do already; add that to those that don't, and "
        "change nothing else. Answer with the number of files changed.",
        make=made(sources),
        solve=headed_solved,
        grade=headed_graded,
        wrong=("27", "29", "5"),
        direct=headed_direct,
        hub=headed_hub,
    ),
    Task(
        name="log-level-not-there",
        level=Level.EDGE,
        servers=FILESYSTEM,
        request="In files/nodes/node-a.conf to node-h.conf, change the line 'log_level = debug' to 'log_level = info'. "
        "Some files may not have that line; leave these as they are. Answer with a JSON array of the paths left as "
        "they are, such as files/nodes/node-a.conf.",
        make=made(nodes),
        solve=quieted_solved,
        grade=quieted_graded,
        wrong=("[]", '["files/nodes/node-c.conf"]', json.dumps(NODES)),
        direct=quieted_direct,
        hub=quieted_hub,
    ),
)
