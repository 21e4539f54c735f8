"""What the tasks over tables share: shops, a payroll, a support desk and sensors, and how answers are read."""

import ast
import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from bench.graded.grading import same_json, same_number, same_text
from bench.graded.task import Answer
from bench.graded.worlds import World

Row = tuple[Any, ...]
Grade = Callable[[World, str], bool]


def words(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


SCHEMA = "SELECT sql FROM sqlite_master"
"""What an agent asks a SQLite database first that it knows nothing of."""

CITIES = words("""
Lübeck Bremen Kiel Rostock Emden Husum Stade Celle Goslar Hameln Soest Unna Hamm Werl Lippstadt Detmold Herford Minden
Bünde Vechta Leer Aurich Norden Jever Varel
""")
FIRST = words("""
Anna Ben Carla David Elif Finn Greta Hugo Ida Jonas Kira Lars Mira Nils Olga Paul Rosa Sven Tara Uwe Vera Wim Yara Zoe
Arne Birte Claas Doris Emil Frida
""")
LAST = words("""
Albers Brandt Claasen Dierks Ehlers Fricke Gerdes Hansen Ihnen Jansen Kramer Lüders Mertens Nolte Oltmanns Petersen
Quast Reimers Siemers Tiedemann Ulrichs Voss Wessels Zander O'Brien
""")
PRODUCTS = words("""
teapot kettle mug saucer pan ladle whisk sieve grater peeler tray apron towel basket lantern candle vase bowl jug
carafe
""")
SUPPLIERS = ("Nordhof", "Weser Metall", "Keramik Ost", "Linnen & Co")
QUEUES = ("billing", "returns", "delivery", "account")
TEAMS = ("north", "south", "night")

SHOP_TABLES = """
CREATE TABLE shops (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE suppliers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT NOT NULL, supplier_id INTEGER NOT NULL,
 price_cents INTEGER NOT NULL, discontinued INTEGER NOT NULL DEFAULT 0);
CREATE TABLE sales (id INTEGER PRIMARY KEY, shop_id INTEGER NOT NULL, product_id INTEGER NOT NULL, day TEXT NOT NULL,
 pieces INTEGER NOT NULL, amount_cents INTEGER NOT NULL);
"""
PAY_TABLES = """
CREATE TABLE departments (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE employees (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
 department_id INTEGER NOT NULL REFERENCES departments, salary INTEGER NOT NULL, started TEXT NOT NULL,
 badge INTEGER UNIQUE);
"""
TICKET_TABLES = """
CREATE TABLE agents (id INTEGER PRIMARY KEY, name TEXT NOT NULL, team TEXT NOT NULL);
CREATE TABLE tickets (id INTEGER PRIMARY KEY, subject TEXT NOT NULL, queue TEXT NOT NULL,
 priority TEXT NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
 status TEXT NOT NULL CHECK (status IN ('open', 'waiting', 'closed')),
 agent_id INTEGER NOT NULL REFERENCES agents, opened TEXT NOT NULL, answered TEXT);
"""
DEPARTMENTS = ("Sales", "Warehouse", "Accounts", "Design", "Service")


def shop_rows() -> dict[str, list[Row]]:
    """The rows of the shops' tables: 25 shops, 20 products, 2,000 sales of three months."""
    chance = random.Random(11)
    products = [
        (place, name, chance.randint(1, len(SUPPLIERS)), chance.randrange(350, 6_000, 5), int(chance.random() < 0.2))
        for place, name in enumerate(PRODUCTS, 1)
    ]
    sales = []
    for place in range(1, 2_001):
        product, pieces = chance.choice(products), chance.choice((1, 1, 1, 2, 2, 3, 4))
        day = f"{datetime(2026, 1, 1) + timedelta(days=chance.randrange(90)):%Y-%m-%d}"
        sales.append((place, chance.randint(1, len(CITIES)), product[0], day, pieces, pieces * product[3]))
    return {
        "shops": [(place, f"Haus & Herd {city}", city) for place, city in enumerate(CITIES, 1)],
        "suppliers": list(enumerate(SUPPLIERS, 1)),
        "products": products,
        "sales": sales,
    }


def pay_rows() -> dict[str, list[Row]]:
    """The rows of the payroll: 5 departments, 64 employees."""
    chance = random.Random(12)
    names = chance.sample([f"{first} {last}" for first in FIRST for last in LAST], 64)
    badges = chance.sample(range(1_000, 1_400), 64)
    employees = []
    for place, name in enumerate(names, 1):
        started = f"{datetime(2015, 1, 1) + timedelta(days=chance.randrange(3_900)):%Y-%m-%d}"
        pay = chance.randrange(31_000, 78_000, 500)
        employees.append(
            (place, name, mail(name), chance.randint(1, len(DEPARTMENTS)), pay, started, badges[place - 1])
        )
    return {"departments": list(enumerate(DEPARTMENTS, 1)), "employees": employees}


def mail(name: str) -> str:
    """Somebody's address."""
    return f"{name.lower().replace(' ', '.').replace(chr(39), '').replace('ü', 'ue')}@example.invalid"


def ticket_rows() -> dict[str, list[Row]]:
    """The rows of the support desk: 12 agents, 600 tickets of the first quarter, each answered unless it is new."""
    chance = random.Random(13)
    agents = [(place, f"{first} {LAST[place]}", TEAMS[place % 3]) for place, first in enumerate(FIRST[:12], 1)]
    tickets = []
    for place in range(1_001, 1_601):
        queue = chance.choice(QUEUES)
        opened = datetime(2026, 1, 5) + timedelta(minutes=chance.randrange(84 * 24 * 60))
        answered = opened + timedelta(minutes=int(chance.expovariate(1 / 1_400)) + 4)
        late = opened > datetime(2026, 3, 1)
        status = chance.choices(("open", "waiting", "closed"), (30, 15, 55) if late else (4, 4, 92))[0]
        priority = chance.choices(("low", "normal", "high"), (3, 5, 2))[0]
        times = (f"{opened:%Y-%m-%d %H:%M}", f"{answered:%Y-%m-%d %H:%M}")
        tickets.append((place, f"{queue} question", queue, priority, status, chance.randint(1, 12), *times))
    return {"agents": agents, "tickets": tickets}


def readings() -> list[tuple[str, str, float]]:
    """A week's hourly temperatures of twelve sensors, by time."""
    chance = random.Random(14)
    means = {f"hall-{place:02}": 17 + chance.random() * 6 for place in range(1, 13)}
    hours = [datetime(2026, 3, 2) + timedelta(hours=hour) for hour in range(7 * 24)]
    return [
        (sensor, f"{hour:%Y-%m-%dT%H:%M:%S}", round(chance.gauss(mean, 1.5), 1))
        for hour in hours
        for sensor, mean in means.items()
    ]


def as_csv(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A CSV file's text."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    return out.getvalue()


def from_csv(world: World, path: str) -> list[dict[str, str]]:
    """The rows of a CSV file; none if it isn't there."""
    return list(csv.DictReader(io.StringIO(world.text(path) or "")))


def fill(world: World, tables: str, rows: dict[str, list[Row]]) -> None:
    """Make tables and put the rows in."""
    world.script(tables)
    for table, every in rows.items():
        world.insert(table, every)


def holds(world: World, rows: dict[str, list[Row]]) -> bool:
    """Whether the tables hold just these rows."""
    return all(world.query(f"SELECT * FROM {table} ORDER BY 1") == sorted(every) for table, every in rows.items())


def shops(world: World) -> None:
    fill(world, SHOP_TABLES, shop_rows())


def pay(world: World) -> None:
    fill(world, PAY_TABLES, pay_rows())


def tickets(world: World) -> None:
    fill(world, TICKET_TABLES, ticket_rows())


def sensors(world: World) -> None:
    world.write("files/readings.csv", as_csv(("sensor", "taken", "celsius"), readings()))


def read_rows(answer: Answer) -> list[dict[str, Any]]:
    """What a reader sees in the SQLite server's answer."""
    return rows_in(answer.text)


def rows_in(text: str) -> list[dict[str, Any]]:
    """What a reader sees in rows as the SQLite server writes them."""
    rows: list[dict[str, Any]] = ast.literal_eval(text)
    return rows


def read_table(answer: Answer) -> list[dict[str, Any]]:
    """What a reader sees in the DuckDB server's answer."""
    value = json.loads(answer.text)
    return [dict(zip(value["columns"], row, strict=True)) for row in value["rows"]]


def as_number(solve: Callable[[World], str]) -> Grade:
    """The answer is the number that `solve` finds."""
    return lambda world, answer: same_number(answer, float(solve(world)))


def as_value(solve: Callable[[World], str]) -> Grade:
    """The answer is the JSON that `solve` finds."""
    return lambda world, answer: same_json(answer, json.loads(solve(world)))


def as_name(solve: Callable[[World], str]) -> Grade:
    """The answer is the text that `solve` finds."""
    return lambda world, answer: same_text(answer, solve(world))
