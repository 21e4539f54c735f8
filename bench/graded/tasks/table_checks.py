"""Tasks that check tables: stored checks, two ledgers, customers entered twice, tables that may not be there."""

import json
import random
from datetime import date, timedelta
from itertools import combinations

from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.tasks.table_worlds import CITIES, FIRST, LAST, Row, as_value, read_rows, rows_in, shops
from bench.graded.worlds import World

# --- stored checks, each a query of its own ---

CHECKS = {
    "sales of no shop": "FROM sales WHERE shop_id NOT IN (SELECT id FROM shops)",
    "sales of no product": "FROM sales WHERE product_id NOT IN (SELECT id FROM products)",
    "sales without pieces": "FROM sales WHERE pieces < 1",
    "sales of many pieces": "FROM sales WHERE pieces > 20",
    "sales below zero": "FROM sales WHERE amount_cents < 0",
    "sales over 1000 EUR": "FROM sales WHERE amount_cents > 100000",
    "sales off the price": (
        "FROM sales s JOIN products p ON p.id = s.product_id WHERE s.amount_cents <> s.pieces * p.price_cents"
    ),
    "sales with an odd day": "FROM sales WHERE day NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'",
    "sales before 2026": "FROM sales WHERE day < '2026-01-01'",
    "sales after the quarter": "FROM sales WHERE day > '2026-03-31'",
    "sales on New Year's Day": "FROM sales WHERE day = '2026-01-01'",
    "shops of the same name": "FROM (SELECT name FROM shops GROUP BY name HAVING count(*) > 1)",
    "shops without a city": "FROM shops WHERE trim(city) = ''",
    "shops without sales": "FROM shops WHERE id NOT IN (SELECT shop_id FROM sales)",
    "shops not named by city": "FROM shops WHERE name NOT LIKE '%' || city",
    "products of no supplier": "FROM products WHERE supplier_id NOT IN (SELECT id FROM suppliers)",
    "products of the same name": "FROM (SELECT name FROM products GROUP BY lower(name) HAVING count(*) > 1)",
    "products without a price": "FROM products WHERE price_cents <= 0",
    "products with odd cents": "FROM products WHERE price_cents % 5 <> 0",
    "products never sold": "FROM products WHERE id NOT IN (SELECT product_id FROM sales)",
    "products half discontinued": "FROM products WHERE discontinued NOT IN (0, 1)",
    "suppliers without products": "FROM suppliers WHERE id NOT IN (SELECT supplier_id FROM products)",
    "suppliers of the same name": "FROM (SELECT name FROM suppliers GROUP BY name HAVING count(*) > 1)",
    "suppliers without a name": "FROM suppliers WHERE trim(name) = ''",
}


def checks(world: World) -> None:
    shops(world)
    world.script("""
CREATE TABLE checks (name TEXT PRIMARY KEY, query TEXT NOT NULL);
UPDATE sales SET shop_id = 77 WHERE id IN (312, 1544);
UPDATE sales SET amount_cents = amount_cents - 10 WHERE id % 191 = 7;
UPDATE sales SET day = replace(day, '-', '.') WHERE id IN (5, 806, 807);
INSERT INTO products VALUES (21, 'Kettle', 2, 2499, 0);
""")
    world.insert("checks", [(name, f"SELECT count(*) AS bad {rest}") for name, rest in CHECKS.items()])


def checks_solved(world: World) -> str:
    counts = {name: world.query(query)[0][0] for name, query in world.query("SELECT name, query FROM checks")}
    return json.dumps({name: count for name, count in counts.items() if count})


def checks_direct(_: World) -> Steps:
    (stored,) = yield [call("sqlite", "read_query", query="SELECT name, query FROM checks")]
    rows = read_rows(stored)
    answers = yield [call("sqlite", "read_query", query=row["query"]) for row in rows]
    counts = {row["name"]: read_rows(answer)[0]["bad"] for row, answer in zip(rows, answers, strict=True)}
    return json.dumps({name: count for name, count in counts.items() if count})


