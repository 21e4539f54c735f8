"""Tasks that change tables: rows raised, closed, escalated, added and refused in SQLite, by the request or by files."""

import json
from collections import Counter
from typing import Any

from bench.graded.grading import same_json, same_number, same_set
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.tasks.table_worlds import (
    SCHEMA,
    Row,
    as_csv,
    holds,
    mail,
    pay,
    pay_rows,
    read_rows,
    read_table,
    rows_in,
    shop_rows,
    shops,
    ticket_rows,
    tickets,
)
from bench.graded.worlds import World

CLOSED = "UPDATE tickets SET status = 'closed' WHERE queue = 'returns' AND status = 'waiting'"


def was_waiting(row: Row) -> bool:
    return bool(row[2] == "returns" and row[4] == "waiting")


def close_waiting_solved(world: World) -> str:
    chosen = [row[0] for row in world.query("SELECT * FROM tickets") if was_waiting(row)]
    for ticket in chosen:
        world.script(f"UPDATE tickets SET status = 'closed' WHERE id = {ticket}")
    return str(len(chosen))


def close_waiting_right(world: World, answer: str) -> bool:
    rows = ticket_rows()
    changed = sum(map(was_waiting, rows["tickets"]))
    rows["tickets"] = [(*row[:4], "closed", *row[5:]) if was_waiting(row) else row for row in rows["tickets"]]
    return holds(world, rows) and same_number(answer, changed)


def close_waiting_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "write_query", query=CLOSED)]
    return str(read_rows(answer)[0]["affected_rows"])


def close_waiting_hub(_: World) -> Steps:
    yield [look("update rows in sqlite")]
    (answer,) = yield [program(f'result = sqlite.write_query(query="{CLOSED}")')]
    return str(read_rows(answer)[0]["affected_rows"])


RAISED = (
    "UPDATE products SET price_cents = CAST(round(price_cents * 1.04) AS INTEGER) "
    "WHERE discontinued = 0 AND supplier_id = (SELECT id FROM suppliers WHERE name = 'Nordhof')"
)
DEAREST = (
    "SELECT p.name FROM products p JOIN suppliers s ON s.id = p.supplier_id "
    "WHERE s.name = 'Nordhof' AND p.discontinued = 0 ORDER BY p.price_cents DESC LIMIT 1"
)


def raised_products() -> tuple[list[Row], dict[str, Any]]:
    """The products as they are to be, and the answer to that."""
    rows = shop_rows()
    (nordhof,) = (place for place, name in rows["suppliers"] if name == "Nordhof")
    after, raised = [], []
    for place, name, supplier, price, gone in rows["products"]:
        if supplier == nordhof and not gone:
            price = (price * 104 + 50) // 100
            raised.append((price, name))
        after.append((place, name, supplier, price, gone))
    return after, {"changed": len(raised), "dearest": max(raised)[1]}


def price_rise_solved(world: World) -> str:
    after, answer = raised_products()
    world.script("DELETE FROM products")
    world.insert("products", after)
    return json.dumps(answer)


def price_rise_right(world: World, answer: str) -> bool:
    after, right = raised_products()
    return holds(world, {**shop_rows(), "products": after}) and same_json(answer, right)


def price_rise_direct(_: World) -> Steps:
    yield [call("sqlite", "read_query", query=SCHEMA)]
    (changed,) = yield [call("sqlite", "write_query", query=RAISED)]
    (dearest,) = yield [call("sqlite", "read_query", query=DEAREST)]
    return json.dumps({"changed": read_rows(changed)[0]["affected_rows"], "dearest": read_rows(dearest)[0]["name"]})


def price_rise_hub(_: World) -> Steps:
    yield [look("query and update sqlite database")]
    yield [program(f'result = sqlite.read_query(query="{SCHEMA}")')]
    (answer,) = yield [
        program(f"""
changed = sqlite.write_query(query=\"\"\"{RAISED}\"\"\")
dearest = sqlite.read_query(query=\"\"\"{DEAREST}\"\"\")
result = [changed, dearest]
""")
    ]
    changed, dearest = map(rows_in, json.loads(answer.text))
    return json.dumps({"changed": changed[0]["affected_rows"], "dearest": dearest[0]["name"]})


ESCALATION = {"queues": ["billing", "delivery"], "opened_before": "2026-03-20", "priority": "urgent"}
ESCALATED = "files/escalated.txt"


def escalation(world: World) -> None:
    tickets(world)
    world.write("files/escalation.json", json.dumps(ESCALATION, indent=2) + "\n")


