"""Tasks over tables: one query or a few that build on each other, on SQLite and on CSV files (shops, pay, tickets)."""

import csv
import io
import json
from collections import Counter, defaultdict
from statistics import fmean

from bench.graded.grading import same_number
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.tasks.table_worlds import (
    SCHEMA,
    Row,
    as_csv,
    as_name,
    as_number,
    as_value,
    from_csv,
    pay,
    read_rows,
    read_table,
    sensors,
    shop_rows,
    shops,
    tickets,
)
from bench.graded.worlds import World

# --- simple: one call, with the columns told ---

TURNOVER = (
    "SELECT sum(amount_cents) AS cents FROM sales JOIN shops ON shops.id = shop_id "
    "WHERE city = 'Kiel' AND day LIKE '2026-03-%'"
)


def turnover(month: str, city: str) -> str:
    """What a city's shop sold in a month, in cents."""
    rows = shop_rows()
    (shop,) = (shop for shop, _, its in rows["shops"] if its == city)
    return str(sum(cents for _, its, _, day, _, cents in rows["sales"] if its == shop and day.startswith(month)))


def shop_turnover_solved(world: World) -> str:
    (shop,) = (place for place, city in world.query("SELECT id, city FROM shops") if city == "Kiel")
    sales = world.query("SELECT shop_id, day, amount_cents FROM sales")
    return str(sum(cents for its, day, cents in sales if its == shop and "2026-03-01" <= day <= "2026-03-31"))


def shop_turnover_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "read_query", query=TURNOVER)]
    return str(read_rows(answer)[0]["cents"])


def shop_turnover_hub(_: World) -> Steps:
    yield [look("query sqlite database")]
    (answer,) = yield [program(f'result = sqlite.read_query(query="{TURNOVER}")')]
    return str(read_rows(answer)[0]["cents"])


WARMEST = "SELECT sensor FROM 'files/readings.csv' GROUP BY sensor ORDER BY avg(celsius) DESC LIMIT 1"


def warmest_solved(world: World) -> str:
    values = defaultdict(list)
    for row in from_csv(world, "files/readings.csv"):
        values[row["sensor"]].append(float(row["celsius"]))
    return max(values, key=lambda sensor: fmean(values[sensor]))


def warmest_direct(_: World) -> Steps:
    (answer,) = yield [call("duckdb", "execute_query", sql=WARMEST)]
    return str(read_table(answer)[0]["sensor"])


def warmest_hub(_: World) -> Steps:
    yield [look("query a CSV file")]
    (answer,) = yield [program(f'result = duckdb.execute_query(sql="{WARMEST}")')]
    return str(read_table(answer)[0]["sensor"])


def staff_columns_solved(world: World) -> str:
    return json.dumps([name for _, name, *_ in world.query("PRAGMA table_info(employees)")])


def staff_columns_direct(_: World) -> Steps:
    (answer,) = yield [call("sqlite", "describe_table", table_name="employees")]
    return json.dumps([row["name"] for row in read_rows(answer)])


def staff_columns_hub(_: World) -> Steps:
    yield [look("columns of a table in sqlite")]
    (answer,) = yield [program('result = sqlite.describe_table(table_name="employees")')]
    return json.dumps([row["name"] for row in read_rows(answer)])


# --- medium: the tables are found first, and what is read decides what is asked next ---

BUSIEST = (
    "SELECT a.name, count(*) AS n FROM tickets t JOIN agents a ON a.id = t.agent_id "
    "WHERE t.status <> 'closed' AND t.priority = 'high' GROUP BY a.id ORDER BY n DESC LIMIT 2"
)


def busiest_solved(world: World) -> str:
    names: dict[int, str] = dict(world.query("SELECT id, name FROM agents"))
    every = world.query("SELECT agent_id, status, priority FROM tickets")
    counts = Counter(names[agent] for agent, status, priority in every if status != "closed" and priority == "high")
    return max(counts, key=lambda name: counts[name])


def busiest_direct(_: World) -> Steps:
    yield [call("sqlite", "read_query", query=SCHEMA)]
    (answer,) = yield [call("sqlite", "read_query", query=BUSIEST)]
    return str(read_rows(answer)[0]["name"])


def busiest_hub(_: World) -> Steps:
    yield [look("query sqlite database")]
    yield [program(f'result = sqlite.read_query(query="{SCHEMA}")')]
    (answer,) = yield [program(f'result = sqlite.read_query(query="{BUSIEST}")')]
    return str(read_rows(answer)[0]["name"])


DAILY = "files/daily_means.csv"
DAILY_HEADER = ["sensor", "day", "mean_celsius"]
FIRST_READINGS = "SELECT * FROM 'files/readings.csv' LIMIT 3"
COPY_DAILY = (
    "COPY (SELECT sensor, CAST(taken AS DATE) AS day, round(avg(celsius), 2) AS mean_celsius FROM 'files/readings.csv' "
    f"GROUP BY ALL ORDER BY sensor, day) TO '{DAILY}' (HEADER)"
)


