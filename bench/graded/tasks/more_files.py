"""Many files: counts, totals and comparisons over all of a folder or a tree."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from bench.graded.grading import same_json, same_set
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.tasks.files import FILESYSTEM, Texts, filesystem, made, standing
from bench.graded.worlds import World

CALM = (
    ("INFO", "api", "GET /orders answered 200 in {n} ms"),
    ("INFO", "api", "POST /orders answered 201 in {n} ms"),
    ("INFO", "worker", "job {n} done"),
    ("INFO", "mailer", "sent confirmation {n}"),
    ("DEBUG", "cache", "{n} entries dropped"),
    ("WARN", "worker", "job {n} retried after an ERROR of its server"),
    ("WARN", "api", "GET /orders answered 200 in {n} ms, slower than wanted"),
)
FAILED = (
    ("ERROR", "api", "GET /orders answered 500 in {n} ms"),
    ("ERROR", "worker", "job {n} given up"),
    ("ERROR", "mailer", "confirmation {n} refused by its server"),
)


def logs() -> Texts:
    chosen = random.Random(21)
    files = {}
    for day in range(1, 31):
        lines = []
        for minute in sorted(chosen.sample(range(1440), chosen.randrange(40, 90))):
            kinds, weights = ((*CALM, *FAILED), (30, 14, 18, 12, 8, 3, 5, 2, 3, 1))
            level, component, message = chosen.choices(kinds, weights)[0]
            time = f"2025-11-{day:02}T{minute // 60:02}:{minute % 60:02}:{chosen.randrange(60):02}Z"
            lines.append(f"{time} {level} {component}: {message.format(n=chosen.randrange(20, 9000))}")
        files[f"files/logs/shop-2025-11-{day:02}.log"] = "\n".join(lines) + "\n"
    return files


def errors(texts: Iterable[str]) -> dict[str, int]:
    """Lines of level ERROR, by component."""
    words = [line.split() for text in texts for line in text.splitlines()]
    return dict(Counter(line[2].rstrip(":") for line in words if line[1] == "ERROR"))


def errors_solved(world: World) -> str:
    return json.dumps(errors(standing(world).values()))


def errors_direct(_: World) -> Steps:
    sql = r"""
SELECT regexp_extract(line, '^\S+ ERROR (\w+):', 1) AS component, count(*)
FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text('files/logs/*.log'))
WHERE component <> '' GROUP BY component
"""
    (answer,) = yield [call("duckdb", "execute_query", sql=sql)]
    return json.dumps(dict(json.loads(answer.text)["rows"]))


def errors_hub(_: World) -> Steps:
    yield [look("list the files in a folder"), look("read a text file")]
    (answer,) = yield [
        program(r"""
listing = filesystem.list_directory(path="files/logs")["content"]
names = re.findall(r"[\w.-]+\.log\b", listing)
texts = parallel(lambda name: filesystem.read_text_file(path="files/logs/" + name)["content"], names)
counts = collections.Counter()
for text in texts:
    for line in text.splitlines():
        found = re.match(r"\S+ ERROR (\w+):", line)
        if found:
            counts[found.group(1)] += 1
result = dict(counts)
""")
    ]
    return answer.text


def services() -> Texts:
    chosen = random.Random(22)
    nouns = "account audit basket billing catalogue checkout claims courier coupon export feed gift import invoice"
    more = "ledger loyalty mail media menu notice offer order parcel payout price profile quote rating refund report"
    last = "return review search session shelf stock tax till voucher wallet"
    services = f"{nouns} {more} {last}".split()
    lacking = set(chosen.sample(services, 7))
    files = {}
    for service in services:
        http: dict[str, object] = {"port": 8000 + chosen.randrange(999), "timeout_seconds": chosen.choice((5, 10, 30))}
        if service not in lacking:
            http["max_connections"] = chosen.choice((50, 100, 200))
        config = {
            "name": service,
            "image": f"registry.example/{service}:{chosen.randrange(1, 5)}.{chosen.randrange(30)}.0",
            "replicas": chosen.randrange(1, 6),
            "http": http,
            "database": {"host": f"db-{chosen.randrange(1, 4)}.example", "max_connections": chosen.choice((5, 10))},
            "logging": {"level": chosen.choice(("info", "warn")), "json": True},
        }
        files[f"files/services/{service}/config.json"] = json.dumps(config, indent=2) + "\n"
    return files


def lacking(files: Mapping[str, str]) -> list[str]:
    configs = [json.loads(text) for text in files.values()]
    return [config["name"] for config in configs if "max_connections" not in config["http"]]


def lacking_solved(world: World) -> str:
    return json.dumps(lacking(standing(world)))


def lacking_direct(_: World) -> Steps:
    sql = """