def to_escalate(row: Row) -> bool:
    return bool(row[2] in ESCALATION["queues"] and row[4] == "open" and row[6] < ESCALATION["opened_before"])


def escalated_numbers() -> list[int]:
    return sorted(row[0] for row in ticket_rows()["tickets"] if to_escalate(row))


def escalation_solved(world: World) -> str:
    chosen = [row[0] for row in world.query("SELECT * FROM tickets ORDER BY id") if to_escalate(row)]
    for ticket in chosen:
        world.script(f"UPDATE tickets SET priority = 'urgent' WHERE id = {ticket}")
    world.write(ESCALATED, "".join(f"{ticket}\n" for ticket in chosen))
    return str(len(chosen))


def escalation_right(world: World, answer: str) -> bool:
    rows = ticket_rows()
    rows["tickets"] = [(*row[:3], "urgent", *row[4:]) if to_escalate(row) else row for row in rows["tickets"]]
    numbers = escalated_numbers()
    written = (world.text(ESCALATED) or "").split() == [str(number) for number in numbers]
    return written and holds(world, rows) and same_number(answer, len(numbers))


def escalation_direct(_: World) -> Steps:
    file, _schema = yield [
        call("filesystem", "read_text_file", path="files/escalation.json"),
        call("sqlite", "read_query", query=SCHEMA),
    ]
    rule = json.loads(file.text)
    queues = ", ".join(f"'{queue}'" for queue in rule["queues"])
    where = f"status = 'open' AND queue IN ({queues}) AND opened < '{rule['opened_before']}'"
    (found,) = yield [call("sqlite", "read_query", query=f"SELECT id FROM tickets WHERE {where} ORDER BY id")]
    numbers = [row["id"] for row in read_rows(found)]
    yield [
        call("sqlite", "write_query", query=f"UPDATE tickets SET priority = '{rule['priority']}' WHERE {where}"),
        call("filesystem", "write_file", path=ESCALATED, content="".join(f"{number}\n" for number in numbers)),
    ]
    return str(len(numbers))


def escalation_hub(_: World) -> Steps:
    yield [look("query and update sqlite database"), look("read and write text files")]
    (seen,) = yield [
        program(f"""
rule = filesystem.read_text_file(path="files/escalation.json")["content"]
result = [rule, sqlite.read_query(query="{SCHEMA}")]
""")
    ]
    rule = json.loads(json.loads(seen.text)[0])
    queues = ", ".join(f"'{queue}'" for queue in rule["queues"])
    (answer,) = yield [
        program(f"""
import ast
where = "status = 'open' AND queue IN ({queues}) AND opened < '{rule["opened_before"]}'"
found = ast.literal_eval(sqlite.read_query(query=f"SELECT id FROM tickets WHERE {{where}} ORDER BY id"))
changed = sqlite.write_query(query=f"UPDATE tickets SET priority = '{rule["priority"]}' WHERE {{where}}")
filesystem.write_file(path="{ESCALATED}", content="".join([f"{{row['id']}}\\n" for row in found]))
result = [len(found), changed]
""")
    ]
    return str(json.loads(answer.text)[0])


HIRES = "files/new_hires.csv"
HIRES_HEADER = ("name", "email", "department", "salary", "starts")
NEW = (
    ("Sean O'Hara", "Warehouse", 38_500, "2026-04-01"),
    ("Lene Fricke-Voss", "Design", 47_000, "2026-04-01"),
    ("Ture Nolte", "Warehouse", 36_000, "2026-04-15"),
    ("Maja D'Angelo", "Service", 41_500, "2026-04-01"),
    ("Jost Reimers", "Accounts", 52_000, "2026-05-01"),
    ("Wiebke Ihnen", "Service", 39_000, "2026-05-01"),
    ("Onno Quast", "Warehouse", 35_500, "2026-05-01"),
)
HEADS = (
    "SELECT d.name, count(*) AS n FROM employees e JOIN departments d ON d.id = e.department_id "
    "GROUP BY d.id ORDER BY d.name"
)


def hires(world: World) -> None:
    pay(world)
    lines = [(name, mail(name), department, salary, starts) for name, department, salary, starts in NEW]
    world.write(HIRES, as_csv(HIRES_HEADER, lines))


def hired() -> dict[str, list[Row]]:
    """The payroll with the new people in it."""
    rows = pay_rows()
    numbers = {name: place for place, name in rows["departments"]}
    for place, (name, department, salary, starts) in enumerate(NEW, len(rows["employees"]) + 1):
        rows["employees"].append((place, name, mail(name), numbers[department], salary, starts, None))
    return rows


