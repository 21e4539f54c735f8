"""Hard tasks over tables: a CSV file joined with SQLite, reports, a rule of working hours."""

import json
import random
from collections import Counter, defaultdict
from datetime import date, datetime, time, timedelta

from bench.graded.grading import same_text
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.tasks.table_worlds import (
    LAST,
    SCHEMA,
    Row,
    as_csv,
    as_value,
    fill,
    from_csv,
    holds,
    read_rows,
    read_table,
    shop_rows,
    shops,
    tickets,
)
from bench.graded.worlds import World

# --- invoices in SQLite, payments in a CSV file ---

INVOICE_TABLES = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT NOT NULL);
CREATE TABLE invoices (number TEXT PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers,
 amount_cents INTEGER NOT NULL, issued TEXT NOT NULL, due TEXT NOT NULL);
"""
PAYMENTS = "files/payments.csv"
DUE = "2026-03-31"
OWED_OVER = 50_000


def invoices(world: World) -> None:
    chance = random.Random(21)
    customers = [(place, f"{LAST[place % 25]} {kind}", "Bremen") for place, kind in enumerate(["GmbH", "KG"] * 20, 1)]
    rows: list[Row] = []
    paid: list[Row] = []
    for place in range(1, 261):
        number, issued = f"R-{place:04}", date(2026, 1, 2) + timedelta(days=place // 3)
        cents = chance.randrange(2_000, 90_000)
        rows.append((number, chance.randint(1, 40), cents, f"{issued}", f"{issued + timedelta(days=30)}"))
        parts = chance.choices(([1.0], [0.5, 0.5], [0.6], [0.4, 0.3], []), (50, 20, 10, 8, 12))[0]
        shares = [int(cents * part) for part in parts]
        if sum(parts) == 1.0:
            shares[-1] += cents - sum(shares)
        paid += [(f"{issued + timedelta(days=chance.randint(5, 40))}", number, f"{each / 100:.2f}") for each in shares]
    fill(world, INVOICE_TABLES, {"customers": customers, "invoices": rows})
    paid.sort()
    lines = [(place, day, number, amount) for place, (day, number, amount) in enumerate(paid, 1)]
    world.write(PAYMENTS, as_csv(("id", "day", "invoice", "amount"), lines))


def unpaid_solved(world: World) -> str:
    paid: Counter[str] = Counter()
    for row in from_csv(world, PAYMENTS):
        paid[row["invoice"]] += round(float(row["amount"]) * 100)
    names: dict[int, str] = dict(world.query("SELECT id, name FROM customers"))
    owed: Counter[str] = Counter()
    for number, customer, cents, due in world.query("SELECT number, customer_id, amount_cents, due FROM invoices"):
        if due <= DUE:
            owed[names[customer]] += cents - paid[number]
    return json.dumps({name: cents / 100 for name, cents in sorted(owed.items()) if cents > OWED_OVER})


BILLED = (
    "SELECT i.number, c.name, i.amount_cents FROM invoices i JOIN customers c ON c.id = i.customer_id "
    f"WHERE i.due <= '{DUE}'"
)
PAID = f"SELECT invoice, round(sum(amount) * 100)::INT AS cents FROM '{PAYMENTS}' GROUP BY invoice"


def unpaid_direct(_: World) -> Steps:
    yield [
        call("sqlite", "read_query", query=SCHEMA),
        call("duckdb", "execute_query", sql=f"SELECT * FROM '{PAYMENTS}' LIMIT 3"),
    ]
    billed, payments = yield [
        call("sqlite", "read_query", query=BILLED),
        call("duckdb", "execute_query", sql=PAID),
    ]
    paid = {row["invoice"]: row["cents"] for row in read_table(payments)}
    owed: Counter[str] = Counter()
    for row in read_rows(billed):
        owed[row["name"]] += row["amount_cents"] - paid.get(row["number"], 0)
    return json.dumps({name: cents / 100 for name, cents in owed.items() if cents > OWED_OVER})


def unpaid_hub(_: World) -> Steps:
    yield [look("query sqlite database"), look("query a CSV file")]
    yield [
        program(f"""
result = [sqlite.read_query(query="{SCHEMA}"), duckdb.execute_query(sql="SELECT * FROM '{PAYMENTS}' LIMIT 3")]
""")
    ]
    (answer,) = yield [
        program(f"""
import ast
from collections import defaultdict

paid = dict(duckdb.execute_query(sql="{PAID}")["rows"])
owed = defaultdict(int)
for row in ast.literal_eval(sqlite.read_query(query="{BILLED}")):
    owed[row["name"]] += row["amount_cents"] - paid.get(row["number"], 0)