SELECT split_part(filename, '/', -2) FROM read_text('files/services/*/config.json')
WHERE json_extract(content, '$.http.max_connections') IS NULL
"""
    (answer,) = yield [call("duckdb", "execute_query", sql=sql)]
    return json.dumps([row[0] for row in json.loads(answer.text)["rows"]])


def lacking_hub(_: World) -> Steps:
    yield [look("find config files in subfolders"), look("read a text file")]
    (answer,) = yield [
        program(r"""
found = filesystem.search_files(path="files/services", pattern="**/config.json")["content"]
services = re.findall(r"files/services/([^/\s]+)/config\.json", found)

def lacks(service):
    config = json.loads(filesystem.read_text_file(path=f"files/services/{service}/config.json")["content"])
    return "max_connections" not in config["http"]

result = [service for service, lacking in zip(services, parallel(lacks, services)) if lacking]
""")
    ]
    return answer.text


MONTHS = tuple(f"{year}-{month:02}" for year in (2024, 2025) for month in range(1, 13))
GROUPS = ("paper", "pens", "cards", "ink", "repairs")


def tills() -> Texts:
    chosen = random.Random(25)
    files = {}
    for month in MONTHS:
        rows = [
            (f"{month}-{day:02}", chosen.choices(GROUPS, (9, 6, 5, 3, 1))[0], chosen.randrange(250, 19000))
            for day in sorted(chosen.choices(range(1, 29), k=chosen.randrange(28, 46)))
        ]
        lines = [f"Till 2, month {month}", "", "date;group;amount"]
        lines += [f"{date};{group};{cents / 100:.2f}" for date, group, cents in rows]
        lines.append(f"total;;{sum(cents for *_, cents in rows) / 100:.2f}")
        files[f"files/till/{month}.csv"] = "\n".join(lines) + "\n"
    return files


def by_group(texts: Iterable[str]) -> dict[str, float]:
    cents: defaultdict[str, int] = defaultdict(int)
    for text in texts:
        for row in text.strip().splitlines()[3:-1]:
            _, group, amount = row.split(";")
            cents[group] += round(float(amount) * 100)
    return {group: total / 100 for group, total in cents.items()}


def tills_solved(world: World) -> str:
    return json.dumps(by_group(standing(world).values()))


def tills_direct(_: World) -> Steps:
    sql = """
SELECT split_part(line, ';', 2), sum(CAST(split_part(line, ';', 3) AS DECIMAL(12, 2)))
FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text('files/till/*.csv'))
WHERE line LIKE '20%;%;%' GROUP BY 1
"""
    (answer,) = yield [call("duckdb", "execute_query", sql=sql)]
    return json.dumps({group: float(total) for group, total in json.loads(answer.text)["rows"]})


def tills_hub(_: World) -> Steps:
    yield [look("read CSV files")]
    (answer,) = yield [
        program("""
def rows(month):
    text = filesystem.read_text_file(path=f"files/till/{month}.csv")["content"]
    lines = text.strip().splitlines()
    return [line.split(";") for line in lines[lines.index("date;group;amount") + 1:-1]]

months = [f"{year}-{month:02d}" for year in (2024, 2025) for month in range(1, 13)]
totals = collections.defaultdict(float)
for table in parallel(rows, months):
    for date, group, amount in table:
        totals[group] += float(amount)
result = {group: round(total, 2) for group, total in totals.items()}
""")
    ]
    return answer.text


def pages() -> Texts:
    chosen = random.Random(26)
    folders = ("", "blog", "blog/2024", "blog/2025", "help", "help/images", "products", "scripts", "styles")
    ends = {"scripts": "js", "styles": "css", "help/images": "svg"}
    words = ("paper", "ink", "order", "letter", "print", "shelf", "green", "folded", "ruled", "ivory", "bound")
    taken = chosen.sample(range(700, 26_000, 97), 57)  # bytes, far enough apart that rounded sizes differ
    files = {}
    for place, size in enumerate(taken):
        folder = folders[place % len(folders)]
        name = f"{chosen.choice(words)}-{chosen.choice(words)}-{place}.{ends.get(folder, 'html')}"
        text = " ".join(chosen.choices(words, k=size // 4))[: size - 1] + "\n"
        files["/".join(part for part in ("files/site", folder, name) if part)] = text
    return files


def largest(sizes: Mapping[str, float]) -> list[str]:
    """The ten largest, the largest first."""
    return sorted(sizes, key=lambda path: -sizes[path])[:10]


def largest_solved(world: World) -> str:
    return json.dumps(largest({path: len(text.encode()) for path, text in standing(world).items()}))


def largest_graded(_: World, answer: str) -> bool:
    return same_json(answer, largest({path: len(text.encode()) for path, text in pages().items()}))


def folders_of(tree: list[dict[str, object]], path: str) -> list[str]:
    """A folder and all below it, from a directory tree's JSON."""
    found = [path]
    for entry in tree:
        if isinstance(below := entry.get("children"), list):
            found += folders_of(below, f"{path}/{entry['name']}")
    return found


