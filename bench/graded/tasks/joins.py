"""Tasks that join servers: the knowledge graph with a database and files, and the repository with its files."""

import json
import random
import re
from ast import literal_eval

from bench.graded.grading import same_json, same_number, same_text
from bench.graded.task import Level, Steps, Task, call, look, program, read
from bench.graded.tasks.knowledge import (
    PEOPLE,
    SERVICES,
    TEAMS,
    Graph,
    entity,
    graph_is,
    organisation,
    organised,
    owners,
)
from bench.graded.worlds import World

# The address of whoever owns the service with the most bad incidents: database, graph, database.


def address(person: str) -> str:
    return person.lower().replace(" ", ".") + "@example.invalid"


def incidents_made(world: World) -> None:
    organised(world)
    rng = random.Random(42)
    world.script("CREATE TABLE people (name TEXT, email TEXT, phone TEXT);")
    world.insert("people", [(each, address(each), f"+351 21 {rng.randint(1_000_000, 9_999_999)}") for each in PEOPLE])
    world.script("CREATE TABLE incidents (id INTEGER PRIMARY KEY, service TEXT, opened TEXT, severity INTEGER);")
    rows = []
    for number in range(1, 181):
        service = "search-index" if number % 19 == 0 else rng.choice(SERVICES)
        opened = f"2026-{rng.randint(1, 10):02}-{rng.randint(1, 28):02}"
        rows.append((number, service, opened, rng.choice((1, 2, 2, 3, 3, 3)) if service != "search-index" else 1))
    world.insert("incidents", rows)


def incident_owner_solved(world: World) -> str:
    bad = [service for service, severity in world.query("SELECT service, severity FROM incidents") if severity == 1]
    worst = max(sorted(set(bad)), key=bad.count)
    owner = owners(world.remembered()[1])[worst]
    return str(dict(world.query("SELECT name, email FROM people"))[owner])


WORST = "SELECT service, COUNT(*) AS n FROM incidents WHERE severity = 1 GROUP BY service ORDER BY n DESC LIMIT 2"


def incident_owner_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "read_query", query=WORST)]
    worst = literal_eval(answer.text)[0]["service"]
    (answer,) = yield [call("memory", "open_nodes", names=[worst])]
    relations = json.loads(answer.text)["relations"]
    owner = next(each["from"] for each in relations if each["relationType"] == "owns" and each["to"] == worst)
    (answer,) = yield [call("sqlite", "read_query", query=f"SELECT email FROM people WHERE name = '{owner}'")]
    return str(literal_eval(answer.text)[0]["email"])


def incident_owner_hub(_: World) -> Steps:
    yield [look("run a SELECT query on SQLite"), look("find a service in the knowledge graph")]
    (answer,) = yield [program(f'result = sqlite.read_query(query="{WORST}")')]
    worst = literal_eval(answer.text)[0]["service"]
    (answer,) = yield [
        program(f"""
service = "{worst}"
relations = memory.search_nodes(query=service)["relations"]
owner = [r["from"] for r in relations if r["relationType"] == "owns" and r["to"] == service][0]
result = sqlite.read_query(query=f"SELECT email FROM people WHERE name = '{{owner}}'")
""")
    ]
    return str(literal_eval(answer.text)[0]["email"])


# The repository's log since a release, written down and committed.

RELEASE, NOTED = "Release 1.2", "Release notes"
BEFORE = ("Parse the price list", "Store orders", "Add a login page", "Send mails", "Round to cents", "Fix a typo")
AFTER = (
    "Retry failed payments",
    "Show the delivery date",
    "Sort orders by date",
    "Drop the old export",
    "Cache exchange rates",
    "Log slow queries",
    "Translate the invoice",
    "Check postal codes",
    "Warn when stock is low",
    "Speed up the search",
    "Mask card numbers",
    "Count page views",
    "Limit the upload size",
    "Update the licences",
)


def notes_made(world: World) -> None:
    for day, message in enumerate((*BEFORE, RELEASE, *AFTER), start=2):
        world.commit({f"src/part{day % 5}.py": f"CHANGED = {day}\n"}, message, day=day, author=PEOPLE[day % 7])


