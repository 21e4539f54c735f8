"""Tasks over the fixtures' shop, for the quick benchmark: three servers that every checkout has."""

import json
from typing import Any

from bench.graded.grading import same_json, same_number, same_set, same_text
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.worlds import World
from fixtures import shop

SERVERS = frozenset({"orders", "customers", "stock"})


def nothing(_: World) -> None:
    """The shop is the same at every start; its tasks only read."""


def city_solved(_: World) -> str:
    return shop.customers()["C-07"].city


def city_direct(_: World) -> Steps:
    (answer,) = yield [call("customers", "get_customer", customer_id="C-07")]
    return str(json.loads(answer.text)["city"])


def city_hub(_: World) -> Steps:
    yield [look("get a customer")]
    (answer,) = yield [program('result = customers.get_customer(customer_id="C-07")["city"]')]
    return answer.text


def credit_solved(_: World) -> str:
    order = shop.orders()["O-1030"]
    credit = shop.customers()[order.customer_id].credit_cents
    return str(max(order.total_cents - credit, 0))


def credit_direct(_: World) -> Steps:
    (answer,) = yield [call("orders", "get_order", order_id="O-1030")]
    order = json.loads(answer.text)
    asked = {"customer_id": order["customer_id"], "amount_cents": order["total_cents"]}
    (answer,) = yield [call("customers", "check_credit", **asked)]
    return str(json.loads(answer.text)["missing_cents"])


def credit_hub(_: World) -> Steps:
    yield [look("get an order"), look("check a customer's credit")]
    code = """
order = orders.get_order(order_id="O-1030")
check = customers.check_credit(customer_id=order["customer_id"], amount_cents=order["total_cents"])
result = check["missing_cents"]
"""
    (answer,) = yield [program(code)]
    return answer.text


def latest_solved(_: World) -> str:
    late = max(shop.orders().values(), key=lambda order: order.days_late)
    return shop.customers()[late.customer_id].contact.email


def latest_direct(_: World) -> Steps:
    (answer,) = yield [call("orders", "late_orders")]
    first = _values(answer.text)[0]
    (answer,) = yield [call("customers", "get_customer", customer_id=first["customer_id"])]
    return str(json.loads(answer.text)["contact"]["email"])


def latest_hub(_: World) -> Steps:
    yield [look("late orders"), look("get a customer")]
    code = """
late = orders.late_orders()
result = customers.get_customer(customer_id=late[0]["customer_id"])["contact"]["email"]
"""
    (answer,) = yield [program(code)]
    return answer.text


def revenue_solved(_: World) -> str:
    sums: dict[str, int] = {}
    for order in shop.orders().values():
        if order.status == "delivered":
            city = shop.customers()[order.customer_id].city
            sums[city] = sums.get(city, 0) + order.total_cents
    return json.dumps(sums)


def revenue_direct(_: World) -> Steps:
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while True:
        (answer,) = yield [call("orders", "list_orders", status="delivered", limit=50, **more)]
        page = json.loads(answer.text)
        found += page["orders"]
        if page["next_cursor"] is None:
            break
        more = {"cursor": page["next_cursor"]}
    (answer,) = yield [call("customers", "find_customers")]
    cities = {each["id"]: each["city"] for each in _values(answer.text)}
    sums: dict[str, int] = {}
    for order in found:
        city = cities[order["customer_id"]]
        sums[city] = sums.get(city, 0) + order["total_cents"]
    return json.dumps(sums)


def revenue_hub(_: World) -> Steps:
    yield [look("list orders by status"), look("find customers")]
    code = """
cities = {c["id"]: c["city"] for c in customers.find_customers()}
sums, cursor = {}, None
while True:
    page = orders.list_orders(status="delivered", limit=50, cursor=cursor)
    for o in page["orders"]:
        city = cities[o["customer_id"]]
        sums[city] = sums.get(city, 0) + o["total_cents"]
    cursor = page["next_cursor"]
    if not cursor:
        break
result = sums
"""
    (answer,) = yield [program(code)]
    return answer.text


def blocked_solved(_: World) -> str:
    empty = {level.product_id for level in shop.stock().values() if not sum(level.on_hand.values())}
    late = [order for order in shop.orders().values() if order.days_late]
    return json.dumps([order.id for order in late if any(line.product_id in empty for line in order.lines)])


def blocked_direct(_: World) -> Steps:
    (answer,) = yield [call("orders", "late_orders")]
    late = _values(answer.text)
    ids = sorted({line["product_id"] for order in late for line in order["lines"]})
    (answer,) = yield [call("stock", "stock_levels", product_ids=ids)]
    levels = json.loads(answer.text)
    empty = {name for name, level in levels.items() if not sum(level["on_hand"].values())}
    return json.dumps([o["order_id"] for o in late if any(line["product_id"] in empty for line in o["lines"])])


