"""Tasks over the time server, alone and with files.

No time zone in them has daylight saving, so that the right answers are the same on every day.
"""

import json
import random
from datetime import datetime
from zoneinfo import ZoneInfo

from bench.graded.grading import same_json, same_set, same_text
from bench.graded.task import Answer, Call, Level, Steps, Task, call, look, program
from bench.graded.worlds import World


def converted(time: str, source: str, target: str) -> str:
    """What the clocks of one zone say, as HH:MM, when those of another one say that."""
    at = datetime.fromisoformat(f"2026-01-15T{time}").replace(tzinfo=ZoneInfo(source))
    return at.astimezone(ZoneInfo(target)).strftime("%H:%M")


def convert(time: str, source: str, target: str) -> Call:
    return call("time", "convert_time", time=time, source_timezone=source, target_timezone=target)


def clock(answer: Answer) -> str:
    """The HH:MM of an answer of convert_time."""
    return str(json.loads(answer.text)["target"]["datetime"])[11:16]


def rows_of(text: str) -> list[list[str]]:
    """A CSV file's rows, without its heading."""
    return [line.split(",") for line in text.strip().splitlines()[1:]]


# One time in another place.

CALL = ("15:20", "Asia/Kathmandu", "America/Sao_Paulo")


def call_time_solved(_: World) -> str:
    return converted(*CALL)


def call_time_direct(_: World) -> Steps:
    (answer,) = yield [convert(*CALL)]
    return clock(answer)


def call_time_hub(_: World) -> Steps:
    yield [look("convert time between time zones")]
    (answer,) = yield [
        program("""
done = time.convert_time(source_timezone="Asia/Kathmandu", time="15:20", target_timezone="America/Sao_Paulo")
result = done["target"]
""")
    ]
    return str(json.loads(answer.text)["datetime"])[11:16]


# A daily meeting's time for each of a team, written down.

MEETING = ("16:00", "Africa/Nairobi")
TEAM = {
    "Wanjiru": "Africa/Nairobi",
    "Adaeze": "Africa/Lagos",
    "Camila": "America/Bogota",
    "Rafael": "America/Sao_Paulo",
    "Meera": "Asia/Kolkata",
    "Haruto": "Asia/Tokyo",
}


def standup_made(world: World) -> None:
    world.write("files/team.json", json.dumps([{"name": name, "zone": zone} for name, zone in TEAM.items()], indent=2))


def standup_times() -> dict[str, str]:
    return {name: converted(*MEETING, zone) for name, zone in TEAM.items()}


def standup_written() -> str:
    return "name,time\n" + "".join(f"{name},{time}\n" for name, time in standup_times().items())


def outside(times: dict[str, str], first: str, last: str) -> list[str]:
    """Those whose time isn't from the first to the last, both included."""
    return [name for name, time in times.items() if not first <= time <= last]


def standup_solved(world: World) -> str:
    world.write("files/standup.csv", standup_written())
    return json.dumps(outside(standup_times(), "08:00", "18:00"))


def standup_graded(world: World, answer: str) -> bool:
    is_written = (world.text("files/standup.csv") or "").split() == standup_written().split()
    return is_written and same_set(answer, outside(standup_times(), "08:00", "18:00"))


def standup_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path="files/team.json")]
    team = json.loads(answer.text)
    answers = yield [convert(*MEETING, each["zone"]) for each in team]
    times = {each["name"]: clock(answer) for each, answer in zip(team, answers, strict=True)}
    text = "name,time\n" + "".join(f"{name},{time}\n" for name, time in times.items())
    yield [call("filesystem", "write_file", path="files/standup.csv", content=text)]
    return json.dumps(outside(times, "08:00", "18:00"))


SAMPLE = 'result = time.convert_time(time="16:00", source_timezone="Africa/Nairobi", target_timezone="Asia/Tokyo")'
"""A first program, which shows how the time server writes times."""