def notes_text() -> str:
    return "".join(f"- {message}\n" for message in reversed(AFTER))


def notes_solved(world: World) -> str:
    messages = world.git("log", "--format=%s").splitlines()
    new = messages[: messages.index(RELEASE)]
    world.commit({"CHANGES.md": "".join(f"- {message}\n" for message in new)}, NOTED, day=28)
    return str(len(new))


def notes_graded(world: World, answer: str) -> bool:
    changed = world.git("log", "-2", "--format=%s", "--name-only").split("\n\n")
    if not same_number(answer, len(AFTER)) or changed[0].strip() != NOTED or world.git("status", "--porcelain"):
        return False
    is_alone = world.git("show", "--format=", "--name-only", "HEAD").split() == ["CHANGES.md"]
    text = world.git("show", "HEAD:CHANGES.md").strip()
    return is_alone and text == notes_text().strip() and AFTER[-1] in changed[1]


def notes_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_log", repo_path="repo", max_count=50)]
    messages = re.findall(r"^Message: (.*)$", answer.text, re.MULTILINE)
    new = messages[: messages.index(RELEASE)]
    text = "".join(f"- {message}\n" for message in new)
    yield [call("filesystem", "write_file", path="repo/CHANGES.md", content=text)]
    yield [call("git", "git_add", repo_path="repo", files=["CHANGES.md"])]
    yield [call("git", "git_commit", repo_path="repo", message=NOTED)]
    return str(len(new))


def notes_hub(_: World) -> Steps:
    yield [look("git commit log"), look("write a text file"), look("git add and commit")]
    yield [program('result = git.git_log(repo_path="repo", max_count=2)')]
    (answer,) = yield [
        program("""
log = git.git_log(repo_path="repo", max_count=100)
messages = [line[len("Message: "):] for line in log.split("\\n") if line.startswith("Message: ")]
new = messages[:messages.index("Release 1.2")]
filesystem.write_file(path="repo/CHANGES.md", content="".join([f"- {m}\\n" for m in new]))
git.git_add(repo_path="repo", files=["CHANGES.md"])
git.git_commit(repo_path="repo", message="Release notes")
result = len(new)
""")
    ]
    return answer.text


# Contacts of a file, put into the graph with their companies, some of which are there.

COMPANIES = [
    "Harbour Textiles",
    "Nordlys Energi",
    "Keller Optik",
    "Blue Fern Foods",
    "Atlas Freight",
    "Moreau & Fils",
    "Sunrise Dairy",
    "Quarry Stone Works",
    "Pinewood Labs",
    "Vela Marine",
    "Oakline Furniture",
]
FIRST = ["Amir", "Birgit", "Carlos", "Dina", "Elif", "Farid", "Greta", "Hana", "Ivo", "Julia"]
LAST = ["Okoye", "Brandt", "Ferrari", "Nilsen", "Sato", "Duarte", "Weiss", "Popov", "Kaya", "Horvat", "Lopes"]


def contacts() -> list[tuple[str, str, str, str]]:
    """Thirty contacts: name, company, role, e-mail address."""
    rng = random.Random(43)
    names = rng.sample([f"{first} {last}" for first in FIRST for last in LAST], 30)
    firms = [*COMPANIES, *rng.choices(COMPANIES, k=19)]
    rng.shuffle(firms)
    roles = ("buyer", "accountant", "site manager", "director", "engineer")
    return [(name, firm, rng.choice(roles), address(name)) for name, firm in zip(names, firms, strict=True)]


def contacts_begun() -> Graph:
    firms = [entity(COMPANIES[at], "company", f"customer since {2012 + at}") for at in (1, 4, 8)]
    reps = [entity(each, "employee", "sales") for each in PEOPLE[:6]]
    return [*firms, *reps], [(PEOPLE[at], "looks_after", firm["name"]) for at, firm in enumerate(firms)]


def contacts_right() -> Graph:
    entities, relations = contacts_begun()
    there = {each["name"] for each in entities}
    entities += [entity(firm, "company") for firm in COMPANIES if firm not in there]
    for name, firm, role, email in contacts():
        entities.append(entity(name, "person", f"role: {role}", f"email: {email}"))
        relations.append((name, "works_at", firm))
    return entities, relations


