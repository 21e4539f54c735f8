"""Single files: one call each, or a few that are all named; also a long one, and one that is missing."""

import json
import random
from collections.abc import Callable, Mapping

from bench.graded.agents import PLACE
from bench.graded.grading import same_json, same_number, same_set, same_text
from bench.graded.task import Call, Level, Steps, Task, call, look, program
from bench.graded.worlds import FILES, World

Texts = dict[str, str]
"""Files' texts by their paths in the world."""

FILESYSTEM = frozenset({"filesystem"})


def made(files: Callable[[], Texts]) -> Callable[[World], None]:
    """What puts those files into a world."""

    def make(world: World) -> None:
        for path, text in files().items():
            world.write(path, text)

    return make


def standing(world: World) -> Texts:
    """All files of a world, as they are now."""
    root = world.root
    return {
        str(path.relative_to(root)): path.read_text(encoding="utf-8")
        for path in (root / FILES).rglob("*")
        if path.is_file()
    }


def same_files(world: World, right: Mapping[str, str]) -> bool:
    """Whether just these files are there with these texts; a line end at a text's end doesn't count."""
    now = standing(world)
    return now.keys() == right.keys() and all(now[path].rstrip("\n") == right[path].rstrip("\n") for path in right)


def filesystem(tool: str, **arguments: object) -> Call:
    """A call of the filesystem server."""
    return call("filesystem", tool, **arguments)


def names(listing: str) -> list[str]:
    """The names of the files in a directory's listing, as its reader sees them."""
    return [line.removeprefix("[FILE] ") for line in listing.splitlines() if line.startswith("[FILE] ")]


def relative(listing: str) -> list[str]:
    """The paths that a search found, below the servers' folder."""
    return [line.removeprefix(f"{PLACE}/") for line in listing.splitlines()]


def by_path(text: str) -> Texts:
    """What the tool that reads several files says of each."""
    parts = (part.partition(":") for part in text.split("\n---\n"))
    return {path: rest.removeprefix("\n") for path, _, rest in parts}


def result_of(text: str) -> str:
    """A program's result, without what it printed."""
    return text.partition("\nprinted:\n")[0]


def line_after(text: str, start: str) -> str:
    """The rest of the first line that begins so."""
    return next(line.removeprefix(start).strip() for line in text.splitlines() if line.startswith(start))


BILLING = """\
# Settings of the billing service. Reloaded on SIGHUP.
name = "billing"
environment = "production"

[http]
host = "0.0.0.0"
port = 8443
read_timeout_seconds = 30
max_body_kib = 512

[metrics]
enabled = true
port = 9102
path = "/metrics"

[database]
host = "db-2.internal.example"
port = 5432
name = "billing"
pool_size = 12

[mail]
host = "smtp.internal.example"
port = 587
from = "billing@papers.example"

[invoices]
currency = "EUR"
due_days = 14
number_format = "{year}-{sequence:05}"
"""


def port_solved(world: World) -> str:
    section = (world.text("files/billing.toml") or "").partition("[http]")[2]
    return line_after(section, "port = ")


def port_direct(_: World) -> Steps:
    (answer,) = yield [filesystem("read_text_file", path="files/billing.toml")]
    return line_after(answer.text.partition("[http]")[2], "port = ")


def port_hub(_: World) -> Steps:
    yield [look("read a text file")]
    (answer,) = yield [program('result = filesystem.read_text_file(path="files/billing.toml")["content"]')]
    return line_after(answer.text.partition("[http]")[2], "port = ")


def scans() -> Texts:
    chosen = random.Random(11)
    files = {f"files/scans/letter-{number:03}.pdf": "%PDF-1.7\n" for number in chosen.sample(range(400), 17)}
    files |= {f"files/scans/photo-{number:03}.jpg": "JFIF\n" for number in chosen.sample(range(400), 9)}
    files |= {f"files/scans/archive/letter-{number:03}.pdf": "%PDF-1.4\n" for number in range(400, 406)}
    return files | {"files/scans/pdf-settings.txt": "dpi = 300\ncolour = grey\n"}


def scan_count_solved(world: World) -> str:
    return str(len(list((world.root / "files/scans").glob("*.pdf"))))


def scan_count_direct(_: World) -> Steps:
    (answer,) = yield [filesystem("list_directory", path="files/scans")]
    return str(sum(name.endswith(".pdf") for name in names(answer.text)))


def scan_count_hub(_: World) -> Steps:
    yield [look("list the files in a folder")]
    (answer,) = yield [
        program("""
listing = filesystem.list_directory(path="files/scans")["content"]
result = len([line for line in listing.splitlines() if line.strip().endswith(".pdf")])
""")
    ]
    return answer.text


TODO = "# Todo\n\n- call the printer about the delayed paper\n- send Ms Okafor the corrected invoice\n- book the hall\n"


