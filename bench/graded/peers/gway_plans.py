"""Tasks as an agent solves them with mcp-gway: the servers listed, their stubs read whole, then programs in Starlark.

Its stubs say neither what a tool gives back nor what the objects in a list hold, so an agent looks at a result first.
"""

import json
from ast import literal_eval
from collections.abc import Generator, Sequence
from typing import Any

from bench.graded.peers.peer import meta
from bench.graded.task import Answer, Call, Plan, Steps
from bench.graded.tasks.joins import IMPORTANT, WORST
from bench.graded.tasks.table_worlds import SCHEMA
from bench.graded.tasks.tables import BUSIEST, TURNOVER, WARMEST
from bench.graded.worlds import World


def looked_up(*servers: str) -> Generator[Sequence[Call], Sequence[Answer], None]:
    """List the servers, then read the stubs of some."""
    yield [meta("listToolFiles")]
    yield [meta("readToolFile", fileName=f"servers/{server}.pyi") for server in servers]


def program(code: str) -> Call:
    """A program."""
    return meta("executeToolCode", code=code.strip("\n"))


def result(answer: Answer) -> Any:
    """What a reader sees as the program's result."""
    return json.loads(answer.text)["result"]


def letter_amount(_: World) -> Steps:
    yield from looked_up("Filesystem")
    (answer,) = yield [program('result = Filesystem.read_text_file(path="files/letter.txt")')]
    return str(result(answer)).partition("invoice is for ")[2].split()[0]


def shop_turnover(_: World) -> Steps:
    yield from looked_up("Sqlite")
    (answer,) = yield [program(f'result = Sqlite.read_query(query="{TURNOVER}")')]
    return str(literal_eval(result(answer))[0]["cents"])


def warmest_sensor(_: World) -> Steps:
    yield from looked_up("Duckdb")
    (answer,) = yield [program(f'result = Duckdb.execute_query(sql="{WARMEST}")')]
    return str(result(answer)["rows"][0][0])


def ledger_owner(_: World) -> Steps:
    yield from looked_up("Memory")
    (answer,) = yield [program('result = Memory.open_nodes(names=["ledger-api"])')]
    return ", ".join(each["from"] for each in result(answer)["relations"] if each["relationType"] == "owns")


def settings_inherited(_: World) -> Steps:
    yield from looked_up("Filesystem")
    yield [program('result = Filesystem.read_text_file(path="files/settings/shop-se.json")')]
    (answer,) = yield [
        program("""
def inherited(name):
    settings = {}
    for _ in range(100):
        if not name:
            break
        level = Filesystem.read_text_file(path="files/settings/" + name)
        name = level.pop("extends", None)
        for key, value in level.items():
            settings.setdefault(key, value)
    return settings

settings = inherited("shop-se.json")
result = {key: settings[key] for key in ["session_minutes", "vat_percent", "currency"]}
""")
    ]
    return json.dumps(result(answer))


def busiest_support_agent(_: World) -> Steps:
    yield from looked_up("Sqlite")
    yield [program(f'result = Sqlite.read_query(query="{SCHEMA}")')]
    (answer,) = yield [program(f'result = Sqlite.read_query(query="{BUSIEST}")')]
    return str(literal_eval(result(answer))[0]["name"])


def incident_owner(_: World) -> Steps:
    yield from looked_up("Sqlite", "Memory")
    (answer,) = yield [program(f'result = Sqlite.read_query(query="{WORST}")')]
    worst = literal_eval(result(answer))[0]["service"]
    (answer,) = yield [program(f'result = Memory.open_nodes(names=["{worst}"])["relations"]')]
    owner = next(each["from"] for each in result(answer) if each["relationType"] == "owns" and each["to"] == worst)
    (answer,) = yield [
        program(f"result = Sqlite.read_query(query=\"SELECT email FROM people WHERE name = '{owner}'\")")
    ]
    return str(literal_eval(result(answer))[0]["email"])


def release_notes(_: World) -> Steps:
    yield from looked_up("Git", "Filesystem")
    yield [program('result = Git.git_log(repo_path="repo", max_count=2)')]
    (answer,) = yield [
        program("""
log = Git.git_log(repo_path="repo", max_count=100)
messages = [line[len("Message: "):] for line in log.split("\\n") if line.startswith("Message: ")]
new = messages[:messages.index("Release 1.2")]
Filesystem.write_file(path="repo/CHANGES.md", content="".join(["- %s\\n" % m for m in new]))
Git.git_add(repo_path="repo", files=["CHANGES.md"])
Git.git_commit(repo_path="repo", message="Release notes")
result = len(new)
""")
    ]
    return str(result(answer))


