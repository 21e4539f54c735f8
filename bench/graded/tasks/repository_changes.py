"""Changes to a repository: branches, commits of some files, an old file put back, release notes, and what fails."""

import json
import random
import re

from bench.graded.grading import same_number, same_set, same_text
from bench.graded.task import Level, Steps, Task, call, look, program, read
from bench.graded.tasks.repositories import APP, GIT, SUBJECTS, first, found, function, history
from bench.graded.worlds import World

BOTH = GIT | {"filesystem"}


def head(world: World, revision: str = "HEAD") -> list[str]:
    """A commit, as its subject and the paths that it changed."""
    subject = world.git("log", "-1", "--format=%s", revision).strip()
    return [subject, *world.git("show", "--name-only", "--format=", revision).split()]


def plain(world: World) -> None:
    history(world, random.Random("plain"), SUBJECTS[:9])


NEW_BRANCH, NEW_MESSAGE = "raise-timeout", "fix: Raise the timeout to 45 s"


def timeout_solved(world: World) -> str:
    world.git("checkout", "-q", "-b", NEW_BRANCH, "main")
    world.commit({"config/app.toml": APP.replace("timeout = 30", "timeout = 45")}, NEW_MESSAGE, day=30)
    return world.git("rev-parse", NEW_BRANCH).strip()


def timeout_graded(world: World, answer: str) -> bool:
    if NEW_BRANCH not in world.git("branch", "--format=%(refname:short)").split():
        return False
    right = APP.replace("timeout = 30", "timeout = 45")
    return (
        same_text(answer, world.git("rev-parse", NEW_BRANCH).strip())
        and world.git("rev-parse", f"{NEW_BRANCH}~1") == world.git("rev-parse", "main")
        and head(world, NEW_BRANCH) == [NEW_MESSAGE, "config/app.toml"]
        and world.git("show", f"{NEW_BRANCH}:config/app.toml") == right
        and not world.git("status", "--short")
    )


def _hash(text: str) -> str:
    return first(r"hash ([0-9a-f]{40})", text)


def timeout_direct(_: World) -> Steps:
    edits = [{"oldText": "timeout = 30", "newText": "timeout = 45"}]
    yield [call("git", "git_create_branch", repo_path="repo", branch_name=NEW_BRANCH, base_branch="main")]
    yield [call("git", "git_checkout", repo_path="repo", branch_name=NEW_BRANCH)]
    yield [call("filesystem", "edit_file", path="repo/config/app.toml", edits=edits)]
    yield [call("git", "git_add", repo_path="repo", files=["config/app.toml"])]
    (answer,) = yield [call("git", "git_commit", repo_path="repo", message=NEW_MESSAGE)]
    return _hash(answer.text)


def timeout_hub(_: World) -> Steps:
    yield [read("servers/git.pyi"), look("replace text in a file")]
    (answer,) = yield [
        program(f"""
git.git_create_branch(repo_path="repo", branch_name="{NEW_BRANCH}", base_branch="main")
git.git_checkout(repo_path="repo", branch_name="{NEW_BRANCH}")
filesystem.edit_file(path="repo/config/app.toml", edits=[{{"oldText": "timeout = 30", "newText": "timeout = 45"}}])
git.git_add(repo_path="repo", files=["config/app.toml"])
result = git.git_commit(repo_path="repo", message="{NEW_MESSAGE}")
""")
    ]
    return _hash(answer.text)


DOCS = ("docs/api.md", "docs/faq.md", "docs/guide.md")


def half_done(world: World) -> None:
    plain(world)
    rng = random.Random("half done")
    for path in ("docs/api.md", "docs/guide.md", "src/orders/tax.py", "src/orders/cart.py"):
        added = function(rng) if path.endswith(".py") else "\nA cart is kept for 30 days.\n"
        world.write(f"repo/{path}", f"{world.text(f'repo/{path}')}{added}")
    world.write("repo/docs/faq.md", "# Questions\n\nHow long is a cart kept? For 30 days.\n")
    world.git("add", "src/orders/tax.py")


def docs_solved(world: World) -> str:
    world.git("reset", "-q")
    world.git("add", *DOCS)
    world.git("commit", "-q", "-m", "docs: How long carts are kept", day=30)
    return json.dumps(DOCS)


def docs_graded(world: World, answer: str) -> bool:
    left = [line.split()[-1] for line in world.git("status", "--short").splitlines()]
    return (
        same_set(answer, list(DOCS))
        and head(world) == ["docs: How long carts are kept", *DOCS]
        and left == ["src/orders/cart.py", "src/orders/tax.py"]
        and world.git("log", "-1", "--format=%s", "HEAD~1").strip() == SUBJECTS[8]
    )


def _documents(status: str) -> list[str]:
    return re.findall(r"docs/\w+\.md", status)


