"""Simple tasks over the small servers: one call each, where a hub has least to offer."""

from bench.graded.grading import same_number
from bench.graded.task import Level, Steps, Task, call, look, program
from bench.graded.worlds import World

LETTER = """\
Dear Ms Okafor,
your order 88-1290 left our warehouse today. The invoice is for 412.50 EUR, due on 14 February.
Kind regards, Lindqvist Papers
"""


def letter(world: World) -> None:
    world.write("files/letter.txt", LETTER)


def letter_amount_solved(_: World) -> str:
    return "412.50"


def letter_amount_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path="files/letter.txt")]
    return answer.text.partition("invoice is for ")[2].split()[0]


def letter_amount_hub(_: World) -> Steps:
    yield [look("read a text file")]
    (answer,) = yield [program('result = filesystem.read_text_file(path="files/letter.txt")["content"]')]
    return answer.text.partition("invoice is for ")[2].split()[0]


TASKS = (
    Task(
        name="letter-amount",
        level=Level.SIMPLE,
        servers=frozenset({"filesystem"}),
        request="What is the amount of the invoice in files/letter.txt? Answer with the number only.",
        make=letter,
        solve=letter_amount_solved,
        grade=lambda _, answer: same_number(answer, 412.5),
        wrong=("88", "412", "I could not find it."),
        direct=letter_amount_direct,
        hub=letter_amount_hub,
    ),
)