def daily_means(world: World) -> list[Row]:
    values = defaultdict(list)
    for row in from_csv(world, "files/readings.csv"):
        values[row["sensor"], row["taken"][:10]].append(float(row["celsius"]))
    return [(*key, round(fmean(every), 2)) for key, every in sorted(values.items())]


def daily_means_solved(world: World) -> str:
    means = daily_means(world)
    world.write(DAILY, as_csv(DAILY_HEADER, means))
    return str(len(means))


def daily_means_right(world: World, answer: str) -> bool:
    header, *lines = list(csv.reader(io.StringIO(world.text(DAILY) or ""))) or [[]]
    means = daily_means(world)
    if header != DAILY_HEADER or [tuple(line[:2]) for line in lines] != [mean[:2] for mean in means]:
        return False
    near = all(abs(float(line[2]) - mean[2]) < 0.011 for line, mean in zip(lines, means, strict=True))
    return near and same_number(answer, len(means))


def daily_means_direct(_: World) -> Steps:
    yield [call("duckdb", "execute_query", sql=FIRST_READINGS)]
    (answer,) = yield [call("duckdb", "execute_query", sql=COPY_DAILY)]
    return str(read_table(answer)[0]["Count"])


def daily_means_hub(_: World) -> Steps:
    yield [look("SQL query over CSV files")]
    yield [program(f'result = duckdb.execute_query(sql="{FIRST_READINGS}")')]
    (answer,) = yield [program(f'result = duckdb.execute_query(sql="{COPY_DAILY}")')]
    return str(read_table(answer)[0]["Count"])


TASKS = (
    Task(
        name="shop-turnover",
        level=Level.SIMPLE,
        servers=frozenset({"sqlite"}),
        request=(
            "In our SQLite database the table shops has the columns id, name and city, the table sales id, shop_id, "
            "product_id, day (YYYY-MM-DD), pieces and amount_cents. What did the shop in Kiel turn over in March 2026, "
            "in cents? Answer with the number only."
        ),
        make=shops,
        solve=shop_turnover_solved,
        grade=as_number(shop_turnover_solved),
        wrong=(turnover("2026", "Kiel"), turnover("2026-03", "Bremen"), "There is no shop in Kiel."),
        direct=shop_turnover_direct,
        hub=shop_turnover_hub,
    ),
    Task(
        name="warmest-sensor",
        level=Level.SIMPLE,
        servers=frozenset({"duckdb"}),
        request=(
            "files/readings.csv has the columns sensor, taken and celsius. Which sensor has the highest mean over the "
            "whole file? Answer with the sensor's name only."
        ),
        make=sensors,
        solve=warmest_solved,
        grade=as_name(warmest_solved),
        wrong=("hall-00", "hall-13", "None of them."),
        direct=warmest_direct,
        hub=warmest_hub,
    ),
    Task(
        name="staff-columns",
        level=Level.SIMPLE,
        servers=frozenset({"sqlite"}),
        request=(
            "Which columns does the table employees in our SQLite database have? Answer with a JSON array of their "
            "names, in the table's order."
        ),
        make=pay,
        solve=staff_columns_solved,
        grade=as_value(staff_columns_solved),
        wrong=('["id", "name", "email"]', '["id", "name", "email", "department", "salary", "started", "badge"]', "[]"),
        direct=staff_columns_direct,
        hub=staff_columns_hub,
    ),
    Task(
        name="busiest-support-agent",
        level=Level.MEDIUM,
        servers=frozenset({"sqlite"}),
        request=(
            "Our support desk's data is in the SQLite database. Who has the most tickets of high priority "
            "that aren't closed yet? Answer with the person's full name only."
        ),
        make=tickets,
        solve=busiest_solved,
        grade=as_name(busiest_solved),
        wrong=("Anna Albers", "north", "I can't tell."),
        direct=busiest_direct,
        hub=busiest_hub,
    ),
    Task(
        name="sensor-daily-means",
        level=Level.MEDIUM,
        servers=frozenset({"duckdb"}),
        request=(
            "Make files/daily_means.csv from the hourly temperatures in files/readings.csv: the header "
            "sensor,day,mean_celsius, then a line for each sensor and day (YYYY-MM-DD) with the mean rounded to two "
            "decimals, sorted by sensor and day. Answer with the number of lines below the header, and only that."
        ),
        make=sensors,
        solve=daily_means_solved,
        grade=daily_means_right,
        wrong=("12", "2016", "85"),
        direct=daily_means_direct,
        hub=daily_means_hub,
    ),
)
