"""Tasks over the calculator and the everything server, alone and with files."""

import json
import random

from bench.graded.grading import same_json, same_number
from bench.graded.task import Level, Steps, Task, call, look, program, read
from bench.graded.worlds import World

# One calculation.

LOAN = "18400 * (1 + 0.0385 / 12) ** (12 * 7)"


def loan_solved(_: World) -> str:
    return f"{18400 * (1 + 0.0385 / 12) ** (12 * 7):.2f}"


def loan_direct(_: World) -> Steps:
    (answer,) = yield [call("calculator", "calculate", expression=LOAN)]
    return f"{float(answer.text):.2f}"


def loan_hub(_: World) -> Steps:
    yield [look("calculate an expression")]
    (answer,) = yield [program(f'result = calculator.calculate(expression="{LOAN}")')]
    return f"{float(answer.text):.2f}"


# The everything server's sample weather, compared and noted.

WEATHER = {
    "New York": (33, "Cloudy"),
    "Chicago": (36, "Light rain / drizzle"),
    "Los Angeles": (73, "Sunny / Clear"),
}
"""What that server says of each city, always."""
WARMEST = "files/warmest.txt"


def warmest_line() -> str:
    city = max(WEATHER, key=lambda each: WEATHER[each][0])
    return f"{city}: {WEATHER[city][0]}, {WEATHER[city][1]}"


def warmest_spread() -> int:
    degrees = [each for each, _ in WEATHER.values()]
    return max(degrees) - min(degrees)


def warmest_solved(world: World) -> str:
    world.write(WARMEST, warmest_line() + "\n")
    return str(warmest_spread())


def warmest_graded(world: World, answer: str) -> bool:
    return same_number(answer, warmest_spread()) and (world.text(WARMEST) or "").strip() == warmest_line()


def warmest_direct(_: World) -> Steps:
    answers = yield [call("everything", "get-structured-content", location=city) for city in WEATHER]
    said = {city: json.loads(answer.text) for city, answer in zip(WEATHER, answers, strict=True)}
    degrees = {city: each["temperature"] for city, each in said.items()}
    warmest = max(degrees, key=lambda city: degrees[city])
    line = f"{warmest}: {degrees[warmest]}, {said[warmest]['conditions']}"
    yield [call("filesystem", "write_file", path=WARMEST, content=line + "\n")]
    return str(max(degrees.values()) - min(degrees.values()))


def warmest_hub(_: World) -> Steps:
    weather, _written = yield [look("sample weather of a city"), look("write a file")]
    if "get_structured_content" not in weather.text:
        yield [read("servers/everything.pyi")]
    (answer,) = yield [
        program("""
cities = ["New York", "Chicago", "Los Angeles"]
weather = {city: everything.get_structured_content(location=city) for city in cities}
ordered = sorted(cities, key=lambda city: weather[city]["temperature"])
warmest, coldest = weather[ordered[-1]], weather[ordered[0]]
line = f"{ordered[-1]}: {warmest['temperature']}, {warmest['conditions']}"
filesystem.write_file(path="files/warmest.txt", content=line + "\\n")
result = warmest["temperature"] - coldest["temperature"]
""")
    ]
    return answer.text


# A quote's total, added to it.

QUOTE = "files/quote.txt"


def quote_made(world: World) -> None:
    rng = random.Random(51)
    items = ("Desk lamp", "Swivel chair", "Standing desk", "Cable tray", "Whiteboard", "Coat rack", "Bin", "Shelf")
    lines = [f"{rng.randint(2, 24)};{rng.randint(900, 39900) / 100:.2f};{item}" for item in items]
    world.write(QUOTE, "\n".join(lines) + "\n")


def quote_total(text: str) -> str:
    priced = [line.split(";") for line in text.splitlines() if not line.startswith("TOTAL")]
    cents = sum(int(quantity) * round(float(price) * 100) for quantity, price, _ in priced)
    return f"{cents * 0.925 * 1.19 / 100:.2f}"


def quote_solved(world: World) -> str:
    text = world.text(QUOTE) or ""
    world.write(QUOTE, f"{text}TOTAL;{quote_total(text)}\n")
    return quote_total(text)


def quote_graded(world: World, answer: str) -> bool:
    text = (world.text(QUOTE) or "").strip()
    items, _, last = text.rpartition("\n")
    is_whole = len(items.splitlines()) == 8 and "TOTAL" not in items
    return is_whole and last == f"TOTAL;{quote_total(items)}" and same_number(answer, float(quote_total(items)))


def quote_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path=QUOTE)]
    text = answer.text.strip()
    parts = " + ".join("{} * {}".format(*line.split(";")) for line in text.splitlines())
    (answer,) = yield [call("calculator", "calculate", expression=f"({parts}) * (1 - 0.075) * 1.19")]
    total = f"{float(answer.text):.2f}"
    yield [call("filesystem", "write_file", path=QUOTE, content=f"{text}\nTOTAL;{total}\n")]
    return total


