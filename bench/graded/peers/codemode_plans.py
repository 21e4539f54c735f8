"""Tasks as an agent solves them with CodeMode: one search that shows parameters at once, then programs in its Python.

A search without a limit lists every tool that matches at all, so an agent that saves gives one, and the detail.
"""

import json
from ast import literal_eval

from bench.graded.peers.peer import meta
from bench.graded.task import Call, Plan, Steps
from bench.graded.tasks.joins import IMPORTANT, WORST
from bench.graded.tasks.table_worlds import SCHEMA
from bench.graded.tasks.tables import BUSIEST, TURNOVER, WARMEST
from bench.graded.worlds import World


def search(query: str, limit: int = 5) -> Call:
    """A look-up of tools with their parameters."""
    return meta("search", query=query, detail="detailed", limit=limit)


def program(code: str) -> Call:
    """A program."""
    return meta("execute", code=code.strip("\n"))


def one(tool: str, arguments: str) -> Call:
    """A program of one call."""
    return program(f'return await call_tool("{tool}", {arguments})')


def letter_amount(_: World) -> Steps:
    yield [search("read a text file")]
    (answer,) = yield [one("filesystem_read_text_file", '{"path": "files/letter.txt"}')]
    return answer.text.partition("invoice is for ")[2].split()[0]


def shop_turnover(_: World) -> Steps:
    yield [search("query sqlite database")]
    (answer,) = yield [one("sqlite_read_query", f'{{"query": "{TURNOVER}"}}')]
    return str(literal_eval(answer.text)[0]["cents"])


def warmest_sensor(_: World) -> Steps:
    yield [search("SQL query over CSV files")]
    (answer,) = yield [one("duckdb_execute_query", f'{{"sql": "{WARMEST}"}}')]
    return str(json.loads(json.loads(answer.text)["result"])["rows"][0][0])


def ledger_owner(_: World) -> Steps:
    yield [search("open an entity of the knowledge graph by name")]
    (answer,) = yield [
        program("""
node = await call_tool("memory_open_nodes", {"names": ["ledger-api"]})
return [r["from"] for r in node["relations"] if r["relationType"] == "owns" and r["to"] == "ledger-api"]
""")
    ]
    return ", ".join(json.loads(answer.text))


def settings_inherited(_: World) -> Steps:
    yield [search("read a text file")]
    (answer,) = yield [
        program("""
import json
settings = {}
name = "shop-se.json"
while name:
    read = await call_tool("filesystem_read_text_file", {"path": "files/settings/" + name})
    level = json.loads(read["content"])
    name = level.pop("extends", None)
    for key, value in level.items():
        settings.setdefault(key, value)
return {key: settings[key] for key in ["session_minutes", "vat_percent", "currency"]}
""")
    ]
    return answer.text


def busiest_support_agent(_: World) -> Steps:
    yield [search("query sqlite database")]
    yield [one("sqlite_read_query", f'{{"query": "{SCHEMA}"}}')]
    (answer,) = yield [one("sqlite_read_query", f'{{"query": "{BUSIEST}"}}')]
    return str(literal_eval(answer.text)[0]["name"])


def incident_owner(_: World) -> Steps:
    yield [search("run a SELECT query on SQLite"), search("open an entity of the knowledge graph by name")]
    (answer,) = yield [one("sqlite_read_query", f'{{"query": "{WORST}"}}')]
    worst = literal_eval(answer.text)[0]["service"]
    (answer,) = yield [
        program(f"""
service = "{worst}"
relations = (await call_tool("memory_open_nodes", {{"names": [service]}}))["relations"]
owner = [r["from"] for r in relations if r["relationType"] == "owns" and r["to"] == service][0]
return await call_tool("sqlite_read_query", {{"query": f"SELECT email FROM people WHERE name = '{{owner}}'"}})
""")
    ]
    return str(literal_eval(answer.text)[0]["email"])