def drafts() -> Texts:
    return {"files/notes.md": "# Notes\n\nThe hall is free on 14 and 21 March.\n", "files/done.md": "# Done\n"}


def todo_solved(world: World) -> str:
    world.write("files/todo.md", TODO)
    return "files/todo.md"


def todo_graded(world: World, answer: str) -> bool:
    return same_text(answer, "files/todo.md") and same_files(world, {**drafts(), "files/todo.md": TODO})


def todo_direct(_: World) -> Steps:
    yield [filesystem("write_file", path="files/todo.md", content=TODO)]
    return "files/todo.md"


def todo_hub(_: World) -> Steps:
    yield [look("write a text file")]
    yield [program(f'result = filesystem.write_file(path="files/todo.md", content={json.dumps(TODO)})["content"]')]
    return "files/todo.md"


def backups() -> Texts:
    chosen = random.Random(12)
    lines = []
    for day in range(120):
        date = f"2025-{day // 28 + 9:02}-{day % 28 + 1:02}" if day < 112 else f"2026-01-{day - 111:02}"
        archive = f"daily-{date}-{chosen.randrange(16**6):06x}.tar.gz"
        lines.append(f"{date} 02:00:0{chosen.randrange(10)} backup started, {chosen.randrange(4100, 4900)} files")
        lines.append(f"{date} 02:1{chosen.randrange(10)}:42 wrote {archive}, {chosen.randrange(800, 990)} MiB")
        lines.append(f"{date} 02:2{chosen.randrange(10)}:05 backup finished")
    return {"files/backup.log": "\n".join(lines) + "\n"}


def last_archive(log: str) -> str:
    return [line for line in log.splitlines() if " wrote " in line][-1].partition(" wrote ")[2].partition(",")[0]


def last_backup_solved(world: World) -> str:
    return last_archive(world.text("files/backup.log") or "")


def last_backup_direct(_: World) -> Steps:
    (answer,) = yield [filesystem("read_text_file", path="files/backup.log", tail=10)]
    return last_archive(answer.text)


def last_backup_hub(_: World) -> Steps:
    yield [look("read the last lines of a file")]
    (answer,) = yield [program('result = filesystem.read_text_file(path="files/backup.log", tail=10)["content"]')]
    return last_archive(answer.text)


BRANCHES = ("north", "north-east", "east", "south", "south-west", "west", "centre")
MISSING = "south-west"


def branches() -> Texts:
    chosen = random.Random(16)
    return {
        f"files/branches/{name}.json": json.dumps(
            {"branch": name, "staff": chosen.randrange(4, 30), "revenue": chosen.randrange(90_000, 900_000)}, indent=2
        )
        for name in BRANCHES
        if name != MISSING
    }


def branches_told(read: Mapping[str, str]) -> str:
    """The answer, from the texts of the files that are there."""
    missing = [name for name in BRANCHES if f"files/branches/{name}.json" not in read]
    return json.dumps({"total": sum(json.loads(text)["revenue"] for text in read.values()), "missing": missing})


def branches_solved(world: World) -> str:
    return branches_told(standing(world))


def branches_direct(_: World) -> Steps:
    paths = [f"files/branches/{name}.json" for name in BRANCHES]
    (read,) = yield [filesystem("read_multiple_files", paths=paths)]
    texts = by_path(read.text)
    return branches_told({path: text for path, text in texts.items() if not text.lstrip().startswith("Error")})


def branches_hub(_: World) -> Steps:
    yield [look("read a text file")]
    (answer,) = yield [
        program("""
total, missing = 0, []
for name in ["north", "north-east", "east", "south", "south-west", "west", "centre"]:
    try:
        text = filesystem.read_text_file(path=f"files/branches/{name}.json")["content"]
    except Exception as error:
        print(name, error)
        missing.append(name)
        continue
    total += json.loads(text)["revenue"]
result = {"total": total, "missing": missing}
""")
    ]
    return result_of(answer.text)


def gateway() -> Texts:
    chosen = random.Random(17)
    places = ("/orders", "/orders/{n}", "/catalogue", "/basket", "/search?q=paper", "/login", "/invoices/{n}.pdf")
    slow = set(chosen.sample(range(4200), 8))
    lines = []
    for number in range(4200):
        took = chosen.randrange(5001, 29000) if number in slow else min(int(chosen.lognormvariate(4.6, 0.9)), 4900)
        seconds = number * 20
        lines.append(
            f"2026-01-12T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}Z INFO "
            f"request={chosen.randrange(16**8):08x} method={chosen.choice(('GET', 'GET', 'GET', 'POST'))} "
            f"path={chosen.choice(places).format(n=chosen.randrange(9999))} "
            f"status={chosen.choices((200, 201, 304, 404), (80, 8, 8, 4))[0]} ms={took}"
        )
    return {"files/gateway.log": "\n".join(lines) + "\n"}