def errors_by_component(_: World) -> Steps:
    yield from looked_up("Filesystem")
    yield [program('result = Filesystem.list_directory(path="files/logs")')]
    (answer,) = yield [
        program("""
def count():
    counts = {}
    for entry in Filesystem.list_directory(path="files/logs").splitlines():
        text = Filesystem.read_text_file(path="files/logs/" + entry.removeprefix("[FILE] "))
        for line in text.splitlines():
            words = line.split(" ")
            if words[1] == "ERROR":
                component = words[2].rstrip(":")
                counts[component] = counts.get(component, 0) + 1
    return counts

result = count()
""")
    ]
    return json.dumps(result(answer))


LABELS = """
def label(entity):
    text = [o for o in entity["observations"] if o.startswith("requests per day: ")][0]
    requests = int(text.split(": ")[1])
    if requests >= 100000:
        return "load: high"
    return "load: medium" if requests >= 10000 else "load: low"

services = [e for e in Memory.search_nodes(query="requests per day")["entities"] if e["entityType"] == "service"]
new = [{KEYS} for e in services]
added = Memory.add_observations(observations=new)
said = added if type(added) == "string" else len(added)
result = [len([e for e in services if label(e) == "load: high"]), said]
"""


def load_labels(_: World) -> Steps:
    yield from looked_up("Memory")
    yield [
        Call("", "getToolDocs", {"server": "Memory", "tool": "add_observations"}),
        program('result = Memory.search_nodes(query="requests per day")["entities"][:2]'),
    ]
    yield [program(LABELS.replace("{KEYS}", '{"name": e["name"], "observations": [label(e)]}'))]
    (answer,) = yield [program(LABELS.replace("{KEYS}", '{"entityName": e["name"], "contents": [label(e)]}'))]
    return str(result(answer)[0])


def contacts_to_graph(_: World) -> Steps:
    yield from looked_up("Memory", "Filesystem")
    yield [
        program("""
graph = Memory.read_graph()
result = [graph["entities"][:2], graph["relations"][:2], Filesystem.read_text_file(path="files/contacts.csv", head=3)]
""")
    ]
    (answer,) = yield [
        program("""
lines = Filesystem.read_text_file(path="files/contacts.csv").strip().split("\\n")
rows = [line.split(",") for line in lines[1:]]
companies = sorted({row[1]: True for row in rows}.keys())
known = [e["name"] for e in Memory.open_nodes(names=companies)["entities"]]
new = [c for c in companies if c not in known]
entities = [{"name": c, "entityType": "company", "observations": []} for c in new]
people = [
    {"name": r[0], "entityType": "person", "observations": ["role: " + r[2], "email: " + r[3]]} for r in rows
]
made = Memory.create_entities(entities=entities + people)
related = Memory.create_relations(relations=[{"from": r[0], "to": r[1], "relationType": "works_at"} for r in rows])
result = [len(new), len(made), len(related)]
""")
    ]
    return str(result(answer)[0])


def runbook_owners(_: World) -> Steps:
    yield from looked_up("Sqlite", "Memory", "Filesystem")
    yield [
        program(f"""
found = Sqlite.read_query(query="{IMPORTANT} LIMIT 2")
names = [part.split("'")[0] for part in found.split("'name': '")[1:]]
node = Memory.open_nodes(names=names[:1])
result = [found, names, node, Filesystem.read_text_file(path="repo/runbooks/%s.md" % names[0])]
""")
    ]
    (answer,) = yield [
        program(f"""
names = [part.split("'")[0] for part in Sqlite.read_query(query="{IMPORTANT}").split("'name': '")[1:]]
relations = Memory.open_nodes(names=names)["relations"]
graph = {{r["to"]: r["from"] for r in relations if r["relationType"] == "owns"}}

def said(name):
    text = Filesystem.read_text_file(path="repo/runbooks/%s.md" % name)
    return [line[len("Owner: "):].strip() for line in text.split("\\n") if line.startswith("Owner: ")][0]

result = {{name: graph[name] for name in names if graph[name] != said(name)}}
""")
    ]
    return json.dumps(result(answer))


PLANS: dict[str, Plan | str] = {
    "letter-amount": letter_amount,
    "shop-turnover": shop_turnover,
    "warmest-sensor": warmest_sensor,
    "ledger-owner": ledger_owner,
    "settings-inherited": settings_inherited,
    "busiest-support-agent": busiest_support_agent,
    "incident-owner": incident_owner,
    "release-notes": release_notes,
    "errors-by-component": errors_by_component,
    "load-labels": load_labels,
    "contacts-to-graph": contacts_to_graph,
    "runbook-owners": runbook_owners,
}
