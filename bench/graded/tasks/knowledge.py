"""Tasks over the knowledge graph of the memory server alone: looked up, added to, changed."""

import json
import random
from collections.abc import Sequence
from typing import Any

from bench.graded.grading import same_number, same_set, same_text
from bench.graded.task import Level, Steps, Task, call, look, program, read
from bench.graded.worlds import Relation, World

Graph = tuple[list[dict[str, Any]], list[Relation]]

PEOPLE = [
    "Priya Raman",
    "Marta Silva",
    "Jonas Berg",
    "Ana Costa",
    "Chidi Eze",
    "Lena Vogel",
    "Omar Haddad",
    "Yuki Tanaka",
    "Eoin Walsh",
    "Sofia Lund",
    "Pavel Novak",
    "Grace Mbeki",
    "Hugo Petit",
    "Ines Moreno",
    "Tariq Aziz",
    "Wanda Kowalska",
    "Bo Lindgren",
    "Dara Quinn",
]
TEAMS = ("payments", "identity", "logistics", "storefront", "platform")
SERVICES = [
    "ledger-api",
    "checkout-api",
    "invoice-worker",
    "refund-worker",
    "tax-rates",
    "login-web",
    "session-store",
    "user-directory",
    "audit-log",
    "route-planner",
    "parcel-tracker",
    "label-printer",
    "stock-sync",
    "catalog-api",
    "search-index",
    "cart-api",
    "price-engine",
    "promo-rules",
    "review-api",
    "image-resizer",
    "mail-sender",
    "sms-gateway",
    "feature-flags",
    "config-store",
    "metrics-relay",
    "job-scheduler",
    "file-vault",
    "webhook-relay",
]
LEAVING, TAKING = "Marta Silva", "Jonas Berg"


def organisation() -> Graph:
    """The graph that most tasks begin with: people in teams, the services that they own, what depends on what."""
    rng = random.Random(41)
    entities = [entity(team, "team", f"channel: #{team}") for team in TEAMS]
    relations: list[Relation] = []
    for person in PEOPLE:
        office = rng.choice(("Lisbon", "Oslo", "Nairobi", "Osaka"))
        entities.append(entity(person, "person", f"office: {office}", f"joined: {rng.randint(2015, 2025)}"))
        relations.append((person, "member_of", rng.choice(TEAMS)))
    for service in SERVICES:
        requests = int(10 ** rng.uniform(3, 6.3))
        language = rng.choice(("Go", "Python", "Kotlin"))
        entities.append(entity(service, "service", f"language: {language}", f"requests per day: {requests}"))
        relations.append((rng.choice(PEOPLE), "owns", service))
        relations += [(service, "depends_on", other) for other in rng.sample(SERVICES, 2) if other != service]
    return entities, relations


def entity(name: str, kind: str, *observations: str) -> dict[str, Any]:
    """An entity as the memory server keeps it."""
    return {"name": name, "entityType": kind, "observations": list(observations)}


def owned_by(person: str, relations: Sequence[Relation]) -> list[str]:
    """What somebody owns."""
    return [owned for owner, kind, owned in relations if (owner, kind) == (person, "owns")]


def owners(relations: Sequence[Relation]) -> dict[str, str]:
    """Who owns each service."""
    return {owned: owner for owner, kind, owned in relations if kind == "owns"}


def graph_is(world: World, right: Graph) -> bool:
    """Whether the graph is that one, in any order, with nothing twice."""

    def plain(graph: Graph) -> tuple[list[Any], list[Relation]]:
        entities = [(each["name"], each["entityType"], sorted(each["observations"])) for each in graph[0]]
        return sorted(entities), sorted(graph[1])

    return plain(world.remembered()) == plain(right)


def organised(world: World) -> None:
    world.remember(*organisation())


# One service's owner.


def ledger_owner_solved(world: World) -> str:
    return owners(world.remembered()[1])["ledger-api"]


def ledger_owner_direct(_: World) -> Steps:
    (answer,) = yield [call("memory", "open_nodes", names=["ledger-api"])]
    owns = [each["from"] for each in json.loads(answer.text)["relations"] if each["relationType"] == "owns"]
    return ", ".join(owns)


def ledger_owner_hub(_: World) -> Steps:
    yield [look("find a service in the knowledge graph")]
    (answer,) = yield [
        program("""
found = memory.search_nodes(query="ledger-api")
result = [r["from"] for r in found["relations"] if r["relationType"] == "owns" and r["to"] == "ledger-api"]
""")
    ]
    return ", ".join(json.loads(answer.text))


# One thing to remember.

LEAVE = "on parental leave until 31 March"


def remember_leave_right() -> Graph:
    entities, relations = organisation()
    next(each for each in entities if each["name"] == "Priya Raman")["observations"].append(LEAVE)
    return entities, relations