def docs_direct(_: World) -> Steps:
    (status,) = yield [call("git", "git_status", repo_path="repo")]
    paths = _documents(status.text)
    yield [call("git", "git_reset", repo_path="repo")]
    yield [call("git", "git_add", repo_path="repo", files=paths)]
    yield [call("git", "git_commit", repo_path="repo", message="docs: How long carts are kept")]
    return json.dumps(paths)


def docs_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    (status,) = yield [program('result = git.git_status(repo_path="repo")')]
    paths = json.dumps(_documents(status.text))
    yield [
        program(f"""
git.git_reset(repo_path="repo")
git.git_add(repo_path="repo", files={paths})
result = git.git_commit(repo_path="repo", message="docs: How long carts are kept")
""")
    ]
    return paths


RATES = "config/rates.json"
RESTORED = "fix: The rates of release 1.2 again"


def _rates(day: str, rates: dict[str, float]) -> str:
    return json.dumps({"base": "EUR", "date": day, "rates": rates}, indent=2) + "\n"


def broken_rates(world: World) -> None:
    plain(world)
    rng = random.Random("rates")
    currencies = ("CHF", "CZK", "DKK", "GBP", "HUF", "JPY", "NOK", "PLN", "SEK", "USD")
    right = {name: rng.randint(10_100, 99_900) / 10_000 for name in currencies}
    world.commit({RATES: _rates("2026-01-15", right)}, "chore: Rates of January", day=29)
    world.git("branch", "release-1.2")
    broken = dict.fromkeys(currencies, 0.0)
    world.commit({RATES: _rates("2026-01-30", broken)}, "chore: Newer rates", day=30, author="Bo Lind")
    world.commit({"docs/faq.md": "# Questions\n\nNone yet.\n"}, "docs: Questions", day=30, author="Femi Ade")


def rates_solved(world: World) -> str:
    world.git("checkout", "-q", "release-1.2", "--", RATES)
    world.git("commit", "-q", "-m", RESTORED, day=31)
    return world.git("rev-parse", "HEAD").strip()


def rates_graded(world: World, answer: str) -> bool:
    return (
        same_text(answer, world.git("rev-parse", "main").strip())
        and head(world, "main") == [RESTORED, RATES]
        and world.git("show", f"main:{RATES}") == world.git("show", f"release-1.2:{RATES}")
        and world.git("log", "-1", "--format=%s", "main~1").strip() == "docs: Questions"
        and not world.git("status", "--short")
    )


def rates_direct(_: World) -> Steps:
    (old,) = yield [call("git", "git_show", repo_path="repo", revision=f"release-1.2:{RATES}")]
    yield [call("filesystem", "write_file", path=f"repo/{RATES}", content=old.text)]
    yield [call("git", "git_add", repo_path="repo", files=[RATES])]
    (answer,) = yield [call("git", "git_commit", repo_path="repo", message=RESTORED)]
    return _hash(answer.text)


def rates_hub(_: World) -> Steps:
    yield [read("servers/git.pyi"), look("write a file")]
    code = """
old = git.git_show(repo_path="repo", revision="release-1.2:PATH")
filesystem.write_file(path="repo/PATH", content=old)
git.git_add(repo_path="repo", files=["PATH"])
result = git.git_commit(repo_path="repo", message="MESSAGE")
""".replace("PATH", RATES).replace("MESSAGE", RESTORED)
    (answer,) = yield [program(code)]
    if answer.is_error:  # where a text that is JSON comes as its value: written as such files are
        (answer,) = yield [program(code.replace("content=old)", 'content=json.dumps(old, indent=2) + "\\n")'))]
    return _hash(answer.text)


HEADINGS = {"feat": "Features", "fix": "Fixes", "perf": "Performance"}
NOTES = "files/release-1.4.md"


def released(world: World) -> None:
    history(world, random.Random("released"), (*SUBJECTS[:5], "chore: Release 1.3", *SUBJECTS[5:]))


def _notes(subjects: list[str]) -> list[str]:
    lines = ["# Release 1.4"]
    for prefix, heading in HEADINGS.items():
        told = [subject.partition(": ")[2] for subject in subjects if subject.startswith(f"{prefix}: ")]
        lines += [f"## {heading}", *(f"- {subject}" for subject in told)]
    return lines


def _since_release(subjects_oldest_first: list[str]) -> list[str]:
    return subjects_oldest_first[subjects_oldest_first.index("chore: Release 1.3") + 1 :]


def notes_right(world: World) -> list[str]:
    return _notes(_since_release(world.git("log", "--reverse", "--format=%s").splitlines()))


def notes_solved(world: World) -> str:
    lines = notes_right(world)
    world.write(NOTES, "\n".join(lines) + "\n")
    return str(sum(line.startswith("- ") for line in lines))