def checks_hub(_: World) -> Steps:
    yield [look("run a query on sqlite")]
    yield [program('result = sqlite.read_query(query="SELECT name, query FROM checks LIMIT 3")')]
    (answer,) = yield [
        program("""
import ast

failed = {}
for check in ast.literal_eval(sqlite.read_query(query="SELECT name, query FROM checks")):
    (row,) = ast.literal_eval(sqlite.read_query(query=check["query"]))
    (count,) = row.values()
    if count:
        failed[check["name"]] = count
result = failed
""")
    ]
    return answer.text


# --- two tables, line against line ---


def bank(world: World) -> None:
    chance = random.Random(23)
    amounts = [chance.randrange(900, 40_000, 10) for _ in range(45)]
    ledger = []
    for place in range(1, 151):
        ledger.append((place, date(2026, 3, 1) + timedelta(days=chance.randrange(28)), chance.choice(amounts)))
    lines = [
        (day + timedelta(days=chance.choices((0, 1, 2, 3, 4, 7), (30, 30, 17, 12, 8, 3))[0]), cents)
        for _, day, cents in ledger
        if chance.random() > 0.03
    ]
    lines += [(date(2026, 3, 2) + timedelta(days=chance.randrange(28)), chance.choice(amounts)) for _ in range(3)]
    lines.sort()
    world.script("""
CREATE TABLE ledger (id INTEGER PRIMARY KEY, day TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE bank (id INTEGER PRIMARY KEY, day TEXT NOT NULL, cents INTEGER NOT NULL);
""")
    world.insert("ledger", [(place, f"{day}", cents) for place, day, cents in ledger])
    world.insert("bank", [(place, f"{day}", cents) for place, (day, cents) in enumerate(lines, 501)])


def matched(banked: list[Row], ledger: list[Row]) -> str:
    """What is left over in both tables, whose rows are (id, day, cents)."""
    left = sorted(ledger, key=lambda row: (row[1], row[0]))
    lone = []
    for place, day, cents in sorted(banked, key=lambda row: (row[1], row[0])):
        first = f"{date.fromisoformat(day) - timedelta(days=5)}"
        fits = [row for row in left if row[2] == cents and first <= row[1] <= day]
        if fits:
            left.remove(fits[0])
        else:
            lone.append(place)
    return json.dumps({"bank": sorted(lone), "ledger": sorted(row[0] for row in left)})


def bank_solved(world: World) -> str:
    return matched(world.query("SELECT * FROM bank"), world.query("SELECT * FROM ledger"))


def bank_direct(_: World) -> Steps:
    answers = yield [
        call("sqlite", "read_query", query=f"SELECT id, day, cents FROM {table} ORDER BY day, id")
        for table in ("bank", "ledger")
    ]
    banked, ledger = ([(row["id"], row["day"], row["cents"]) for row in read_rows(answer)] for answer in answers)
    return matched(banked, ledger)


def bank_hub(_: World) -> Steps:
    yield [look("query sqlite database")]
    yield [program('result = sqlite.read_query(query="SELECT id, day, cents FROM bank LIMIT 2")')]
    (answer,) = yield [
        program("""
import ast
from datetime import date, timedelta

def rows(table):
    return ast.literal_eval(sqlite.read_query(query=f"SELECT id, day, cents FROM {table} ORDER BY day, id"))

free = rows("ledger")
alone = []
for line in rows("bank"):
    first = str(date.fromisoformat(line["day"]) - timedelta(days=5))
    for entry in free:
        if entry["cents"] == line["cents"] and first <= entry["day"] <= line["day"]:
            free.remove(entry)
            break
    else:
        alone.append(line["id"])
result = {"bank": sorted(alone), "ledger": sorted([entry["id"] for entry in free])}
""")
    ]
    return answer.text


# --- customers entered twice ---


def customers(world: World) -> None:
    chance = random.Random(31)
    postcodes = [f"{chance.randrange(26_000, 29_000)}" for _ in range(520)]
    rows = [
        [f"{chance.choice(FIRST)} {chance.choice(LAST)}", chance.choice(CITIES), chance.choice(postcodes)]
        for _ in range(1_500)
    ]
    for place in chance.sample(range(100, 1_400), 14):
        name, city, postcode = rows[chance.randrange(100)]
        rows[place] = [slipped(name, chance), city, postcode]
    world.script("""
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL, postcode TEXT NOT NULL);
""")
    world.insert("customers", [(place, *row) for place, row in enumerate(rows, 1)])