def blocked_hub(_: World) -> Steps:
    yield [look("late orders"), look("stock levels of products")]
    code = """
late = orders.late_orders()
levels = stock.stock_levels(product_ids=sorted({l["product_id"] for o in late for l in o["lines"]}))
empty = [p for p, level in levels.items() if sum(level["on_hand"].values()) == 0]
result = [o["order_id"] for o in late if any(l["product_id"] in empty for l in o["lines"])]
"""
    (answer,) = yield [program(code)]
    return answer.text


MISSING_ORDERS = ("O-1003", "O-1099", "O-1017")


def missing_solved(_: World) -> str:
    every = shop.orders()
    return json.dumps({name: every[name].status if name in every else None for name in MISSING_ORDERS})


def missing_direct(_: World) -> Steps:
    answers = yield [call("orders", "get_order", order_id=name) for name in MISSING_ORDERS]
    read = {
        name: None if answer.is_error else json.loads(answer.text)["status"]
        for name, answer in zip(MISSING_ORDERS, answers, strict=True)
    }
    return json.dumps(read)


def missing_hub(_: World) -> Steps:
    yield [look("get an order")]
    code = """
result = {}
for name in ["O-1003", "O-1099", "O-1017"]:
    try:
        result[name] = orders.get_order(order_id=name)["status"]
    except Exception:
        result[name] = None
"""
    (answer,) = yield [program(code)]
    return answer.text


def _values(text: str) -> list[dict[str, Any]]:
    """A list as the SDK's servers send it: one text block for each value."""
    decoder, values, place = json.JSONDecoder(), [], 0
    while place < len(text):
        value, place = decoder.raw_decode(text, place)
        values.append(value)
        while place < len(text) and text[place].isspace():
            place += 1
    return values[0] if len(values) == 1 and isinstance(values[0], list) else values


TASKS = (
    Task(
        name="shop-city",
        level=Level.SIMPLE,
        servers=SERVERS,
        request="In which city does customer C-07 live? Answer with the city only.",
        make=nothing,
        solve=city_solved,
        grade=lambda _, answer: same_text(answer, shop.customers()["C-07"].city),
        wrong=("Paris", "C-07"),
        direct=city_direct,
        hub=city_hub,
    ),
    Task(
        name="shop-credit",
        level=Level.MEDIUM,
        servers=SERVERS,
        request="By how many cents does order O-1030 exceed its customer's credit? Answer with the number only.",
        make=nothing,
        solve=credit_solved,
        grade=lambda world, answer: same_number(answer, int(credit_solved(world))),
        wrong=("1", "it doesn't"),
        direct=credit_direct,
        hub=credit_hub,
    ),
    Task(
        name="shop-latest",
        level=Level.MEDIUM,
        servers=SERVERS,
        request="What is the e-mail address of the customer whose order is the most late? Answer with the "
        "address only.",
        make=nothing,
        solve=latest_solved,
        grade=lambda world, answer: same_text(answer, latest_solved(world)),
        wrong=("ana.duarte@shop.example.org", "O-1003"),
        direct=latest_direct,
        hub=latest_hub,
    ),
    Task(
        name="shop-revenue",
        level=Level.HARD,
        servers=SERVERS,
        request="How much, in cents, did the delivered orders bring by the customers' city? Answer with a JSON object "
        "from city to cents.",
        make=nothing,
        solve=revenue_solved,
        grade=lambda world, answer: same_json(answer, json.loads(revenue_solved(world))),
        wrong=("{}", '{"Lisbon": 1}'),
        direct=revenue_direct,
        hub=revenue_hub,
    ),
    Task(
        name="shop-blocked",
        level=Level.HARD,
        servers=SERVERS,
        request="Which late orders hold a product of which no warehouse has any? Answer with a JSON array of "
        "order ids.",
        make=nothing,
        solve=blocked_solved,
        grade=lambda world, answer: same_set(answer, json.loads(blocked_solved(world))),
        wrong=("[]", '["O-1003"]'),
        direct=blocked_direct,
        hub=blocked_hub,
    ),
    Task(
        name="shop-missing",
        level=Level.EDGE,
        servers=SERVERS,
        request="What is the status of the orders O-1003, O-1099 and O-1017? Answer with a JSON object from id "
        "to status, null for an order that doesn't exist.",
        make=nothing,
        solve=missing_solved,
        grade=lambda world, answer: same_json(answer, json.loads(missing_solved(world))),
        wrong=('{"O-1003": null, "O-1099": null, "O-1017": null}', "O-1099 doesn't exist"),
        direct=missing_direct,
        hub=missing_hub,
    ),
)
