"""What the recorded sessions do: a small repository, a task in it with two questions, and the model's turns.

The repository is the same commit wherever it is made: its files, author and date are fixed. The model is a script, so
it says the same in each run; a real one words its turns anew, and that costs hits which are counted here.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.clients.stand_in import Answer, Text, ToolUse

GIT_SECONDS = 30.0
"""For one git; it takes milliseconds."""

FILES = {
    ".gitignore": "__pycache__/\n",
    "CLAUDE.md": "Prices are in euro cents. Run the tests with `python3 -m unittest -q`.\n",
    "shop/__init__.py": "",
    "shop/prices.py": '''"""Prices of a basket, in euro cents."""

DISCOUNTS = {"standard": 0, "silver": 5, "gold": 10}


def discounted(cents: int, tier: str) -> int:
    """The price for a customer of this tier."""
    return cents - cents * DISCOUNTS[tier] // 100


def total(basket: list[tuple[int, int]], tier: str) -> int:
    """The sum of a basket of (cents, quantity)."""
    return discounted(sum(discounted(cents, tier) * quantity for cents, quantity in basket), tier)
''',
    "shop/baskets.py": '''"""Baskets: what a customer wants to buy."""

from shop.prices import total


def receipt(basket: list[tuple[int, int]], tier: str) -> str:
    """The last line of a receipt."""
    return f"Total: {total(basket, tier) / 100:.2f} EUR"
''',
    "tests/__init__.py": "",
    "tests/test_prices.py": """import unittest

from shop.prices import discounted, total


class Prices(unittest.TestCase):
    def test_gold_customers_pay_a_tenth_less(self) -> None:
        self.assertEqual(discounted(1_000, "gold"), 900)

    def test_a_basket_is_discounted_once(self) -> None:
        self.assertEqual(total([(1_000, 2), (500, 1)], "gold"), 2_250)

    def test_many_baskets(self) -> None:
        for quantity in range(200_000):
            self.assertEqual(total([(100, quantity)], "standard"), 100 * quantity)
""",
}

TASK = (
    "Gold customers get their discount twice in shop/prices.py. Fix it and run the tests. "
    "Then tell me how many late orders of gold customers there are."
)
FOLLOW_UP = "Which file did you change, and why?"
QUESTION = "What does the HTTP status 402 mean?"

TESTS = "python3 -m unittest -q"

LATE_ORDERS = """\
late = orders.late_orders()
gold = []
for order in late:
    if customers.get_customer(customer_id=order["customer_id"])["tier"] == "gold":
        gold.append(order["order_id"])
result = gold
"""

TWICE = "    return discounted(sum(discounted(cents, tier) * quantity for cents, quantity in basket), tier)"
ONCE = "    return sum(discounted(cents, tier) * quantity for cents, quantity in basket)"


def task_turns(folder: Path, *, times: bool = True) -> list[Answer]:
    """What the model does with the task, in a session that works in `folder`.

    `times`: whether the tests tell how long they took, as test runners do.
    """
    prices = str(folder / "shop/prices.py")
    command = TESTS if times else f"{TESTS} 2>&1 | tail -n 1"
    test = ToolUse("Bash", {"command": command, "description": "Run the tests"})
    return [
        ToolUse("Bash", {"command": "git grep -n discounted", "description": "Find uses of discounted"}),
        ToolUse("Read", {"file_path": prices}),
        ToolUse("Read", {"file_path": str(folder / "tests/test_prices.py")}),
        test,
        ToolUse("Edit", {"file_path": prices, "old_string": TWICE, "new_string": ONCE}),
        test,
        ToolUse("Bash", {"command": "git diff --stat", "description": "Look at the change"}),
        ToolUse("getToolDocs", {"server": "orders", "tool": "late_orders"}),
        ToolUse("executeToolCode", {"code": "result = orders.late_orders()[:2]\n"}),
        ToolUse("executeToolCode", {"code": LATE_ORDERS}),
        ToolUse("executeToolCode", {"code": LATE_ORDERS.replace("result = gold", "result = len(gold)")}),
        Text("The discount was applied twice in `total`; now it is applied once, and the tests pass."),
    ]


def follow_up_turns() -> list[Answer]:
    """What the model says when it is asked again in the same conversation."""
    return [Text("shop/prices.py: `total` applied the discount to each price and once more to the sum.")]


def question_turns() -> list[Answer]:
    """What the model says to a question in a conversation of its own."""
    return [Text("402 means Payment Required: the server wants to be paid before it answers.")]


@dataclass(frozen=True)
class Repository:
    """A small repository in `folder`, which is made by `make` and is the same commit everywhere."""

    folder: Path

    def make(self) -> "Repository":
        """Write the files and commit them."""
        for name, text in FILES.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self._git("init", "--quiet", "--initial-branch", "main")
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "Prices of a basket")
        return self

    def clone(self, folder: Path) -> "Repository":
        """A clone in another folder."""
        self._git("clone", "--quiet", str(self.folder), str(folder))
        other = Repository(folder)
        other._git("remote", "remove", "origin")
        return other

    def reset(self) -> None:
        """Undo what a session did; what is ignored stays."""
        self._git("checkout", "--quiet", "--", ".")
        self._git("clean", "--quiet", "-fd")

    def _git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            stdin=subprocess.DEVNULL,
            env=_environ(),
            timeout=GIT_SECONDS,
            check=True,
        )


def _environ() -> dict[str, str]:
    """Of a git whose commits are the same everywhere."""
    who = {f"GIT_{role}_{what}": "shop@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    when = {f"GIT_{role}_DATE": "2026-04-01T12:00:00Z" for role in ("AUTHOR", "COMMITTER")}
    apart = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return {**os.environ, **who, **when, **apart}