def slow_requests(log: str) -> str:
    words = [line.split() for line in log.splitlines()]
    return json.dumps([line[2].removeprefix("request=") for line in words if int(line[-1].removeprefix("ms=")) > 5000])


def slow_solved(world: World) -> str:
    return slow_requests(world.text("files/gateway.log") or "")


def slow_direct(_: World) -> Steps:
    sql = r"""
SELECT regexp_extract(line, 'request=(\S+)', 1)
FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text('files/gateway.log'))
WHERE TRY_CAST(regexp_extract(line, 'ms=(\d+)', 1) AS INTEGER) > 5000
"""
    (answer,) = yield [call("duckdb", "execute_query", sql=sql)]
    return json.dumps([row[0] for row in json.loads(answer.text)["rows"]])


def slow_hub(_: World) -> Steps:
    yield [look("read a text file")]
    (answer,) = yield [
        program(r"""
log = filesystem.read_text_file(path="files/gateway.log")["content"]
found = re.findall(r"request=(\S+).* ms=(\d+)", log)
result = [request for request, took in found if int(took) > 5000]
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="config-port",
        level=Level.SIMPLE,
        servers=FILESYSTEM,
        request="On which port does the billing service take HTTP requests? Its settings are in files/billing.toml. "
        "Answer with the number only.",
        make=made(lambda: {"files/billing.toml": BILLING}),
        solve=port_solved,
        grade=lambda _, answer: same_number(answer, 8443),
        wrong=("9102", "5432", "8443 and 9102"),
        direct=port_direct,
        hub=port_hub,
    ),
    Task(
        name="scan-count",
        level=Level.SIMPLE,
        servers=FILESYSTEM,
        request="How many PDF files are in files/scans itself, those in its subfolders not counted? "
        "Answer with the number only.",
        make=made(scans),
        solve=scan_count_solved,
        grade=lambda _, answer: same_number(answer, 17),
        wrong=("23", "26", "18"),
        direct=scan_count_direct,
        hub=scan_count_hub,
    ),
    Task(
        name="todo-written",
        level=Level.SIMPLE,
        servers=FILESYSTEM,
        request="Make a file files/todo.md: a heading '# Todo', an empty line, then these three items, each as a line "
        "that begins with '- ': call the printer about the delayed paper; send Ms Okafor the corrected invoice; book "
        "the hall. Answer with the path of the file only.",
        make=made(drafts),
        solve=todo_solved,
        grade=todo_graded,
        wrong=("files/todo.txt", "I could not write the file."),
        direct=todo_direct,
        hub=todo_hub,
    ),
    Task(
        name="last-backup",
        level=Level.SIMPLE,
        servers=FILESYSTEM,
        request="Which archive did the latest backup write? The log files/backup.log is long, and the newest lines "
        "are at its end. Answer with the archive's file name only.",
        make=made(backups),
        solve=last_backup_solved,
        grade=lambda _, answer: same_text(answer, last_archive(backups()["files/backup.log"])),
        wrong=("daily-2025-09-01-000000.tar.gz", "backup finished", ""),
        direct=last_backup_direct,
        hub=last_backup_hub,
    ),
    Task(
        name="branch-missing",
        level=Level.EDGE,
        servers=FILESYSTEM,
        request="Each branch should have handed in files/branches/NAME.json, an object with its revenue: north, "
        "north-east, east, south, south-west, west and centre. What is the revenue of those that did, and which files "
        "aren't there? Answer with a JSON object: total, a number, and missing, an array of the branches' names.",
        make=made(branches),
        solve=branches_solved,
        grade=lambda _, answer: same_json(answer, json.loads(branches_told(branches()))),
        wrong=(
            branches_told(branches()).replace(MISSING, "west"),
            '{"total": 0, "missing": ["south-west"]}',
            "The file files/branches/south-west.json doesn't exist.",
        ),
        direct=branches_direct,
        hub=branches_hub,
    ),
    Task(
        name="slow-requests",
        level=Level.EDGE,
        servers=frozenset({"filesystem", "duckdb"}),
        request="Which requests in files/gateway.log took more than 5000 ms? Its lines have request=ID and, at their "
        "end, ms=NUMBER. Answer with a JSON array of the IDs.",
        make=made(gateway),
        solve=slow_solved,
        grade=lambda _, answer: same_set(answer, json.loads(slow_requests(gateway()["files/gateway.log"]))),
        wrong=("[]", json.dumps(json.loads(slow_requests(gateway()["files/gateway.log"]))[1:]), "The log is too long."),
        direct=slow_direct,
        hub=slow_hub,
    ),
)