def standup_hub(_: World) -> Steps:
    yield [look("read a text file"), look("convert time between time zones"), look("write a file")]
    yield [program(SAMPLE)]
    (answer,) = yield [
        program("""
team = json.loads(filesystem.read_text_file(path="files/team.json")["content"])

def local(person):
    done = time.convert_time(time="16:00", source_timezone="Africa/Nairobi", target_timezone=person["zone"])
    return done["target"]["datetime"][11:16]

times = [(person["name"], local(person)) for person in team]
text = "name,time\\n" + "".join([f"{name},{at}\\n" for name, at in times])
filesystem.write_file(path="files/standup.csv", content=text)
result = [name for name, at in times if not "08:00" <= at <= "18:00"]
""")
    ]
    return answer.text


# Meetings at hours at which their guests don't work.

ZONES = (
    "Asia/Tokyo Asia/Kolkata Asia/Singapore Asia/Dubai Asia/Kathmandu Africa/Lagos Africa/Nairobi Africa/Johannesburg "
    "America/Bogota America/Lima America/Phoenix America/Sao_Paulo Australia/Brisbane Asia/Jakarta"
)
MEETINGS = "files/meetings.csv"


def meetings_made(world: World) -> None:
    rng = random.Random(52)
    lines = ["id,title,start,zone,guest_zone"]
    for number in range(1, 25):
        title = rng.choice(("Review", "Planning", "Interview", "Demo", "Contract talk", "Training"))
        zone, guest_zone = rng.sample(ZONES.split(), 2)
        lines.append(f"M{number:02},{title},{rng.randint(8, 17):02}:{rng.choice((0, 15, 30)):02},{zone},{guest_zone}")
    world.write(MEETINGS, "\n".join(lines) + "\n")


def meetings_solved(world: World) -> str:
    rows = rows_of(world.text(MEETINGS) or "")
    return json.dumps(outside({row[0]: converted(*row[2:]) for row in rows}, "09:00", "17:00"))


def meetings_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path=MEETINGS)]
    rows = rows_of(answer.text)
    answers = yield [convert(*row[2:]) for row in rows]
    times = {row[0]: clock(answer) for row, answer in zip(rows, answers, strict=True)}
    return json.dumps(outside(times, "09:00", "17:00"))


def meetings_hub(_: World) -> Steps:
    yield [look("read a text file"), look("convert time between time zones")]
    yield [program(SAMPLE)]
    (answer,) = yield [
        program("""
lines = filesystem.read_text_file(path="files/meetings.csv")["content"].strip().split("\\n")
meetings = [dict(zip(lines[0].split(","), line.split(","))) for line in lines[1:]]

def guest_time(m):
    done = time.convert_time(time=m["start"], source_timezone=m["zone"], target_timezone=m["guest_zone"])
    return done["target"]["datetime"][11:16]

times = parallel(guest_time, meetings)
result = [m["id"] for m, at in zip(meetings, times) if at < "09:00" or at > "17:00"]
""")
    ]
    return answer.text


# Offices' times, two of which are in zones that don't exist.

OFFICES = {
    "Bangalore": "Asia/Kolkata",
    "Chennai": "Asia/Calcuta",
    "Dubai": "Asia/Dubai",
    "Lima": "America/Lima",
    "Recife": "America/Recife",
    "Sao Paulo": "America/Sao_Paolo",
    "Lagos": "Africa/Lagos",
    "Brisbane": "Australia/Brisbane",
}
UNKNOWN = ("Chennai", "Sao Paulo")


def offices_made(world: World) -> None:
    world.write("files/offices.csv", "office,zone\n" + "".join(f"{name},{zone}\n" for name, zone in OFFICES.items()))


def offices_solved(_: World) -> str:
    known = {name: zone for name, zone in OFFICES.items() if name not in UNKNOWN}
    times = {name: converted("12:00", "Asia/Singapore", zone) for name, zone in known.items()}
    return json.dumps({name: times.get(name) for name in OFFICES})


