"""Questions that need a repository's history: who brought a line in, what changed most, what the branches hold."""

import csv
import json
import random
import re
from collections import Counter

from bench.graded.grading import same_json, same_set
from bench.graded.task import Level, Steps, Task, call, look, program, read
from bench.graded.tasks.repositories import AUTHORS, GIT, NOUNS, SUBJECTS, differing, edited, function, hashes, history
from bench.graded.worlds import World

SAMPLE = """
result = {
    "log": git.git_log(repo_path="repo", max_count=2),
    "shown": git.git_show(repo_path="repo", revision="HEAD"),
}
"""
"""A program that shows how a log and a commit look."""

FETCH = "src/orders/fetch.py"


def retries(world: World) -> None:
    rng = random.Random("retries")
    history(world, rng, SUBJECTS[:7])

    def fetching(subject: str, day: int, author: str, old: str, new: str) -> None:
        world.commit({FETCH: (world.text(f"repo/{FETCH}") or "").replace(old, new, 1)}, subject, day=day, author=author)

    start = '"""The fetch of orders."""\n'
    fetching("fix: Fetch again when it fails", 29, "Elif Kaya", start, f"{start}\nMAX_RETRIES = 3\n")
    world.commit({"docs/api.md": "# API\n\nFetching is tried again.\n"}, "docs: Retries", day=29, author="Femi Ade")
    fetching("fix: Fetch under load", 30, "Chidi Eze", "MAX_RETRIES = 3\n", "MAX_RETRIES = 5\nWAIT = 0.2\n")
    fetching("perf: Shorter waits between fetches", 31, "Grace Ito", "WAIT = 0.2\n", "WAIT = 0.1\n")


def line_origin_solved(world: World) -> str:
    found = world.git("log", "--reverse", "-S", "MAX_RETRIES = 5", "--format=%an\t%s", "--", FETCH).splitlines()[0]
    author, subject = found.split("\t")
    return json.dumps({"author": author, "subject": subject})


def line_origin_direct(_: World) -> Steps:
    (log,) = yield [call("git", "git_log", repo_path="repo", max_count=100)]
    entries = re.findall(r"Commit: (\w+)\nAuthor: (.+)\nDate: .+\nMessage: (.+)", log.text)
    likely = [entry for entry in entries if "fetch" in entry[2].lower()]
    shown = yield [call("git", "git_show", repo_path="repo", revision=entry[0]) for entry in likely]
    added = [entry for entry, each in zip(likely, shown, strict=True) if "\n+MAX_RETRIES = 5" in each.text]
    return json.dumps({"author": added[-1][1], "subject": added[-1][2]})


def line_origin_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    (answer,) = yield [
        program("""
result = {
    "log": git.git_log(repo_path="repo", max_count=100),
    "last": git.git_show(repo_path="repo", revision="HEAD"),
}
""")
    ]
    log = json.loads(answer.text)["log"]
    entries = re.findall(r"Commit: (\w+)\nAuthor: (.+)\nDate: .+\nMessage: (.+)", log)
    likely = [sha for sha, _, subject in entries if "fetch" in subject.lower()]
    (answer,) = yield [
        program(f"""
found = []
for sha in {json.dumps(likely)}:
    shown = git.git_show(repo_path="repo", revision=sha)
    if "\\n+MAX_RETRIES = 5" in shown:
        found.append(sha)
result = found
""")
    ]
    return next(
        json.dumps({"author": author, "subject": subject})
        for sha, author, subject in entries
        if sha == json.loads(answer.text)[-1]
    )


def redesign(world: World) -> None:
    rng = random.Random("redesign")
    history(world, rng, SUBJECTS[:12])
    world.git("checkout", "-q", "-b", "checkout-redesign", "main~3")
    world.commit({"src/orders/steps.py": f'"""Steps."""\n{function(rng)}{function(rng)}'}, "feat: Steps", day=20)
    for path in ("src/orders/checkout.py", "src/orders/cart.py", "docs/guide.md"):
        world.commit({path: edited(rng, path, world.text(f"repo/{path}") or "")}, f"feat: {path}", day=21)
    world.git("checkout", "-q", "-b", "docs-typos", "main")
    world.commit({"docs/install.md": "# Install\n\nWith pip.\n"}, "docs: Typos", day=22)