def remember_leave_solved(world: World) -> str:
    world.remember(*remember_leave_right())
    return "added"


def remember_leave_direct(_: World) -> Steps:
    new = {"entityName": "Priya Raman", "contents": [LEAVE]}
    (answer,) = yield [call("memory", "add_observations", observations=[new])]
    return "missing" if answer.is_error else "added"


def remember_leave_hub(_: World) -> Steps:
    yield [look("add an observation to an entity")]
    code = f'result = memory.add_observations(observations=[{{"entityName": "Priya Raman", "contents": ["{LEAVE}"]}}])'
    (answer,) = yield [program(code)]
    return "missing" if answer.is_error else "added"


# Everything of one person handed over to another, who has one of these already.


def hand_over_begun() -> Graph:
    entities, relations = organisation()
    taken = SERVICES[3::5]
    relations = [each for each in relations if each[1] != "owns" or each[2] not in taken]
    shared = (TAKING, "owns", taken[2])
    return entities, [*relations, *((LEAVING, "owns", each) for each in taken), shared]


def hand_over_right() -> Graph:
    entities, relations = hand_over_begun()
    kept = [each for each in relations if each[:2] != (LEAVING, "owns")]
    new = {(TAKING, "owns", each) for each in owned_by(LEAVING, relations)} - set(kept)
    return entities, [*kept, *sorted(new)]


def hand_over_made(world: World) -> None:
    world.remember(*hand_over_begun())


def hand_over_solved(world: World) -> str:
    world.remember(*hand_over_right())
    return json.dumps(owned_by(TAKING, world.remembered()[1]))


def hand_over_graded(world: World, answer: str) -> bool:
    right = hand_over_right()
    return same_set(answer, owned_by(TAKING, right[1])) and graph_is(world, right)


def hand_over_direct(_: World) -> Steps:
    (answer,) = yield [call("memory", "open_nodes", names=[LEAVING, TAKING])]
    owns = [each for each in json.loads(answer.text)["relations"] if each["relationType"] == "owns"]
    old = [each for each in owns if each["from"] == LEAVING]
    yield [call("memory", "create_relations", relations=[{**each, "from": TAKING} for each in old])]
    yield [call("memory", "delete_relations", relations=old)]
    return json.dumps(sorted({each["to"] for each in owns}))


def hand_over_hub(_: World) -> Steps:
    yield [read("servers/memory.pyi")]
    (answer,) = yield [
        program("""
old_owner, new_owner = "Marta Silva", "Jonas Berg"
relations = memory.open_nodes(names=[old_owner, new_owner])["relations"]
owns = [r for r in relations if r["relationType"] == "owns"]
old = [r for r in owns if r["from"] == old_owner]
memory.create_relations(relations=[{"from": new_owner, "to": r["to"], "relationType": "owns"} for r in old])
memory.delete_relations(relations=old)
after = memory.open_nodes(names=[new_owner])["relations"]
result = [r["to"] for r in after if r["from"] == new_owner and r["relationType"] == "owns"]
""")
    ]
    return answer.text


# A label for each service, by a rule.


def label(requests: int) -> str:
    return "load: high" if requests >= 100_000 else "load: medium" if requests >= 10_000 else "load: low"


def requests_of(observations: Sequence[str]) -> int:
    return int(next(each for each in observations if each.startswith("requests per day: ")).rpartition(" ")[2])


def labels_right() -> Graph:
    entities, relations = organisation()
    for each in entities:
        if each["entityType"] == "service":
            each["observations"].append(label(requests_of(each["observations"])))
    return entities, relations


def labels_solved(world: World) -> str:
    world.remember(*labels_right())
    return str(sum("load: high" in each["observations"] for each in world.remembered()[0]))


def labels_graded(world: World, answer: str) -> bool:
    right = labels_right()
    return graph_is(world, right) and same_number(
        answer, sum("load: high" in each["observations"] for each in right[0])
    )


def labels_direct(_: World) -> Steps:
    (answer,) = yield [call("memory", "search_nodes", query="requests per day")]
    services = json.loads(answer.text)["entities"]
    new = [{"entityName": each["name"], "contents": [label(requests_of(each["observations"]))]} for each in services]
    yield [call("memory", "add_observations", observations=new)]
    return str(sum(each["contents"] == ["load: high"] for each in new))


def labels_hub(_: World) -> Steps:
    yield [look("search entities in the knowledge graph"), look("add observations to entities")]
    (answer,) = yield [
        program("""
def load(entity):
    text = [o for o in entity["observations"] if o.startswith("requests per day: ")][0]
    requests = int(text.split(": ")[1])
    if requests >= 100000:
        return "load: high"
    return "load: medium" if requests >= 10000 else "load: low"

services = [e for e in memory.search_nodes(query="requests per day")["entities"] if e["entityType"] == "service"]
new = [{"entityName": e["name"], "contents": [load(e)]} for e in services]
memory.add_observations(observations=new)
result = len([n for n in new if n["contents"] == ["load: high"]])
""")
    ]
    return answer.text