def offices_direct(_: World) -> Steps:
    (answer,) = yield [call("filesystem", "read_text_file", path="files/offices.csv")]
    rows = rows_of(answer.text)
    answers = yield [convert("12:00", "Asia/Singapore", zone) for _, zone in rows]
    return json.dumps({row[0]: None if each.is_error else clock(each) for row, each in zip(rows, answers, strict=True)})


def offices_hub(_: World) -> Steps:
    yield [look("read a text file"), look("convert time between time zones")]
    (answer,) = yield [
        program("""
lines = filesystem.read_text_file(path="files/offices.csv")["content"].strip().split("\\n")
result = {}
for line in lines[1:]:
    office, zone = line.split(",")
    try:
        done = time.convert_time(time="12:00", source_timezone="Asia/Singapore", target_timezone=zone)
        result[office] = done["target"]["datetime"]
    except Exception as error:
        result[office] = f"failed: {error}"
""")
    ]
    said = {office: str(each) for office, each in json.loads(answer.text).items()}
    return json.dumps({office: None if "failed" in each else each[11:16] for office, each in said.items()})


TASKS = (
    Task(
        name="call-time",
        level=Level.SIMPLE,
        servers=frozenset({"time"}),
        request="The call is at 15:20 in Kathmandu (Asia/Kathmandu). What time is that in Sao Paulo "
        "(America/Sao_Paulo)? Answer as HH:MM only.",
        make=lambda _: None,
        solve=call_time_solved,
        grade=lambda world, answer: same_text(answer, call_time_solved(world)),
        wrong=("15:20", "12:05", "06:20"),
        direct=call_time_direct,
        hub=call_time_hub,
    ),
    Task(
        name="standup-times",
        level=Level.MEDIUM,
        servers=frozenset({"filesystem", "time"}),
        request="files/team.json is a list of objects with name and zone (a time zone). The daily meeting is at 16:00 "
        "in Nairobi (Africa/Nairobi). Write files/standup.csv, with the heading name,time and in the same order "
        "everybody's name and local time of the meeting (HH:MM). "
        "Answer with a JSON array of the names for whom it isn't between 08:00 and 18:00.",
        make=standup_made,
        solve=standup_solved,
        grade=standup_graded,
        wrong=("[]", '["Haruto"]', json.dumps(list(TEAM))),
        direct=standup_direct,
        hub=standup_hub,
    ),
    Task(
        name="meeting-hours",
        level=Level.HARD,
        servers=frozenset({"filesystem", "time"}),
        request=f"{MEETINGS} (columns id, title, start, zone, guest_zone; no quotes) lists meetings, each with its "
        "start on the clocks of zone. Which start before 09:00 or after 17:00 for the guest, who is in guest_zone? "
        "Answer with a JSON array of their ids.",
        make=meetings_made,
        solve=meetings_solved,
        grade=lambda world, answer: same_set(answer, json.loads(meetings_solved(world))),
        wrong=("[]", '["M01", "M02"]', json.dumps([f"M{number:02}" for number in range(1, 25)])),
        direct=meetings_direct,
        hub=meetings_hub,
    ),
    Task(
        name="unknown-zones",
        level=Level.EDGE,
        servers=frozenset({"filesystem", "time"}),
        request="What time is it at each office of files/offices.csv (columns office, zone) when it is 12:00 in "
        "Singapore (Asia/Singapore)? Answer with a JSON object from each office to the time as HH:MM, or to "
        "null if there is no such time zone as the file says.",
        make=offices_made,
        solve=offices_solved,
        grade=lambda world, answer: same_json(answer, json.loads(offices_solved(world))),
        wrong=("{}", json.dumps({name: converted("12:00", "Asia/Singapore", "Asia/Kolkata") for name in OFFICES})),
        direct=offices_direct,
        hub=offices_hub,
    ),
)