def compare_solved(world: World) -> str:
    return json.dumps(world.git("diff", "--name-only", "main", "checkout-redesign").split())


def compare_graded(world: World, answer: str) -> bool:
    as_before = world.git("branch", "--show-current").strip() == "docs-typos" and not world.git("status", "--short")
    return as_before and same_set(answer, json.loads(compare_solved(world)))


def compare_direct(_: World) -> Steps:
    (branches,) = yield [call("git", "git_branch", repo_path="repo", branch_type="local")]
    before = branches.text.partition("* ")[2].split()[0]
    yield [call("git", "git_checkout", repo_path="repo", branch_name="main")]
    (diff,) = yield [call("git", "git_diff", repo_path="repo", target="checkout-redesign", context_lines=0)]
    yield [call("git", "git_checkout", repo_path="repo", branch_name=before)]
    return json.dumps(differing(diff.text))


def compare_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    (answer,) = yield [
        program("""
branches = git.git_branch(repo_path="repo", branch_type="local")
diff = git.git_diff(repo_path="repo", target="main", context_lines=0)
result = [branches, str(diff)[:500]]
""")
    ]
    before = json.loads(answer.text)[0].partition("* ")[2].split()[0]
    (answer,) = yield [
        program(f"""
git.git_checkout(repo_path="repo", branch_name="main")
diff = git.git_diff(repo_path="repo", target="checkout-redesign", context_lines=0)
git.git_checkout(repo_path="repo", branch_name="{before}")
result = [line.split(" b/")[1] for line in diff.splitlines() if line.startswith("diff --git ")]
""")
    ]
    return answer.text


def busy(world: World) -> None:
    history(world, random.Random("busy"), SUBJECTS[:28])


def _changed(shown: str) -> list[str]:
    return re.findall(r"^\+\+\+ b/(.+)$", shown, re.MULTILINE)


def busiest_solved(world: World) -> str:
    paths = world.git("log", "--name-only", "--format=").split()
    ((path, commits),) = Counter(paths).most_common(1)
    return json.dumps({"file": path, "commits": commits})


def busiest_direct(_: World) -> Steps:
    (log,) = yield [call("git", "git_log", repo_path="repo", max_count=500)]
    shown = yield [call("git", "git_show", repo_path="repo", revision=sha) for sha in hashes(log.text)]
    ((path, commits),) = Counter(path for each in shown for path in _changed(each.text)).most_common(1)
    return json.dumps({"file": path, "commits": commits})


def busiest_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    yield [program(SAMPLE)]
    (answer,) = yield [
        program(r"""
from collections import Counter

log = git.git_log(repo_path="repo", max_count=500)
shas = re.findall(r"^Commit: (\w+)$", log, re.MULTILINE)

def changed(sha):
    shown = git.git_show(repo_path="repo", revision=sha)
    old = re.findall(r"^--- a/(.+)$", shown, re.MULTILINE)
    new = re.findall(r"^\+\+\+ b/(.+)$", shown, re.MULTILINE)
    return sorted(set(old + new))

counts = Counter()
for paths in parallel(changed, shas):
    counts.update(paths)
path, commits = counts.most_common(1)[0]
result = {"file": path, "commits": commits}
""")
    ]
    return answer.text


CHECKOUT = "src/orders/checkout.py"
BRANCHES = 24


