"""Questions about a repository: what a commit, a branch, or a file at a branch says; and one diff that is huge.

The service that the other tasks on repositories are about is made here too: its files, and commits that edit them.
"""

import base64
import json
import random
import re
from collections.abc import Generator, Mapping, Sequence

from bench.graded.grading import same_number, same_set, same_text
from bench.graded.task import Answer, Call, Level, Steps, Task, call, look, program, read
from bench.graded.worlds import World

GIT = frozenset({"git"})
AUTHORS = ("Ada Park", "Bo Lind", "Chidi Eze", "Dana Wolff", "Elif Kaya", "Femi Ade", "Grace Ito")
VERBS = ("check", "count", "round", "apply", "load", "format", "merge", "split", "price", "limit")
NOUNS = ("discount", "voucher", "delivery", "refund", "invoice", "deposit", "surcharge", "weight", "address", "quota")
MODULES = ("cart", "checkout", "export", "fetch", "pricing", "stock", "tax")

APP = """\
[server]
host = "0.0.0.0"
port = 8080
timeout = 30
workers = 4

[stock]
url = "http://stock.internal:9000"
cache_seconds = 120
"""

REQUIREMENTS = {
    "fastapi": "0.115.6",
    "httpx": "0.27.2",
    "jinja2": "3.1.4",
    "orjson": "3.10.12",
    "pydantic": "2.10.3",
    "python-dateutil": "2.9.0",
    "sqlalchemy": "2.0.36",
    "uvicorn": "0.32.1",
}

SUBJECTS = (
    "feat: Vouchers for single articles",
    "fix: Round the tax once per line",
    "docs: How an export is asked for",
    "fix: An empty cart has no delivery fee",
    "chore: Sort the imports",
    "feat: Partial refunds",
    "feat: Deposits on bottles",
    "fix: Refuse a negative quantity",
    "perf: Load the stock in one query",
    "docs: The fields of an order",
    "fix: Keep the voucher when the address changes",
    "chore: Newer linters",
    "feat: Delivery to parcel lockers",
    "fix: Weights are grams everywhere",
    "feat: Invoices for guests",
    "docs: Limits of the API",
    "fix: The surcharge of islands",
    "perf: Format invoices once",
    "chore: Shorter log lines",
    "feat: Quotas for wholesale customers",
    "fix: A refund never exceeds the price",
    "docs: Spelling",
    "feat: Export as CSV",
    "fix: Split orders keep their discount",
    "chore: Drop unused settings",
    "fix: Stock below zero is an error",
    "feat: Discounts by weekday",
    "docs: Installing behind a proxy",
    "fix: Time out when the bank is slow",
    "perf: Cache tax rates",
)
"""Subjects of commits, each with its prefix."""


def function(rng: random.Random) -> str:
    """A short Python function of the service."""
    verb, noun, number = rng.choice(VERBS), rng.choice(NOUNS), rng.randint(2, 90)
    return (
        f"\n\ndef {verb}_{noun}_{number}(order: dict) -> float:\n"
        f'    """{verb.capitalize()} the {noun} of an order."""\n'
        f"    factor = {rng.randint(2, 400)}\n"
        f'    return order.get("{noun}", 0) * factor\n'
    )


def sentences(rng: random.Random) -> str:
    """A paragraph of the service's documentation."""
    verb, noun = rng.choice(VERBS), rng.choice(NOUNS)
    return (
        f"\nThe service can {verb} a {noun} of up to {rng.randint(50, 900)} EUR.\nIt takes {rng.randint(2, 60)} ms.\n"
    )


def service(rng: random.Random) -> dict[str, str]:
    """The files of the service, by their paths."""
    files = {f"src/orders/{name}.py": f'"""The {name} of orders."""\n' for name in MODULES}
    files = {path: text + "".join(function(rng) for _ in range(5)) for path, text in files.items()}
    for name in ("api", "guide", "install"):
        files[f"docs/{name}.md"] = f"# {name.capitalize()}\n" + "".join(sentences(rng) for _ in range(6))
    files["config/app.toml"] = APP
    files["requirements.txt"] = required(REQUIREMENTS)
    return files