UNITS = {"B": 1, "KB": 1024, "MB": 1024 * 1024}


def sized(listing: str, folder: str) -> dict[str, float]:
    """The sizes in a listing with sizes, which are rounded."""
    rows = [line.split() for line in listing.splitlines() if line.startswith("[FILE]")]
    return {f"{folder}/{name}": float(size) * UNITS[unit] for _, name, size, unit in rows}


def largest_direct(_: World) -> Steps:
    (tree,) = yield [filesystem("directory_tree", path="files/site")]
    folders = folders_of(json.loads(tree.text), "files/site")
    listings = yield [filesystem("list_directory_with_sizes", path=folder, sortBy="size") for folder in folders]
    sizes: dict[str, float] = {}
    for folder, listing in zip(folders, listings, strict=True):
        sizes |= sized(listing.text, folder)
    return json.dumps(largest(sizes))


def largest_hub(_: World) -> Steps:
    yield [look("find all files in a folder tree"), look("size of a file")]
    yield [
        program("""
found = filesystem.search_files(path="files/site", pattern="**/*")["content"]
result = {"found": found[:300], "info": filesystem.get_file_info(path="files/site")["content"]}
""")
    ]
    (answer,) = yield [
        program(r"""
found = filesystem.search_files(path="files/site", pattern="**/*")["content"]
paths = [line[line.index("files/site"):] for line in found.splitlines()]

def sized(path):
    info = filesystem.get_file_info(path=path)["content"]
    size = int(re.search(r"size: (\d+)", info).group(1))
    return [size if "isFile: true" in info else 0, path]

result = [path for size, path in sorted(parallel(sized, paths), reverse=True)[:10]]
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="errors-by-component",
        level=Level.HARD,
        servers=frozenset({"filesystem", "duckdb"}),
        request="files/logs has the shop's log of each day of November, named like shop-2025-11-03.log. A line is "
        "'TIME LEVEL COMPONENT: MESSAGE'. How many lines of level ERROR has each component in the whole month? "
        "Answer with a JSON object from component to number, without components that have none.",
        make=made(logs),
        solve=errors_solved,
        grade=lambda _, answer: same_json(answer, errors(logs().values())),
        wrong=('{"api": 30, "worker": 60, "mailer": 20}', "{}", "[]"),
        direct=errors_direct,
        hub=errors_hub,
    ),
    Task(
        name="configs-lacking-limit",
        level=Level.HARD,
        servers=frozenset({"filesystem", "duckdb"}),
        request="Each service has a folder in files/services with its config.json. Which services set no "
        "max_connections in the object http of their config? Answer with a JSON array of the folders' names.",
        make=made(services),
        solve=lacking_solved,
        grade=lambda _, answer: same_set(answer, list(lacking(services()))),
        wrong=("[]", '["account", "audit"]', json.dumps([path.split("/")[2] for path in services()])),
        direct=lacking_direct,
        hub=lacking_hub,
    ),
    Task(
        name="till-totals",
        level=Level.HARD,
        servers=frozenset({"filesystem", "duckdb"}),
        request="files/till has a CSV file per month, from 2024-01.csv to 2025-12.csv. Each begins with a title and an "
        "empty line; then come the line 'date;group;amount', one row per sale, and a last line with the month's total. "
        "What did each group bring in over all 24 months? Answer with a JSON object from group to amount, rounded to "
        "two decimals.",
        make=made(tills),
        solve=tills_solved,
        grade=lambda _, answer: same_json(answer, by_group(tills().values())),
        wrong=(
            json.dumps(by_group(list(tills().values())[:12])),
            json.dumps(by_group(list(tills().values())[:23])),
            "{}",
        ),
        direct=tills_direct,
        hub=tills_hub,
    ),
    Task(
        name="largest-files",
        level=Level.HARD,
        servers=FILESYSTEM,
        request="Which are the ten largest files below files/site, subfolders included? Answer with a JSON array of "
        "their paths, such as files/site/help/a.html, the largest first.",
        make=made(pages),
        solve=largest_solved,
        grade=largest_graded,
        wrong=("[]", json.dumps(sorted(pages())[:10]), json.dumps(list(reversed(list(pages())))[:10])),
        direct=largest_direct,
        hub=largest_hub,
    ),
)