# Observations for six people, two of whom aren't in the graph; one absent name fails a whole call.

BADGES = ("Ana Costa", "Tomas Reyes", "Yuki Tanaka", "Grace Mbeki", "Helene Brandt", "Bo Lindgren")
RENEWED = "badge renewed in November 2026"


def badges_right() -> Graph:
    entities, relations = organisation()
    for each in entities:
        if each["name"] in BADGES:
            each["observations"].append(RENEWED)
    return entities, relations


def badges_solved(world: World) -> str:
    there = {each["name"] for each in world.remembered()[0]}
    world.remember(*badges_right())
    return json.dumps([name for name in BADGES if name not in there])


def badges_graded(world: World, answer: str) -> bool:
    return same_set(answer, [name for name in BADGES if name not in PEOPLE]) and graph_is(world, badges_right())


def badges_direct(_: World) -> Steps:
    (answer,) = yield [call("memory", "open_nodes", names=list(BADGES))]
    there = {each["name"] for each in json.loads(answer.text)["entities"]}
    new = [{"entityName": name, "contents": [RENEWED]} for name in BADGES if name in there]
    yield [call("memory", "add_observations", observations=new)]
    return json.dumps([name for name in BADGES if name not in there])


def badges_hub(_: World) -> Steps:
    yield [look("add observations to entities")]
    (answer,) = yield [
        program(f"""
missing = []
for name in {json.dumps(BADGES)}:
    try:
        memory.add_observations(observations=[{{"entityName": name, "contents": ["{RENEWED}"]}}])
    except Exception:
        missing.append(name)
result = missing
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="ledger-owner",
        level=Level.SIMPLE,
        servers=frozenset({"memory"}),
        request="Who owns the service ledger-api, according to our knowledge graph? Answer with the name only.",
        make=organised,
        solve=ledger_owner_solved,
        grade=lambda world, answer: same_text(answer, ledger_owner_solved(world)),
        wrong=("ledger-api", "payments", "Nobody owns it."),
        direct=ledger_owner_direct,
        hub=ledger_owner_hub,
    ),
    Task(
        name="remember-leave",
        level=Level.SIMPLE,
        servers=frozenset({"memory"}),
        request=f"Remember in our knowledge graph, as an observation of Priya Raman: {LEAVE}. "
        "Answer with the one word added, or missing if she isn't in it.",
        make=organised,
        solve=remember_leave_solved,
        grade=lambda world, answer: same_text(answer, "added") and graph_is(world, remember_leave_right()),
        wrong=("missing", "I could not add it."),
        direct=remember_leave_direct,
        hub=remember_leave_hub,
    ),
    Task(
        name="hand-over",
        level=Level.MEDIUM,
        servers=frozenset({"memory"}),
        request=f"{LEAVING} is leaving. Hand everything that she owns in our knowledge graph (relation owns) over to "
        f"{TAKING}, so that she owns nothing any more; leave all else as it is. "
        "Answer with a JSON array of the names of everything that he owns then.",
        make=hand_over_made,
        solve=hand_over_solved,
        grade=hand_over_graded,
        wrong=("[]", json.dumps(SERVICES[3::5]), json.dumps(owned_by(TAKING, hand_over_begun()[1]))),
        direct=hand_over_direct,
        hub=hand_over_hub,
    ),
    Task(
        name="load-labels",
        level=Level.HARD,
        servers=frozenset({"memory"}),
        request="Every service in our knowledge graph has an observation like 'requests per day: 5200'. Add another "
        "one to each: 'load: high' from 100000 requests on, 'load: medium' from 10000 on, 'load: low' below. "
        "Answer with the number of services whose load is high, the number only.",
        make=organised,
        solve=labels_solved,
        grade=labels_graded,
        wrong=("0", str(len(SERVICES)), "All services are labelled."),
        direct=labels_direct,
        hub=labels_hub,
    ),
    Task(
        name="absent-people",
        level=Level.EDGE,
        servers=frozenset({"memory"}),
        request=f"Add the observation '{RENEWED}' to these people in our knowledge graph: {', '.join(BADGES)}. "
        "Don't create anybody who isn't in it. Answer with a JSON array of the names that aren't in it.",
        make=organised,
        solve=badges_solved,
        grade=badges_graded,
        wrong=("[]", '["Tomas Reyes"]', json.dumps(BADGES)),
        direct=badges_direct,
        hub=badges_hub,
    ),
)