def slipped(name: str, chance: random.Random) -> str:
    """A name with one or two slips of the pen."""
    for _ in range(chance.randint(1, 2)):
        place = chance.randrange(len(name))
        name = name[:place] + chance.choice(("", "e", "n", name[place] * 2)) + name[place + 1 :]
    return name


def distance(one: str, other: str) -> int:
    """How many letters must be changed, put in or left out to make one of the other."""
    before = list(range(len(other) + 1))
    for row, letter in enumerate(one, 1):
        line = [row]
        for column, its in enumerate(other, 1):
            line.append(min(before[column] + 1, line[-1] + 1, before[column - 1] + (letter != its)))
        before = line
    return before[-1]


def pairs(names: list[tuple[int, str]]) -> list[list[int]]:
    """The pairs of ids in one postcode."""
    near = [(one, other) for one, other in combinations(sorted(names), 2) if distance(one[1], other[1]) <= 2]
    return [[one[0], other[0]] for one, other in near]


def twins_solved(world: World) -> str:
    places: dict[str, list[tuple[int, str]]] = {}
    for place, name, postcode in world.query("SELECT id, name, postcode FROM customers"):
        places.setdefault(postcode, []).append((place, name))
    return json.dumps(sorted(pair for names in places.values() for pair in pairs(names)))


TOGETHER = "SELECT group_concat(id || ' ' || name, '; ') AS names FROM customers GROUP BY postcode HAVING count(*) > 1"


def twins_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "read_query", query=TOGETHER)]
    found = []
    for row in read_rows(answer):
        names = [each.split(" ", 1) for each in row["names"].split("; ")]
        found += pairs([(int(place), name) for place, name in names])
    return json.dumps(sorted(found))


def twins_hub(_: World) -> Steps:
    yield [look("query sqlite database")]
    yield [program('result = sqlite.read_query(query="SELECT id, name, postcode FROM customers LIMIT 2")')]
    (answer,) = yield [
        program("""
import ast
from collections import defaultdict
from itertools import combinations

def distance(a, b):
    previous = list(range(len(b) + 1))
    for i in range(1, len(a) + 1):
        current = [i]
        for j in range(1, len(b) + 1):
            cost = 0 if a[i - 1] == b[j - 1] else 1
            current.append(min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost))
        previous = current
    return previous[-1]

by_postcode = defaultdict(list)
rows = ast.literal_eval(sqlite.read_query(query="SELECT id, name, postcode FROM customers ORDER BY id"))
for row in rows:
    by_postcode[row["postcode"]].append(row)
pairs = []
for group in by_postcode.values():
    for a, b in combinations(group, 2):
        if abs(len(a["name"]) - len(b["name"])) <= 2 and distance(a["name"], b["name"]) <= 2:
            pairs.append([a["id"], b["id"]])
result = sorted(pairs)
""")
    ]
    return answer.text


# --- tables that are in one of two databases, or in neither ---

SOUGHT = ("returns", "refunds", "exchanges")


def returned(world: World) -> None:
    shops(world)
    world.script("""
CREATE TABLE "returns" (id INTEGER PRIMARY KEY, sale_id INTEGER NOT NULL, reason TEXT);
CREATE TABLE exchanges (id INTEGER PRIMARY KEY, sale_id INTEGER NOT NULL, for_product_id INTEGER NOT NULL);
""")
    chance = random.Random(32)
    world.insert('"returns"', [(place, chance.randint(1, 2_000), "broken") for place in range(1, 44)])
    world.insert("exchanges", [(place, chance.randint(1, 2_000), chance.randint(1, 20)) for place in range(1, 18)])


def where_solved(world: World) -> str:
    there = {name for (name,) in world.query("SELECT name FROM sqlite_master WHERE type = 'table'")}
    counts = {name: world.query(f'SELECT count(*) FROM "{name}"')[0][0] for name in SOUGHT if name in there}
    return json.dumps({name: counts.get(name) for name in SOUGHT})