def notes_graded(world: World, answer: str) -> bool:
    written = [line.rstrip() for line in (world.text(NOTES) or "").splitlines() if line.strip()]
    right = notes_right(world)
    return written == right and same_number(answer, sum(line.startswith("- ") for line in right))


def notes_direct(_: World) -> Steps:
    (log,) = yield [call("git", "git_log", repo_path="repo", max_count=200)]
    lines = _notes(_since_release(re.findall(r"^Message: (.+)$", log.text, re.MULTILINE)[::-1]))
    yield [call("filesystem", "write_file", path=NOTES, content="\n".join(lines) + "\n")]
    return str(sum(line.startswith("- ") for line in lines))


def notes_hub(_: World) -> Steps:
    yield [read("servers/git.pyi"), look("write a file")]
    yield [program('result = git.git_log(repo_path="repo", max_count=3)')]
    (answer,) = yield [
        program(f"""
log = git.git_log(repo_path="repo", max_count=200)
subjects = re.findall(r"^Message: (.+)$", log, re.MULTILINE)
subjects = list(reversed(subjects[:subjects.index("chore: Release 1.3")]))
lines = ["# Release 1.4"]
count = 0
for prefix, heading in [("feat", "Features"), ("fix", "Fixes"), ("perf", "Performance")]:
    lines.append(f"## {{heading}}")
    for subject in subjects:
        if subject.startswith(prefix + ": "):
            lines.append("- " + subject[len(prefix) + 2:])
            count += 1
filesystem.write_file(path="{NOTES}", content="\\n".join(lines) + "\\n")
result = count
""")
    ]
    return answer.text


def versions(world: World) -> None:
    plain(world)
    for place, name in enumerate(("hotfix-tax", "release-1.10", "release-1.8", "release-1.9", "vouchers")):
        world.git("branch", name, f"HEAD~{place + 1}")


def _newest(names: list[str]) -> str:
    return max(names, key=lambda name: [int(part) for part in re.findall(r"\d+", name)])


def versions_solved(world: World) -> str:
    newest = _newest(world.git("branch", "--format=%(refname:short)", "--list", "release-*").split())
    world.git("checkout", "-q", newest)
    return newest


def versions_graded(world: World, answer: str) -> bool:
    names = world.git("branch", "--format=%(refname:short)", "--list", "release-*").split()
    out = world.git("branch", "--show-current").strip()
    return len(names) == 3 and out == "release-1.10" and same_text(answer, out)


def versions_direct(_: World) -> Steps:
    yield [call("git", "git_checkout", repo_path="repo", branch_name="release-2.0")]
    (branches,) = yield [call("git", "git_branch", repo_path="repo", branch_type="local")]
    newest = _newest(re.findall(r"release-[\d.]+\d", branches.text))
    (answer,) = yield [call("git", "git_checkout", repo_path="repo", branch_name=newest)]
    return first(r"branch '(.+)'", answer.text)


def versions_hub(_: World) -> Steps:
    yield [read("servers/git.pyi")]
    (tried,) = yield [
        program("""
try:
    result = git.git_checkout(repo_path="repo", branch_name="release-2.0")
except Exception as error:
    result = [str(error), git.git_branch(repo_path="repo", branch_type="local")]
""")
    ]
    newest = _newest(re.findall(r"release-[\d.]+\d", json.loads(tried.text)[1]))
    (answer,) = yield [program(f'result = git.git_checkout(repo_path="repo", branch_name="{newest}")')]
    return first(r"branch '(.+)'", answer.text)


STAGED = ("docs/plan.md", "../files/minutes.md", "src/orders/tax.py", "docs/plans.md")
PLAN = "docs: The plan of the tax release"


def planned(world: World) -> None:
    plain(world)
    rng = random.Random("planned")
    world.write("repo/docs/plan.md", "# Plan\n\nTaxes of islands come first.\n")
    world.write("files/minutes.md", "# Minutes of 28 January\n\nTaxes of islands come first.\n")
    for path in ("src/orders/tax.py", "src/orders/stock.py"):
        world.write(f"repo/{path}", f"{world.text(f'repo/{path}')}{function(rng)}")


def planned_solved(world: World) -> str:
    inside = [path for path in STAGED if not path.startswith("..") and world.text(f"repo/{path}") is not None]
    world.git("add", *inside)
    world.git("commit", "-q", "-m", PLAN, day=31)
    return json.dumps([path for path in STAGED if path not in inside])


def planned_graded(world: World, answer: str) -> bool:
    return (
        same_set(answer, ["../files/minutes.md", "docs/plans.md"])
        and head(world) == [PLAN, "docs/plan.md", "src/orders/tax.py"]
        and world.git("status", "--short").split() == ["M", "src/orders/stock.py"]
        and world.text("files/minutes.md") is not None
    )