def required(versions: Mapping[str, str]) -> str:
    """The text of a requirements.txt."""
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def edited(rng: random.Random, path: str, text: str) -> str:
    """A file's text with one to three of its numbers raised, or with something new at its end."""
    if rng.random() < 0.4:
        return text + (sentences(rng) if path.endswith(".md") else function(rng))
    lines = text.splitlines(keepends=True)
    places = [place for place, line in enumerate(lines) if re.search(r"= \d+$| \d+ (EUR|ms)\.$", line.rstrip())]
    for place in rng.sample(places, rng.randint(1, 3)):
        lines[place] = re.sub(r"\d+", lambda found: str(int(found[0]) + rng.randint(1, 40)), lines[place], count=1)
    return "".join(lines)


def history(world: World, rng: random.Random, subjects: Sequence[str]) -> None:
    """Commit the service, then edit one to three of its modules and documents under each of the subjects."""
    world.commit(service(rng), "Set up the service", day=2)
    paths = [f"docs/{name}.md" for name in ("api", "guide", "install")] + [f"src/orders/{name}.py" for name in MODULES]
    for place, subject in enumerate(subjects):
        chosen = sorted(set(rng.choices(paths, weights=range(1, len(paths) + 1), k=rng.randint(1, 3))))
        files = {path: edited(rng, path, world.text(f"repo/{path}") or "") for path in chosen}
        world.commit(files, subject, day=3 + place * 26 // len(subjects), author=rng.choice(AUTHORS))


def first(pattern: str, text: str) -> str:
    """What a pattern's only group finds first, a line's ends being ends."""
    return str(re.findall(pattern, text, re.MULTILINE)[0])


def hashes(log: str) -> list[str]:
    """The hashes in what git_log answers."""
    return re.findall(r"^Commit: (\w+)$", log, re.MULTILINE)


def differing(diff: str) -> list[str]:
    """The paths in what git_diff answers."""
    return re.findall(r"^diff --git a/\S+ b/(\S+)$", diff, re.MULTILINE)


def found(query: str, *tools: str) -> Generator[Sequence[Call], Sequence[Answer], None]:
    """Look tools of the git server up in plain words, and where that doesn't show them, in the server's file."""
    (answer,) = yield [look(query)]
    if any(f"git: def {tool}(" not in answer.text for tool in tools):
        yield [read("servers/git.pyi")]


def month(world: World) -> None:
    rng = random.Random("month")
    history(world, rng, SUBJECTS)
    for place, name in enumerate(("export-csv", "guest-invoices", "parcel-lockers", "tax-cache")):
        world.git("branch", name, f"HEAD~{3 * place + 1}")
    world.git("checkout", "-q", "parcel-lockers")
    world.commit({"docs/guide.md": "# Guide\n\nLockers are places.\n"}, "docs: Lockers", day=29, author="Femi Ade")


def last_author_solved(world: World) -> str:
    return world.git("log", "-1", "--format=%an").strip()


def last_author_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_log", repo_path="repo", max_count=1)]
    return answer.text.partition("Author: ")[2].splitlines()[0]


def last_author_hub(_: World) -> Steps:
    yield from found("latest git commit", "git_log")
    (answer,) = yield [program('result = git.git_log(repo_path="repo", max_count=1)')]
    return answer.text.partition("Author: ")[2].partition("\\n")[0].splitlines()[0]


def branch_out_solved(world: World) -> str:
    return world.git("branch", "--show-current").strip()


def branch_out_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_branch", repo_path="repo", branch_type="local")]
    return answer.text.partition("* ")[2].split()[0]


def branch_out_hub(_: World) -> Steps:
    yield from found("current git branch", "git_branch")
    (answer,) = yield [program('result = git.git_branch(repo_path="repo", branch_type="local")')]
    return first(r"\* ([\w-]+)", answer.text)


FORTNIGHT = {"start_timestamp": "2026-01-12T00:00:00", "end_timestamp": "2026-01-25T23:59:59"}


def fortnight_solved(world: World) -> str:
    days = world.git("log", "--format=%ad", "--date=short").split()
    return str(sum("2026-01-12" <= day <= "2026-01-25" for day in days))


def fortnight_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_log", repo_path="repo", max_count=500, **FORTNIGHT)]
    return str(len(hashes(answer.text)))


def fortnight_hub(_: World) -> Steps:
    yield from found("git commits between dates", "git_log")
    start, end = FORTNIGHT.values()
    asked = f'repo_path="repo", max_count=500, start_timestamp="{start}", end_timestamp="{end}"'
    (answer,) = yield [program(f"result = git.git_log({asked})")]
    return str(answer.text.count("Commit: "))


def releases(world: World) -> None:
    rng = random.Random("releases")
    history(world, rng, SUBJECTS[:6])
    world.commit({"config/app.toml": APP.replace("= 30", "= 20")}, "chore: Release 1.1", day=10)
    world.git("branch", "release-1.1")
    newer = {**REQUIREMENTS, "httpx": "0.28.1", "prometheus-client": "0.21.1", "redis": "5.2.1", "uvicorn": "0.34.0"}
    newer["tenacity"] = "9.0.0"
    del newer["jinja2"]
    config = APP.replace("= 30", "= 25").replace("= 120", "= 60")
    world.commit({"requirements.txt": required(newer), "config/app.toml": config}, "feat: Metrics", day=15)
    world.commit({"README.md": "The orders service, release 1.2.\n"}, "chore: Release 1.2", day=16)
    world.git("branch", "release-1.2")
    config = config.replace("= 25", "= 45")
    world.commit({"requirements.txt": required({**newer, "boto3": "1.35.90"}), "config/app.toml": config}, "S3", day=20)


def old_timeout_solved(world: World) -> str:
    return first(r"^timeout = (\d+)", world.git("show", "release-1.1:config/app.toml"))


def old_timeout_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_show", repo_path="repo", revision="release-1.1:config/app.toml")]
    return first(r"timeout = (\d+)", answer.text)


def old_timeout_hub(_: World) -> Steps:
    yield from found("read a file on a git branch", "git_show")
    (answer,) = yield [program('result = git.git_show(repo_path="repo", revision="release-1.1:config/app.toml")')]
    return first(r"timeout = (\d+)", answer.text)


def _packages(text: str) -> list[str]:
    return re.findall(r"([a-z][a-z0-9-]*)==", text.replace("\\n", "\n"))


def new_packages_solved(world: World) -> str:
    older, newer = (_packages(world.git("show", f"release-1.{minor}:requirements.txt")) for minor in (1, 2))
    return json.dumps(sorted(set(newer) - set(older)))


def new_packages_direct(_: World) -> Steps:
    older, newer = yield [
        call("git", "git_show", repo_path="repo", revision=f"release-1.{minor}:requirements.txt") for minor in (1, 2)
    ]
    return json.dumps(sorted(set(_packages(newer.text)) - set(_packages(older.text))))


def new_packages_hub(_: World) -> Steps:
    yield from found("show a file on a git branch", "git_show")
    (answer,) = yield [
        program("""
result = [
    git.git_show(repo_path="repo", revision="release-1.1:requirements.txt"),
    git.git_show(repo_path="repo", revision="release-1.2:requirements.txt"),
]
""")
    ]
    older, newer = json.loads(answer.text)
    return json.dumps(sorted(set(_packages(newer)) - set(_packages(older))))


def _lock(versions: Mapping[str, str]) -> str:
    packages = {
        f"node_modules/{name}": {
            "version": version,
            "resolved": f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz",
            "integrity": f"sha512-{base64.b64encode(random.Random(name + version).randbytes(64)).decode()}",
            "license": "MIT",
        }
        for name, version in versions.items()
    }
    return json.dumps({"name": "orders", "lockfileVersion": 3, "packages": packages}, indent=2) + "\n"


def locked(world: World) -> None:
    rng = random.Random("locked")
    names = sorted({f"{rng.choice(NOUNS)}-{rng.choice(VERBS)}-{rng.randint(1, 9)}" for _ in range(420)})
    versions = {name: f"{rng.randint(1, 6)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}" for name in names}
    history(world, rng, SUBJECTS[:5])
    package = {"name": "orders", "dependencies": {name: f"^{versions[name]}" for name in rng.sample(names, 14)}}
    files = {"package.json": json.dumps(package, indent=2) + "\n", "package-lock.json": _lock(versions)}
    world.commit({**files, "web/app.js": 'import "./cart.js";\n'}, "feat: A web front end", day=20)
    world.git("checkout", "-q", "-b", "update-deps")
    for name in rng.sample(names, 110):
        versions[name] = f"{int(versions[name].partition('.')[0]) + 1}.0.{rng.randint(0, 9)}"
    package["dependencies"] = {name: f"^{versions[name]}" for name in package["dependencies"]}
    files = {"package.json": json.dumps(package, indent=2) + "\n", "package-lock.json": _lock(versions)}
    files |= {"web/app.js": 'import "./cart.mjs";\n', "docs/install.md": "# Install\n\nNode 22 or newer.\n"}
    world.commit(files, "chore: Newer dependencies", day=21, author="Bo Lind")
    world.git("checkout", "-q", "main")


def huge_diff_solved(world: World) -> str:
    names = world.git("diff", "--name-only", "main", "update-deps").split()
    return json.dumps([name for name in names if name != "package-lock.json"])


def huge_diff_direct(_: World) -> Steps:
    (answer,) = yield [call("git", "git_diff", repo_path="repo", target="update-deps", context_lines=0)]
    return json.dumps([path for path in differing(answer.text) if path != "package-lock.json"])


def huge_diff_hub(_: World) -> Steps:
    yield from found("compare git branches", "git_diff")
    diffed = 'diff = git.git_diff(repo_path="repo", target="update-deps", context_lines=0)'
    yield [program(f"{diffed}\nresult = str(diff)[:600]")]
    (answer,) = yield [
        program(f"""
{diffed}
paths = re.findall(r"^diff --git a/.+ b/(.+)$", diff, re.MULTILINE)
result = [path for path in paths if path != "package-lock.json"]
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="last-commit-author",
        level=Level.SIMPLE,
        servers=GIT,
        request="Who made the latest commit in the git repository repo? Answer with the name only.",
        make=month,
        solve=last_author_solved,
        grade=lambda world, answer: same_text(answer, last_author_solved(world)),
        wrong=("Ada Park", "docs: Lockers", "I could not find it."),
        direct=last_author_direct,
        hub=last_author_hub,
    ),
    Task(
        name="branch-checked-out",
        level=Level.SIMPLE,
        servers=GIT,
        request="Which branch is checked out in the git repository repo? Answer with its name only.",
        make=month,
        solve=branch_out_solved,
        grade=lambda world, answer: same_text(answer, branch_out_solved(world)),
        wrong=("main", "tax-cache", "export-csv"),
        direct=branch_out_direct,
        hub=branch_out_hub,
    ),
    Task(
        name="commits-of-a-fortnight",
        level=Level.SIMPLE,
        servers=GIT,
        request="How many commits of the checked-out branch of the git repository repo were made from 12 to 25"
        " January 2026 (UTC, both days included)? Answer with the number only.",
        make=month,
        solve=fortnight_solved,
        grade=lambda world, answer: same_number(answer, float(fortnight_solved(world))),
        wrong=("10", "14", "32", "0"),
        direct=fortnight_direct,
        hub=fortnight_hub,
    ),
    Task(
        name="timeout-of-a-release",
        level=Level.SIMPLE,
        servers=GIT,
        request="What is the server's timeout in config/app.toml on the branch release-1.1 of the git repository repo?"
        " Answer with the number only.",
        make=releases,
        solve=old_timeout_solved,
        grade=lambda world, answer: same_number(answer, float(old_timeout_solved(world))),
        wrong=("45", "25", "30"),
        direct=old_timeout_direct,
        hub=old_timeout_hub,
    ),
    Task(
        name="packages-of-a-release",
        level=Level.MEDIUM,
        servers=GIT,
        request="Which packages are in requirements.txt on the branch release-1.2 of the git repository repo, but not"
        " on release-1.1? Answer with a JSON array of their names, without versions.",
        make=releases,
        solve=new_packages_solved,
        grade=lambda world, answer: same_set(answer, json.loads(new_packages_solved(world))),
        wrong=('["redis", "tenacity"]', '["boto3", "prometheus-client", "redis", "tenacity"]', "[]"),
        direct=new_packages_direct,
        hub=new_packages_hub,
    ),
    Task(
        name="beside-a-huge-lock-file",
        level=Level.EDGE,
        servers=GIT,
        request="Which files differ between the branch main, which is checked out, and the branch update-deps of the"
        " git repository repo, package-lock.json aside? Answer with a JSON array of the paths.",
        make=locked,
        solve=huge_diff_solved,
        grade=lambda world, answer: same_set(answer, json.loads(huge_diff_solved(world))),
        wrong=('["package.json"]', '["docs/install.md", "package-lock.json", "package.json", "web/app.js"]', "[]"),
        direct=huge_diff_direct,
        hub=huge_diff_hub,
    ),
)