def contacts_made(world: World) -> None:
    lines = ["name,company,role,email", *map(",".join, contacts())]
    world.write("files/contacts.csv", "\n".join(lines) + "\n")
    world.remember(*contacts_begun())


def contacts_solved(world: World) -> str:
    there = {each["name"] for each in world.remembered()[0]}
    world.remember(*contacts_right())
    return str(len({firm for _, firm, _, _ in contacts()} - there))


def contacts_graded(world: World, answer: str) -> bool:
    begun, right = contacts_begun(), contacts_right()
    new = len(right[0]) - len(begun[0]) - len(contacts())
    return same_number(answer, new) and graph_is(world, right)


def contacts_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path="files/contacts.csv")]
    rows = [line.split(",") for line in answer.text.strip().splitlines()[1:]]
    firms = sorted({row[1] for row in rows})
    (answer,) = yield [call("memory", "open_nodes", names=firms)]
    there = {each["name"] for each in json.loads(answer.text)["entities"]}
    new = [entity(firm, "company") for firm in firms if firm not in there]
    people = [entity(name, "person", f"role: {role}", f"email: {email}") for name, _, role, email in rows]
    yield [call("memory", "create_entities", entities=[*new, *people])]
    relations = [{"from": name, "to": firm, "relationType": "works_at"} for name, firm, _, _ in rows]
    yield [call("memory", "create_relations", relations=relations)]
    return str(len(new))


def contacts_hub(_: World) -> Steps:
    yield [read("servers/memory.pyi"), look("read a text file")]
    (answer,) = yield [
        program("""
lines = filesystem.read_text_file(path="files/contacts.csv")["content"].strip().split("\\n")
rows = [line.split(",") for line in lines[1:]]
companies = sorted(set(row[1] for row in rows))
known = {e["name"] for e in memory.open_nodes(names=companies)["entities"]}
new = [c for c in companies if c not in known]
entities = [{"name": c, "entityType": "company", "observations": []} for c in new]
for name, company, role, email in rows:
    entities.append({"name": name, "entityType": "person", "observations": [f"role: {role}", f"email: {email}"]})
memory.create_entities(entities=entities)
memory.create_relations(relations=[{"from": r[0], "to": r[1], "relationType": "works_at"} for r in rows])
result = len(new)
""")
    ]
    return answer.text


# The graph's owners against the repository's runbooks, for what the database says is important.


def runbooks_made(world: World) -> None:
    organised(world)
    rng = random.Random(44)
    world.script("CREATE TABLE services (name TEXT PRIMARY KEY, tier INTEGER, port INTEGER);")
    world.insert("services", [(each, rng.choice((1, 1, 2, 2, 3)), 8000 + at) for at, each in enumerate(SERVICES)])
    said = owners(organisation()[1])
    for service in rng.sample(SERVICES, 8):
        said[service] = rng.choice([each for each in PEOPLE if each != said[service]])
    texts = {
        f"runbooks/{name}.md": f"# {name}\n\nOwner: {said[name]}\nPager: {rng.choice(TEAMS)}\n\n"
        f"Restart it with `deployctl restart {name}`. If it doesn't come up, roll back to the last release.\n"
        for name in SERVICES
    }
    world.commit(texts, "Add a runbook for every service", day=5)


def runbooks_solved(world: World) -> str:
    graph = owners(world.remembered()[1])
    important = [name for (name,) in world.query("SELECT name FROM services WHERE tier < 3")]
    texts = {name: world.text(f"repo/runbooks/{name}.md") or "" for name in important}
    return json.dumps({name: graph[name] for name in important if f"Owner: {graph[name]}\n" not in texts[name]})


IMPORTANT = "SELECT name FROM services WHERE tier IN (1, 2)"