def planned_direct(_: World) -> Steps:
    left, refused = list(STAGED), []
    (tried,) = yield [call("git", "git_add", repo_path="repo", files=list(left))]
    while tried.is_error:  # each error names one path
        refused.append(
            next(path for path in left if f"Path '{path}'" in tried.text or f"pathspec '{path}'" in tried.text)
        )
        left.remove(refused[-1])
        (tried,) = yield [call("git", "git_add", repo_path="repo", files=list(left))]
    yield [call("git", "git_commit", repo_path="repo", message=PLAN)]
    return json.dumps(refused)


def planned_hub(_: World) -> Steps:
    yield from found("stage files and commit", "git_add", "git_commit")
    (answer,) = yield [
        program(f"""
refused = []
for path in {json.dumps(STAGED)}:
    try:
        git.git_add(repo_path="repo", files=[path])
    except Exception:
        refused.append(path)
git.git_commit(repo_path="repo", message="{PLAN}")
result = refused
""")
    ]
    return answer.text


TASKS = (
    Task(
        name="change-on-a-new-branch",
        level=Level.MEDIUM,
        servers=BOTH,
        request=f"Make a branch {NEW_BRANCH} from main in the git repository repo and check it out. On it, change the"
        " line `timeout = 30` in config/app.toml to `timeout = 45`, and commit that with the message"
        f" “{NEW_MESSAGE}”. Answer with the new commit's full hash only.",
        make=plain,
        solve=timeout_solved,
        grade=timeout_graded,
        wrong=(NEW_BRANCH, "0123456789abcdef0123456789abcdef01234567", "Done."),
        direct=timeout_direct,
        hub=timeout_hub,
    ),
    Task(
        name="commit-the-documents-only",
        level=Level.MEDIUM,
        servers=GIT,
        request="In the git repository repo several files were changed or added, some of them are staged. Commit those"
        " under docs, and nothing else, with the message “docs: How long carts are kept”; the other changes stay in the"
        " working tree. Answer with a JSON array of the paths that were committed.",
        make=half_done,
        solve=docs_solved,
        grade=docs_graded,
        wrong=(
            '["docs/api.md", "docs/guide.md"]',
            '["docs/api.md", "docs/faq.md", "docs/guide.md", "src/orders/tax.py"]',
        ),
        direct=docs_direct,
        hub=docs_hub,
    ),
    Task(
        name="put-an-old-file-back",
        level=Level.MEDIUM,
        servers=BOTH,
        request=f"A commit has broken {RATES} in the git repository repo. Put that file back exactly as it is on the"
        f" branch release-1.2, and commit it on main, which is checked out, with the message “{RESTORED}”. Answer with"
        " the new commit's full hash only.",
        make=broken_rates,
        solve=rates_solved,
        grade=rates_graded,
        wrong=("Done.", "0123456789abcdef0123456789abcdef01234567"),
        direct=rates_direct,
        hub=rates_hub,
    ),
    Task(
        name="grouped-release-notes",
        level=Level.HARD,
        servers=BOTH,
        request=f"Write release notes to {NOTES} from the commits that come after “chore: Release 1.3” in the git"
        " repository repo. The first line is `# Release 1.4`. Then come the headings `## Features`, `## Fixes` and"
        " `## Performance`, in this order, each with a line `- SUBJECT` for every commit whose subject begins with"
        " `feat: `, `fix: ` or `perf: `; SUBJECT is the subject without that prefix. The oldest commit comes first"
        " under each; other commits are left out. Answer with the number of commits in the notes only.",
        make=released,
        solve=notes_solved,
        grade=notes_graded,
        wrong=("25", "10", "Done."),
        direct=notes_direct,
        hub=notes_hub,
    ),
    Task(
        name="missing-release-branch",
        level=Level.EDGE,
        servers=GIT,
        request="Check out the branch release-2.0 in the git repository repo; should there be none, the release branch"
        " with the highest version that there is. Make no new branch. Answer with the name of the branch that is then"
        " checked out only.",
        make=versions,
        solve=versions_solved,
        grade=versions_graded,
        wrong=("release-2.0", "release-1.9", "main"),
        direct=versions_direct,
        hub=versions_hub,
    ),
    Task(
        name="paths-that-cannot-be-staged",
        level=Level.EDGE,
        servers=GIT,
        request=f"Stage {', '.join(STAGED[:-1])} and {STAGED[-1]} in the git repository repo (the paths are relative to"
        f" it), and commit what could be staged with the message “{PLAN}”. Answer with a JSON array of the paths that"
        " could not be staged, as they are written here.",
        make=planned,
        solve=planned_solved,
        grade=planned_graded,
        wrong=('["../files/minutes.md"]', "[]", '["docs/plans.md"]'),
        direct=planned_direct,
        hub=planned_hub,
    ),
)