result = {{name: cents / 100 for name, cents in owed.items() if cents > {OWED_OVER}}}
""")
    ]
    return answer.text


# --- a report for each shop ---

TEMPLATE = "# {name}\n\nTurnover in {month}: {turnover} EUR\nMost sold: {product} ({pieces} pieces)\n"
REPORTS = "files/reports"


def reports(world: World) -> None:
    shops(world)
    world.write(f"{REPORTS}/TEMPLATE.md", TEMPLATE)


def shop_reports() -> tuple[dict[str, str], str]:
    """The texts by their paths, and the shop with the highest turnover."""
    rows = shop_rows()
    names: dict[int, str] = {row[0]: row[1] for row in rows["products"]}
    cents: Counter[int] = Counter()
    pieces: dict[int, Counter[str]] = defaultdict(Counter)
    for _, shop, product, day, number, amount in rows["sales"]:
        if day.startswith("2026-03"):
            cents[shop] += amount
            pieces[shop][names[product]] += number
    texts = {}
    for shop, name, _ in rows["shops"]:
        product, most = min(pieces[shop].items(), key=lambda each: (-each[1], each[0]))
        texts[f"{REPORTS}/{shop}.md"] = TEMPLATE.format(
            name=name, month="2026-03", turnover=f"{cents[shop] / 100:.2f}", product=product, pieces=most
        )
    best = max(cents, key=lambda shop: cents[shop])
    return texts, next(name for shop, name, _ in rows["shops"] if shop == best)


def reports_solved(world: World) -> str:
    texts, best = shop_reports()
    for path, text in texts.items():
        world.write(path, text)
    return best


def reports_right(world: World, answer: str) -> bool:
    texts, best = shop_reports()
    there = {f"{REPORTS}/{path.name}" for path in (world.root / REPORTS).iterdir()}
    written = all((world.text(path) or "").strip() == text.strip() for path, text in texts.items())
    kept = world.text(f"{REPORTS}/TEMPLATE.md") == TEMPLATE and there == {*texts, f"{REPORTS}/TEMPLATE.md"}
    return written and kept and holds(world, shop_rows()) and same_text(answer, best)


OF_SHOP = "FROM sales s JOIN products p ON p.id = s.product_id WHERE s.shop_id = shops.id AND s.day LIKE '2026-03-%'"
MOST = "GROUP BY p.id ORDER BY sum(s.pieces) DESC, p.name LIMIT 1"
OF_SHOPS = (
    f"SELECT id, name, (SELECT sum(s.amount_cents) {OF_SHOP}) AS cents, (SELECT p.name {OF_SHOP} {MOST}) AS product, "
    f"(SELECT sum(s.pieces) {OF_SHOP} {MOST}) AS pieces FROM shops"
)


def reports_direct(_: World) -> Steps:
    template, _schema = yield [
        call("filesystem", "read_text_file", path=f"{REPORTS}/TEMPLATE.md"),
        call("sqlite", "read_query", query=SCHEMA),
    ]
    (found,) = yield [call("sqlite", "read_query", query=OF_SHOPS)]
    rows = read_rows(found)
    yield [
        call(
            "filesystem",
            "write_file",
            path=f"{REPORTS}/{row['id']}.md",
            content=template.text.format(month="2026-03", turnover=f"{row['cents'] / 100:.2f}", **row),
        )
        for row in rows
    ]
    return str(max(rows, key=lambda row: row["cents"])["name"])


def reports_hub(_: World) -> Steps:
    yield [look("query sqlite database"), look("read and write text files")]
    yield [
        program(f"""
template = filesystem.read_text_file(path="{REPORTS}/TEMPLATE.md")["content"]
result = [template, sqlite.read_query(query="{SCHEMA}")]
""")
    ]
    (answer,) = yield [
        program(f"""
import ast