def quote_hub(_: World) -> Steps:
    yield [look("read a text file"), look("calculate an expression"), look("write a file")]
    (answer,) = yield [
        program("""
lines = filesystem.read_text_file(path="files/quote.txt")["content"].strip().split("\\n")
parts = [line.split(";") for line in lines]
total = " + ".join([f"{p[0]} * {p[1]}" for p in parts])
result = calculator.calculate(expression=f"({total}) * (1 - 0.075) * 1.19")
""")
    ]
    total = f"{float(answer.text):.2f}"
    yield [
        program(f"""
text = filesystem.read_text_file(path="files/quote.txt")["content"].strip()
filesystem.write_file(path="files/quote.txt", content=text + "\\nTOTAL;{total}\\n")
result = "written"
""")
    ]
    return total


# Formulas, two of which can't be worked out.

FORMULAS: tuple[tuple[str, str, float | None], ...] = (
    ("gross_margin", "(48200 - 31750) / 48200 * 100", (48200 - 31750) / 48200 * 100),
    ("break_even_units", "18400 / (29.90 - 17.35)", 18400 / (29.90 - 17.35)),
    ("churn_rate", "37 / 1240 * 100", 37 / 1240 * 100),
    ("cost_per_lead", "5600 / (48 - 48)", None),
    ("growth", "(1.032 ** 4 - 1) * 100", (1.032**4 - 1) * 100),
    ("average_basket", "91244.60 / 2817", 91244.60 / 2817),
    ("stock_turn", "31750 / ((8200 + 7400) / 2", None),
    ("safety_stock", "1.65 * sqrt(12) * 41.5", 1.65 * 12**0.5 * 41.5),
    ("present_value", "12500 / (1 + 0.06) ** 5", 12500 / (1 + 0.06) ** 5),
)


def formulas_made(world: World) -> None:
    world.write("files/formulas.txt", "".join(f"{name} = {formula}\n" for name, formula, _ in FORMULAS))


def formulas_solved(_: World) -> str:
    return json.dumps({name: None if value is None else round(value, 2) for name, _, value in FORMULAS})


def formulas_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path="files/formulas.txt")]
    pairs = [line.split(" = ") for line in answer.text.strip().splitlines()]
    answers = yield [call("calculator", "calculate", expression=formula) for _, formula in pairs]
    values = [None if each.is_error else round(float(each.text), 2) for each in answers]
    return json.dumps(dict(zip([name for name, _ in pairs], values, strict=True)))


def formulas_hub(_: World) -> Steps:
    yield [look("read a text file"), look("calculate an expression")]
    (answer,) = yield [
        program("""
values = {}
for line in filesystem.read_text_file(path="files/formulas.txt")["content"].strip().split("\\n"):
    name, formula = line.split(" = ")
    try:
        values[name] = calculator.calculate(expression=formula)
    except Exception:
        values[name] = None
result = values
""")
    ]
    values = json.loads(answer.text)
    return json.dumps({name: None if value is None else round(float(value), 2) for name, value in values.items()})


TASKS = (
    Task(
        name="loan-balance",
        level=Level.SIMPLE,
        servers=frozenset({"calculator"}),
        request="What do 18400 EUR come to in 7 years at 3.85 % a year, compounded every month? "
        "Answer with the amount only, to the cent.",
        make=lambda _: None,
        solve=loan_solved,
        grade=lambda world, answer: same_number(answer, float(loan_solved(world))),
        wrong=("18400", "23358.80", "23970.65"),
        direct=loan_direct,
        hub=loan_hub,
    ),
    Task(
        name="warmest-city",
        level=Level.MEDIUM,
        servers=frozenset({"everything", "filesystem"}),
        request=f"The everything server has sample weather for New York, Chicago and Los Angeles. Write that of the "
        f"warmest of them to {WARMEST}, as one line like 'Paris: 21, Cloudy'. "
        "Answer with the degrees between the warmest and the coldest, the number only.",
        make=lambda _: None,
        solve=warmest_solved,
        grade=warmest_graded,
        wrong=("37", "73", "Los Angeles"),
        direct=warmest_direct,
        hub=warmest_hub,
    ),
    Task(
        name="quote-total",
        level=Level.MEDIUM,
        servers=frozenset({"filesystem", "calculator"}),
        request=f"Each line of {QUOTE} is QUANTITY;UNIT PRICE;ITEM. Work out the total, less 7.5 % discount, plus 19 % "
        "tax, and add it to the file's end as the line TOTAL;AMOUNT, to the cent. Answer with the amount only.",
        make=quote_made,
        solve=quote_solved,
        grade=quote_graded,
        wrong=("0", "8", "The total is in the file."),
        direct=quote_direct,
        hub=quote_hub,
    ),
    Task(
        name="failing-formulas",
        level=Level.EDGE,
        servers=frozenset({"filesystem", "calculator"}),
        request="Each line of files/formulas.txt is NAME = FORMULA. Calculate them as they stand. Answer with a JSON "
        "object from each name to the value, rounded to two decimals, or to null if it can't be calculated.",
        make=formulas_made,
        solve=formulas_solved,
        grade=lambda world, answer: same_json(answer, json.loads(formulas_solved(world))),
        wrong=("{}", json.dumps({name: value for name, _, value in FORMULAS if value is not None}), "Two failed."),
        direct=formulas_direct,
        hub=formulas_hub,
    ),
)