def heads(rows: dict[str, list[Row]]) -> dict[str, int]:
    """How many people each department has."""
    names: dict[int, str] = dict(rows["departments"])
    return dict(Counter(names[row[3]] for row in rows["employees"]))


def hires_solved(world: World) -> str:
    rows = hired()
    world.insert("employees", rows["employees"][-len(NEW) :])
    return json.dumps(heads(rows))


def hires_right(world: World, answer: str) -> bool:
    rows = hired()
    after = world.query("SELECT name, email, department_id, salary, started, badge FROM employees ORDER BY name")
    return after == sorted(row[1:] for row in rows["employees"]) and same_json(answer, heads(rows))


def hires_direct(_: World) -> Steps:
    read, _schema = yield [
        call("duckdb", "execute_query", sql=f"SELECT * FROM '{HIRES}'"),
        call("sqlite", "read_query", query=SCHEMA),
    ]
    values = ", ".join(
        f"({quoted(row['name'])}, {quoted(row['email'])}, (SELECT id FROM departments WHERE name = "
        f"{quoted(row['department'])}), {row['salary']}, {quoted(row['starts'])})"
        for row in read_table(read)
    )
    into = f"INSERT INTO employees (name, email, department_id, salary, started) VALUES {values}"
    yield [call("sqlite", "write_query", query=into)]
    (answer,) = yield [call("sqlite", "read_query", query=HEADS)]
    return json.dumps({row["name"]: row["n"] for row in read_rows(answer)})


def quoted(text: str) -> str:
    """A text in SQL."""
    return "'" + text.replace("'", "''") + "'"


def hires_hub(_: World) -> Steps:
    yield [look("query a CSV file"), look("query sqlite database"), look("insert rows into sqlite")]
    yield [
        program(f"""
result = [duckdb.execute_query(sql="SELECT * FROM '{HIRES}' LIMIT 2"), sqlite.read_query(query="{SCHEMA}")]
""")
    ]
    (answer,) = yield [
        program(f"""
def quoted(text):
    return "'" + text.replace("'", "''") + "'"

added = []
for name, email, department, salary, starts in duckdb.execute_query(sql="SELECT * FROM '{HIRES}'")["rows"]:
    values = f"{{quoted(name)}}, {{quoted(email)}}, id, {{salary}}, {{quoted(starts)}}"
    into = "INSERT INTO employees (name, email, department_id, salary, started)"
    chosen = f"SELECT {{values}} FROM departments WHERE name = {{quoted(department)}}"
    added.append(sqlite.write_query(query=f"{{into}} {{chosen}}"))
result = [added, sqlite.read_query(query="{HEADS}")]
""")
    ]
    return json.dumps({row["name"]: row["n"] for row in rows_in(json.loads(answer.text)[1])})


BADGES = "files/badges.csv"


def new_badges() -> list[tuple[int, int]]:
    """Twelve people and their new badges; two of the badges are somebody else's."""
    employees = pay_rows()["employees"]
    free = iter(range(1_500, 1_600))
    people = [row[0] for row in employees[3:60:5]]
    others = {place: employees[place][6] for place in (people[4], people[9])}  # the one who is next in the table
    return [(place, others[place] if place in others else next(free)) for place in people]


def badges(world: World) -> None:
    pay(world)
    world.write(BADGES, as_csv(("employee_id", "badge"), new_badges()))


def badged() -> tuple[dict[str, list[Row]], list[int]]:
    """The payroll as it is to be, and who was refused."""
    rows = pay_rows()
    taken = {row[6] for row in rows["employees"]}
    given = dict(new_badges())
    refused = [place for place, badge in given.items() if badge in taken]
    rows["employees"] = [
        (*row[:6], given[row[0]]) if row[0] in given and row[0] not in refused else row for row in rows["employees"]
    ]
    return rows, refused


def badges_solved(world: World) -> str:
    rows, refused = badged()
    world.script("DELETE FROM employees")
    world.insert("employees", rows["employees"])
    return json.dumps(refused)


def badges_right(world: World, answer: str) -> bool:
    rows, refused = badged()
    return holds(world, rows) and same_set(answer, refused)