def counting(names: list[str]) -> str:
    """One query for the numbers of rows."""
    return "SELECT " + ", ".join(f"(SELECT count(*) FROM {name}) AS {name}" for name in names)


def where_direct(_: World) -> Steps:
    lite, duck = yield [call("sqlite", "list_tables"), call("duckdb", "list_tables")]
    names = [row["name"] for row in read_rows(lite) if row["name"] in SOUGHT]
    if any(name in duck.text for name in SOUGHT):
        raise ValueError("DuckDB's database isn't empty")
    (answer,) = yield [call("sqlite", "read_query", query=counting(names))]
    return json.dumps({name: read_rows(answer)[0].get(name) for name in SOUGHT})


def where_hub(_: World) -> Steps:
    yield [look("list tables of sqlite and duckdb"), look("query sqlite and duckdb")]
    (lists,) = yield [program("result = [sqlite.list_tables(), duckdb.list_tables()]")]
    lite, duck = json.loads(lists.text)
    names = [row["name"] for row in rows_in(lite) if row["name"] in SOUGHT]
    if duck["tables"]:
        raise ValueError("DuckDB's database isn't empty")
    (answer,) = yield [program(f'result = sqlite.read_query(query="{counting(names)}")')]
    return json.dumps({name: read_rows(answer)[0].get(name) for name in SOUGHT})


TASKS = (
    Task(
        name="stored-checks",
        level=Level.HARD,
        servers=frozenset({"sqlite"}),
        request=(
            "The table checks (columns name, query) in our SQLite database holds queries that each count rows which "
            "shouldn't be there. Run all of them. Answer with a JSON object of those that count any, from the check's "
            "name to its count."
        ),
        make=checks,
        solve=checks_solved,
        grade=as_value(checks_solved),
        wrong=("{}", '{"sales of no shop": 2}', "All checks passed."),
        direct=checks_direct,
        hub=checks_hub,
    ),
    Task(
        name="bank-against-ledger",
        level=Level.HARD,
        servers=frozenset({"sqlite"}),
        request=(
            "Match the tables bank and ledger in our SQLite database (both: id, day as YYYY-MM-DD, cents). Go "
            "through the bank lines by day, then id: each takes the oldest ledger line (by day, then id) that "
            "isn't taken yet, has the same cents, and is of the same day or up to five days before. Answer with a "
            'JSON object: "bank" is the ascending array of the ids of bank lines that found none, "ledger" that '
            "of the ledger lines not taken."
        ),
        make=bank,
        solve=bank_solved,
        grade=as_value(bank_solved),
        wrong=('{"bank": [], "ledger": []}', '{"bank": [501], "ledger": [1]}', "They match."),
        direct=bank_direct,
        hub=bank_hub,
    ),
    Task(
        name="twin-customers",
        level=Level.EDGE,
        servers=frozenset({"sqlite"}),
        request=(
            "In the table customers (id, name, city, postcode) of our SQLite database some people were entered twice. "
            "Which customers have the same postcode, and names that differ in at most two letters (changed, put in or "
            "left out)? Answer with a JSON array of the pairs [smaller id, larger id], in ascending order."
        ),
        make=customers,
        solve=twins_solved,
        grade=as_value(twins_solved),
        wrong=("[]", "[[1, 2]]", "Nobody was entered twice."),
        direct=twins_direct,
        hub=twins_hub,
    ),
    Task(
        name="tables-in-two-databases",
        level=Level.EDGE,
        servers=frozenset({"sqlite", "duckdb"}),
        request=(
            "The tables returns, refunds and exchanges should be in our SQLite database or in the DuckDB one. Answer "
            "with a JSON object from each of the three names to the number of rows, null for a table in neither."
        ),
        make=returned,
        solve=where_solved,
        grade=as_value(where_solved),
        wrong=(
            '{"returns": 43, "refunds": 0, "exchanges": 17}',
            '{"returns": null, "refunds": null, "exchanges": null}',
            "The table refunds is missing.",
        ),
        direct=where_direct,
        hub=where_hub,
    ),
)
"""Two hard tasks and two at the edge."""