template = filesystem.read_text_file(path="{REPORTS}/TEMPLATE.md")["content"]
where = "{OF_SHOP}"
most = "{MOST}"
rows = ast.literal_eval(sqlite.read_query(query=f\"\"\"SELECT id, name, (SELECT sum(s.amount_cents) {{where}}) AS cents,
(SELECT p.name {{where}} {{most}}) AS product, (SELECT sum(s.pieces) {{where}} {{most}}) AS pieces FROM shops\"\"\"))

def write(row):
    text = template.format(month="2026-03", turnover=f"{{row['cents'] / 100:.2f}}", **row)
    filesystem.write_file(path=f"{REPORTS}/{{row['id']}}.md", content=text)

parallel(write, rows)
result = max(rows, key=lambda row: row["cents"])["name"]
""")
    ]
    return answer.text


# --- a rule of working hours ---

HOLIDAYS = ["2026-01-06", "2026-02-16", "2026-03-06"]


def answered(world: World) -> None:
    tickets(world)
    world.write("files/holidays.json", json.dumps(HOLIDAYS) + "\n")


def is_late(opened: str, closed: str, holidays: list[str]) -> bool:
    """Whether more than eight working hours lie between."""
    start, end = datetime.fromisoformat(opened), datetime.fromisoformat(closed)
    worked = timedelta()
    for ahead in range((end.date() - start.date()).days + 1):
        day = start.date() + timedelta(days=ahead)
        if day.weekday() < 5 and f"{day}" not in holidays:
            since, until = datetime.combine(day, time(9)), datetime.combine(day, time(17))
            worked += max(timedelta(), min(end, until) - max(start, since))
    return worked > timedelta(hours=8)


def answered_solved(world: World) -> str:
    teams: dict[int, str] = dict(world.query("SELECT id, team FROM agents"))
    late: Counter[str] = Counter()
    for agent, opened, closed in world.query("SELECT agent_id, opened, answered FROM tickets"):
        late[teams[agent]] += is_late(opened, closed, HOLIDAYS)
    return json.dumps(late)


OVER_A_DAY = (
    "SELECT a.team, t.opened, t.answered FROM tickets t JOIN agents a ON a.id = t.agent_id "
    "WHERE julianday(t.answered) - julianday(t.opened) > 0.999"  # any 24 hours have eight working hours at most
)


def answered_direct(_: World) -> Steps:
    file, _schema = yield [
        call("filesystem", "read_text_file", path="files/holidays.json"),
        call("sqlite", "read_query", query=SCHEMA),
    ]
    (found,) = yield [call("sqlite", "read_query", query=OVER_A_DAY)]
    holidays = json.loads(file.text)
    late: Counter[str] = Counter()
    for row in read_rows(found):
        late[row["team"]] += is_late(row["opened"], row["answered"], holidays)
    return json.dumps(late)


def answered_hub(_: World) -> Steps:
    yield [look("query sqlite database"), look("read a text file")]
    yield [
        program(f"""
holidays = filesystem.read_text_file(path="files/holidays.json")["content"]
result = [holidays, sqlite.read_query(query="{SCHEMA}")]
""")
    ]
    (answer,) = yield [
        program("""
import ast, json
from collections import defaultdict
from datetime import datetime, timedelta

holidays = json.loads(filesystem.read_text_file(path="files/holidays.json")["content"])
rows = ast.literal_eval(sqlite.read_query(query="SELECT t.opened, t.answered, a.team FROM tickets t "
                                                "JOIN agents a ON a.id = t.agent_id"))

def working_hours(opened, answered):
    start = datetime.strptime(opened, "%Y-%m-%d %H:%M")
    end = datetime.strptime(answered, "%Y-%m-%d %H:%M")
    total = 0.0
    day = start.replace(hour=0, minute=0)
    while day <= end:
        if day.weekday() < 5 and day.strftime("%Y-%m-%d") not in holidays:
            low = max(start, day + timedelta(hours=9))
            high = min(end, day + timedelta(hours=17))
            if high > low:
                total += (high - low).total_seconds() / 3600
        day += timedelta(days=1)
    return total

late = defaultdict(int)
for row in rows:
    if working_hours(row["opened"], row["answered"]) > 8:
        late[row["team"]] += 1
result = late
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="unpaid-invoices",
        level=Level.HARD,
        servers=frozenset({"sqlite", "duckdb"}),
        request=(
            "Customers and invoices are in our SQLite database, what was paid is in files/payments.csv. Which "
            "customers still owe us more than 500 EUR in all on invoices that were due by 31 March 2026? Answer "
            "with a JSON object from the customer's name to what is owed, in EUR."
        ),
        make=invoices,
        solve=unpaid_solved,
        grade=as_value(unpaid_solved),
        wrong=("{}", '{"Brandt GmbH": 512.4}', "All have paid."),
        direct=unpaid_direct,
        hub=unpaid_hub,
    ),
    Task(
        name="shop-month-reports",
        level=Level.HARD,
        servers=frozenset({"sqlite", "filesystem"}),
        request=(
            "Write a report on March 2026 for each of the 25 shops in our SQLite database: files/reports/ID.md "
            "with the shop's id, made after files/reports/TEMPLATE.md. The month is written 2026-03, the turnover "
            "with two decimals; if two products were sold equally often, take the first by name. Answer with the "
            "name of the shop with the highest turnover only."
        ),
        make=reports,
        solve=reports_solved,
        grade=reports_right,
        wrong=("Haus & Herd Atlantis", "25", "Done."),
        direct=reports_direct,
        hub=reports_hub,
    ),
    Task(
        name="answered-in-working-hours",
        level=Level.HARD,
        servers=frozenset({"sqlite", "filesystem"}),
        request=(
            "Every ticket of our support desk (SQLite database, times as YYYY-MM-DD HH:MM) is to be answered "
            "within eight working hours of being opened. Working hours are Monday to Friday from 9:00 to 17:00, "
            "but not on the days in files/holidays.json, a JSON array of dates (YYYY-MM-DD). How many tickets did "
            "each team answer later than that? Answer with a JSON object from team to number."
        ),
        make=answered,
        solve=answered_solved,
        grade=as_value(answered_solved),
        wrong=('{"north": 0, "south": 0, "night": 0}', '{"north": 140, "south": 130, "night": 139}', "None was late."),
        direct=answered_direct,
        hub=answered_hub,
    ),
)
"""Three hard tasks."""