def badges_direct(_: World) -> Steps:
    read, _schema = yield [
        call("duckdb", "execute_query", sql=f"SELECT * FROM '{BADGES}'"),
        call("sqlite", "read_query", query=SCHEMA),
    ]
    rows = read_table(read)
    answers = yield [
        call(
            "sqlite",
            "write_query",
            query=f"UPDATE employees SET badge = {row['badge']} WHERE id = {row['employee_id']}",
        )
        for row in rows
    ]
    return json.dumps(
        [row["employee_id"] for row, answer in zip(rows, answers, strict=True) if "failed" in answer.text]
    )


def badges_hub(_: World) -> Steps:
    yield [look("query a CSV file"), look("query and update sqlite database")]
    yield [
        program(f"""
result = [duckdb.execute_query(sql="SELECT * FROM '{BADGES}' LIMIT 2"), sqlite.read_query(query="{SCHEMA}")]
""")
    ]
    (answer,) = yield [
        program(f"""
outcomes = {{}}
for employee, badge in duckdb.execute_query(sql="SELECT employee_id, badge FROM '{BADGES}'")["rows"]:
    try:
        outcomes[employee] = sqlite.write_query(query=f"UPDATE employees SET badge = {{badge}} WHERE id = {{employee}}")
    except Exception as error:
        outcomes[employee] = f"refused: {{error}}"
result = outcomes
""")
    ]
    outcomes = json.loads(answer.text)
    return json.dumps([int(place) for place, outcome in outcomes.items() if "failed" in outcome])


TASKS = (
    Task(
        name="close-waiting-tickets",
        level=Level.SIMPLE,
        servers=frozenset({"sqlite"}),
        request=(
            "In our SQLite database, close all tickets of the queue 'returns' with the status 'waiting'. The table "
            "tickets has the columns id, subject, queue, priority, status, agent_id, opened and answered; the status "
            "is to be 'closed'. Answer with the number of tickets closed, and only that."
        ),
        make=tickets,
        solve=close_waiting_solved,
        grade=close_waiting_right,
        wrong=("0", "600", "Done."),
        direct=close_waiting_direct,
        hub=close_waiting_hub,
    ),
    Task(
        name="supplier-price-rise",
        level=Level.MEDIUM,
        servers=frozenset({"sqlite"}),
        request=(
            "Our shop's data is in the SQLite database. Raise the prices of all products of the supplier Nordhof that "
            "aren't discontinued by 4 percent, rounded to whole cents, and leave all else as it is. Answer with a JSON "
            'object: "changed" is the number of products raised, "dearest" the name of the dearest among them.'
        ),
        make=shops,
        solve=price_rise_solved,
        grade=price_rise_right,
        wrong=('{"changed": 20, "dearest": "kettle"}', '{"changed": 0, "dearest": null}', "Done."),
        direct=price_rise_direct,
        hub=price_rise_hub,
    ),
    Task(
        name="ticket-escalation",
        level=Level.MEDIUM,
        servers=frozenset({"sqlite", "filesystem"}),
        request=(
            "files/escalation.json says which open tickets of our support desk (SQLite) are to be escalated: those of "
            "its queues that were opened before its date; their priority becomes the one that it names. Do that, and "
            "write the ids of the escalated tickets to files/escalated.txt, ascending, one a line. Answer with their "
            "number only."
        ),
        make=escalation,
        solve=escalation_solved,
        grade=escalation_right,
        wrong=("0", "600", "All were escalated."),
        direct=escalation_direct,
        hub=escalation_hub,
    ),
    Task(
        name="payroll-new-hires",
        level=Level.MEDIUM,
        servers=frozenset({"sqlite", "duckdb"}),
        request=(
            "Add the people in files/new_hires.csv to the employees in our payroll database (SQLite); they have no "
            "badge yet. Answer with a JSON object that gives for each department the number of people it then has."
        ),
        make=hires,
        solve=hires_solved,
        grade=hires_right,
        wrong=(json.dumps(heads(pay_rows())), '{"Warehouse": 3, "Design": 1, "Service": 2, "Accounts": 1}', "Added."),
        direct=hires_direct,
        hub=hires_hub,
    ),
    Task(
        name="badge-already-taken",
        level=Level.EDGE,
        servers=frozenset({"sqlite", "duckdb"}),
        request=(
            "Give the employees in our payroll database (SQLite) the new badges in files/badges.csv (columns "
            "employee_id, badge). If the database refuses a badge, that person keeps the old one. Answer with a JSON "
            "array of the ids of the employees who were refused."
        ),
        make=badges,
        solve=badges_solved,
        grade=badges_right,
        wrong=("[]", "[4, 9]", "All badges were given."),
        direct=badges_direct,
        hub=badges_hub,
    ),
)