def release_notes(_: World) -> Steps:
    yield [search("git commit log"), search("write a text file"), search("git add and commit")]
    yield [one("git_git_log", '{"repo_path": "repo", "max_count": 2}')]
    (answer,) = yield [
        program("""
log = await call_tool("git_git_log", {"repo_path": "repo", "max_count": 100})
messages = [line[len("Message: "):] for line in log.split("\\n") if line.startswith("Message: ")]
new = messages[:messages.index("Release 1.2")]
text = "".join([f"- {m}\\n" for m in new])
await call_tool("filesystem_write_file", {"path": "repo/CHANGES.md", "content": text})
await call_tool("git_git_add", {"repo_path": "repo", "files": ["CHANGES.md"]})
await call_tool("git_git_commit", {"repo_path": "repo", "message": "Release notes"})
return len(new)
""")
    ]
    return answer.text


def errors_by_component(_: World) -> Steps:
    yield [search("list the files in a folder"), search("read a text file")]
    (answer,) = yield [
        program(r"""
import asyncio, re
listing = (await call_tool("filesystem_list_directory", {"path": "files/logs"}))["content"]
names = re.findall(r"[\w.-]+\.log\b", listing)
texts = await asyncio.gather(
    *[call_tool("filesystem_read_text_file", {"path": "files/logs/" + name}) for name in names]
)
counts = {}
for text in texts:
    for component in re.findall(r"\S+ ERROR (\w+):", text["content"]):
        counts[component] = counts.get(component, 0) + 1
return counts
""")
    ]
    return answer.text


def load_labels(_: World) -> Steps:
    yield [search("search entities in the knowledge graph"), search("add observations to entities")]
    (answer,) = yield [
        program("""
def load(entity):
    text = [o for o in entity["observations"] if o.startswith("requests per day: ")][0]
    requests = int(text.split(": ")[1])
    if requests >= 100000:
        return "load: high"
    return "load: medium" if requests >= 10000 else "load: low"

found = (await call_tool("memory_search_nodes", {"query": "requests per day"}))["entities"]
new = [{"entityName": e["name"], "contents": [load(e)]} for e in found if e["entityType"] == "service"]
await call_tool("memory_add_observations", {"observations": new})
return len([n for n in new if n["contents"] == ["load: high"]])
""")
    ]
    return answer.text


def contacts_to_graph(_: World) -> Steps:
    yield [
        search("create entities and relations in the knowledge graph"),
        search("open an entity of the knowledge graph by name", 2),
        search("read a text file"),
    ]
    (answer,) = yield [
        program("""
read = await call_tool("filesystem_read_text_file", {"path": "files/contacts.csv"})
rows = [line.split(",") for line in read["content"].strip().split("\\n")[1:]]
companies = sorted({row[1] for row in rows})
known = {e["name"] for e in (await call_tool("memory_open_nodes", {"names": companies}))["entities"]}
new = [c for c in companies if c not in known]
entities = [{"name": c, "entityType": "company", "observations": []} for c in new]
for name, company, role, email in rows:
    entities.append({"name": name, "entityType": "person", "observations": [f"role: {role}", f"email: {email}"]})
await call_tool("memory_create_entities", {"entities": entities})
relations = [{"from": r[0], "to": r[1], "relationType": "works_at"} for r in rows]
await call_tool("memory_create_relations", {"relations": relations})
return len(new)
""")
    ]
    return answer.text


def runbook_owners(_: World) -> Steps:
    yield [
        search("run a SELECT query on SQLite"),
        search("open entities of the knowledge graph by name"),
        search("read a text file"),
    ]
    yield [one("sqlite_read_query", f'{{"query": "{IMPORTANT} LIMIT 2"}}')]
    (answer,) = yield [
        program(f"""
import asyncio, re
names = re.findall(r"'name': '([^']+)'", await call_tool("sqlite_read_query", {{"query": "{IMPORTANT}"}}))
relations = (await call_tool("memory_open_nodes", {{"names": names}}))["relations"]
graph = {{r["to"]: r["from"] for r in relations if r["relationType"] == "owns"}}
texts = await asyncio.gather(
    *[call_tool("filesystem_read_text_file", {{"path": f"repo/runbooks/{{name}}.md"}}) for name in names]
)
said = [re.search(r"Owner: (.+)", text["content"]).group(1).strip() for text in texts]
return {{name: graph[name] for name, owner in zip(names, said) if graph[name] != owner}}
""")
    ]
    return answer.text


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