def runbooks_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "read_query", query=IMPORTANT)]
    names = [row["name"] for row in literal_eval(answer.text)]
    paths = [f"repo/runbooks/{name}.md" for name in names]
    nodes, texts = yield [
        call("memory", "open_nodes", names=names),
        call("filesystem", "read_multiple_files", paths=paths),
    ]
    said = dict(re.findall(r"runbooks/([\w-]+)\.md:.*?Owner: ([^\n]+)", texts.text, re.DOTALL))
    graph = {each["to"]: each["from"] for each in json.loads(nodes.text)["relations"] if each["relationType"] == "owns"}
    return json.dumps({name: graph[name] for name in names if graph[name] != said[name]})


def runbooks_hub(_: World) -> Steps:
    yield [
        look("run a SELECT query on SQLite"),
        look("read the knowledge graph"),
        look("read a text file"),
    ]
    yield [program(f'result = sqlite.read_query(query="{IMPORTANT} LIMIT 2")')]
    (answer,) = yield [
        program(f"""
import ast
names = [row["name"] for row in ast.literal_eval(sqlite.read_query(query="{IMPORTANT}"))]
relations = memory.read_graph()["relations"]
graph = {{r["to"]: r["from"] for r in relations if r["relationType"] == "owns"}}

def runbook_owner(name):
    text = filesystem.read_text_file(path=f"repo/runbooks/{{name}}.md")["content"]
    return [line[len("Owner: "):].strip() for line in text.split("\\n") if line.startswith("Owner: ")][0]

said = parallel(runbook_owner, names)
result = {{name: graph[name] for name, owner in zip(names, said) if graph[name] != owner}}
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="incident-owner",
        level=Level.MEDIUM,
        servers=frozenset({"sqlite", "memory"}),
        request="Our SQLite database has the tables incidents (id, service, opened, severity) and people (name, "
        "email, phone); our knowledge graph knows who owns which service (relation owns, from the person to the "
        "service). What is the e-mail address of the owner of the service with the most incidents of severity 1? "
        "Answer with the address only.",
        make=incidents_made,
        solve=incident_owner_solved,
        grade=lambda world, answer: same_text(answer, incident_owner_solved(world)),
        wrong=("search-index", "nobody@example.invalid", "It has no owner."),
        direct=incident_owner_direct,
        hub=incident_owner_hub,
    ),
    Task(
        name="release-notes",
        level=Level.MEDIUM,
        servers=frozenset({"git", "filesystem"}),
        request=f"In the git repository repo, take the messages of all commits after the one with the message "
        f"'{RELEASE}'; write them to CHANGES.md in it, the newest first, each on a line like '- Message'; and commit "
        f"that file with the message '{NOTED}'. Answer with the number of lines in it, the number only.",
        make=notes_made,
        solve=notes_solved,
        grade=notes_graded,
        wrong=("10", "13", "Done."),
        direct=notes_direct,
        hub=notes_hub,
    ),
    Task(
        name="contacts-to-graph",
        level=Level.HARD,
        servers=frozenset({"filesystem", "memory"}),
        request="Put all contacts of files/contacts.csv (columns name, company, role, email; no quotes) into our "
        "knowledge graph: each as an entity of type person with the observations 'role: ROLE' and 'email: EMAIL', each "
        "company as an entity of type company without observations, and a relation works_at from each person to the "
        "company. Some of the companies are in the graph; leave these as they are. "
        "Answer with the number of companies that were new, the number only.",
        make=contacts_made,
        solve=contacts_solved,
        grade=contacts_graded,
        wrong=("11", "30", "All contacts are in the graph."),
        direct=contacts_direct,
        hub=contacts_hub,
    ),
    Task(
        name="runbook-owners",
        level=Level.HARD,
        servers=frozenset({"sqlite", "memory", "filesystem"}),
        request="For every service of tier 1 or 2 in the table services (name, tier, port) of our SQLite database, "
        "compare its owner in our knowledge graph (relation owns, from the person to the service) with the one that "
        "its runbook repo/runbooks/NAME.md names in a line 'Owner: PERSON'. Answer with a JSON object from each "
        "service for which these differ to its owner in the graph.",
        make=runbooks_made,
        solve=runbooks_solved,
        grade=lambda world, answer: same_json(answer, json.loads(runbooks_solved(world))),
        wrong=("{}", json.dumps(owners(organisation()[1])), "They all agree."),
        direct=runbooks_direct,
        hub=runbooks_hub,
    ),
)