def marked(world: World) -> None:
    rng = random.Random("marked")
    history(world, rng, SUBJECTS[:8])
    names = [re.sub(r"[^a-z]+", "-", subject.lower()).strip("-") for subject in SUBJECTS[-BRANCHES:]]
    for place, name in enumerate(names):
        world.git("checkout", "-q", "-b", name, f"main~{rng.randint(0, 4)}")
        path = rng.choice((CHECKOUT, CHECKOUT, "src/orders/cart.py", "src/orders/tax.py"))
        text = edited(rng, path, world.text(f"repo/{path}") or "")
        if rng.random() < 0.5:
            lines = text.splitlines(keepends=True)
            at = rng.choice([place for place, line in enumerate(lines) if "    return " in line])
            lines.insert(at, f"    # TODO: the {rng.choice(NOUNS)} of guests\n")
            text = "".join(lines)
        world.commit({path: text}, f"WIP on {name}", day=12 + place // 2, author=rng.choice(AUTHORS))
    world.git("checkout", "-q", "main")


def marked_solved(world: World) -> str:
    names = world.git("branch", "--format=%(refname:short)").split()
    return json.dumps([name for name in names if "TODO" in world.git("show", f"{name}:{CHECKOUT}")])


def marked_direct(_: World) -> Steps:
    (branches,) = yield [call("git", "git_branch", repo_path="repo", branch_type="local")]
    names = [line.strip("* ") for line in branches.text.splitlines() if line.strip()]
    shown = yield [call("git", "git_show", repo_path="repo", revision=f"{name}:{CHECKOUT}") for name in names]
    return json.dumps([name for name, each in zip(names, shown, strict=True) if "TODO" in each.text])


def marked_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    yield [
        program(f"""
result = {{
    "branches": git.git_branch(repo_path="repo", branch_type="local"),
    "file": git.git_show(repo_path="repo", revision="main:{CHECKOUT}"),
}}
""")
    ]
    (answer,) = yield [
        program(f"""
listed = git.git_branch(repo_path="repo", branch_type="local")
names = [line.strip("* ") for line in listed.splitlines() if line.strip()]

def has_todo(name):
    return "TODO" in git.git_show(repo_path="repo", revision=f"{{name}}:{CHECKOUT}")

result = [name for name, found in zip(names, parallel(has_todo, names)) if found]
""")
    ]
    return answer.text


TEAMS = {"Shop": (0, 4), "Billing": (1, 2, 6), "Platform": (3, 5)}


def teams(world: World) -> None:
    history(world, random.Random("teams"), SUBJECTS[:25])
    rows = sorted((AUTHORS[place], team) for team, places in TEAMS.items() for place in places)
    world.write("files/teams.csv", "author,team\n" + "".join(f"{author},{team}\n" for author, team in rows))


def _teams(text: str) -> dict[str, str]:
    return {row["author"]: row["team"] for row in csv.DictReader(text.splitlines())}


def teams_solved(world: World) -> str:
    team_of = _teams(world.text("files/teams.csv") or "")
    lines: Counter[str] = Counter()
    for line in world.git("log", "--numstat", "--format=by\t%an").splitlines():
        match line.split("\t"):
            case ["by", name]:
                author = name
            case [added, removed, _]:
                lines[team_of[author]] += int(added) + int(removed)
    return json.dumps(lines)


def _lines(shown: str) -> int:
    return len(re.findall(r"^(?:\+(?!\+\+ )|-(?!-- ))", shown, re.MULTILINE))


def teams_direct(_: World) -> Steps:
    log, file = yield [
        call("git", "git_log", repo_path="repo", max_count=500),
        call("filesystem", "read_text_file", path="files/teams.csv"),
    ]
    shown = yield [call("git", "git_show", repo_path="repo", revision=sha) for sha in hashes(log.text)]
    lines: Counter[str] = Counter()
    for each in shown:
        author = each.text.partition("Author: ")[2].partition(" <")[0]
        lines[_teams(file.text)[author]] += _lines(each.text)
    return json.dumps(lines)


def teams_hub(_: World) -> Steps:
    yield [read("servers/git.pyi"), look("read a text file")]
    yield [program(SAMPLE)]
    (answer,) = yield [
        program(r"""
rows = filesystem.read_text_file(path="files/teams.csv")["content"].strip().split("\n")[1:]
team_of = dict(row.split(",") for row in rows)
log = git.git_log(repo_path="repo", max_count=500)

def counted(sha):
    shown = git.git_show(repo_path="repo", revision=sha)
    author = re.search(r"^Author: (.+?) <", shown, re.MULTILINE).group(1)
    count = 0
    for line in shown.splitlines():
        if line[:1] in ("+", "-") and not line.startswith(("+++ ", "--- ")):
            count += 1
    return author, count

totals = {}
for author, count in parallel(counted, re.findall(r"^Commit: (\w+)$", log, re.MULTILINE)):
    team = team_of[author]
    totals[team] = totals.get(team, 0) + count
result = totals
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="origin-of-a-line",
        level=Level.MEDIUM,
        servers=GIT,
        request=f"Which commit brought the line `MAX_RETRIES = 5` into {FETCH} of the git repository repo? Answer with"
        ' JSON: {"author": its author\'s name, "subject": the first line of its message}.',
        make=retries,
        solve=line_origin_solved,
        grade=lambda world, answer: same_json(answer, json.loads(line_origin_solved(world))),
        wrong=(
            '{"author": "Elif Kaya", "subject": "fix: Fetch again when it fails"}',
            '{"author": "Grace Ito", "subject": "perf: Shorter waits between fetches"}',
        ),
        direct=line_origin_direct,
        hub=line_origin_hub,
    ),
    Task(
        name="compare-two-branches",
        level=Level.MEDIUM,
        servers=GIT,
        request="Which files differ between the tips of the branches main and checkout-redesign of the git repository"
        " repo? The branch that is checked out now must be checked out in the end too. Answer with a JSON array of the"
        " paths.",
        make=redesign,
        solve=compare_solved,
        grade=compare_graded,
        wrong=('["docs/guide.md", "src/orders/cart.py", "src/orders/checkout.py", "src/orders/steps.py"]', "[]"),
        direct=compare_direct,
        hub=compare_hub,
    ),
    Task(
        name="most-changed-file",
        level=Level.HARD,
        servers=GIT,
        request="Which file was changed by the most commits in the whole history of the checked-out branch of the git"
        ' repository repo, and by how many? Answer with JSON: {"file": path, "commits": number}.',
        make=busy,
        solve=busiest_solved,
        grade=lambda world, answer: same_json(answer, json.loads(busiest_solved(world))),
        wrong=('{"file": "src/orders/tax.py", "commits": 10}', '{"file": "src/orders/cart.py", "commits": 12}', "[]"),
        direct=busiest_direct,
        hub=busiest_hub,
    ),
    Task(
        name="branches-with-todo",
        level=Level.HARD,
        servers=GIT,
        request=f"In which local branches of the git repository repo does {CHECKOUT} contain the word TODO? Answer with"
        " a JSON array of the branches' names.",
        make=marked,
        solve=marked_solved,
        grade=lambda world, answer: same_set(answer, json.loads(marked_solved(world))),
        wrong=('["main"]', "[]", "I found 7 branches."),
        direct=marked_direct,
        hub=marked_hub,
    ),
    Task(
        name="changed-lines-by-team",
        level=Level.HARD,
        servers=GIT | {"filesystem"},
        request="How many lines did each team change in the whole history of the checked-out branch of the git"
        " repository repo, added and removed lines together? files/teams.csv, a CSV with the columns author and team,"
        ' says who is in which. Answer with a JSON object: {"TEAM": lines, ...}.',
        make=teams,
        solve=teams_solved,
        grade=lambda world, answer: same_json(answer, json.loads(teams_solved(world))),
        wrong=('{"Shop": 100, "Billing": 100, "Platform": 100}', "{}", '{"Ada Park": 40}'),
        direct=teams_direct,
        hub=teams_hub,
    ),
)
