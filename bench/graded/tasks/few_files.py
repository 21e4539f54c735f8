"""A few files, each of which names what is read or changed next."""

import json
import random
from collections.abc import Callable, Mapping

from bench.graded.grading import bare, same_json, same_number, same_text
from bench.graded.task import Level, Steps, Task, look, program
from bench.graded.tasks.files import (
    FILESYSTEM,
    Texts,
    by_path,
    filesystem,
    line_after,
    made,
    names,
    relative,
    same_files,
    standing,
)
from bench.graded.worlds import World


def settings() -> Texts:
    shop = {"extends": "region-eu.json", "currency": "SEK", "log_level": "warn", "features": {"wishlist": True}}
    region = {"extends": "defaults.json", "vat_percent": 25, "log_level": "info", "data_centre": "fra-1"}
    defaults = {"session_minutes": 45, "vat_percent": 0, "currency": "USD", "log_level": "debug", "page_size": 24}
    other = {"extends": "region-us.json", "currency": "USD", "session_minutes": 20}
    files = {"shop-se": shop, "region-eu": region, "defaults": defaults, "shop-us": other, "region-us": {"extends": ""}}
    return {f"files/settings/{name}.json": json.dumps(value, indent=2) + "\n" for name, value in files.items()}


def inherited(read: Callable[[str], str]) -> str:
    found: dict[str, object] = {}
    name = "shop-se.json"
    while name:
        level = json.loads(read(f"files/settings/{name}"))
        name = level.pop("extends", "")
        found = {**level, **found}
    return json.dumps({key: found[key] for key in ("session_minutes", "vat_percent", "currency")})


def inherited_solved(world: World) -> str:
    return inherited(lambda path: world.text(path) or "")


def inherited_graded(_: World, answer: str) -> bool:
    return same_json(answer, json.loads(inherited(lambda path: settings()[path])))


def inherited_direct(_: World) -> Steps:
    read = {}
    name = "shop-se.json"
    while name:
        path = f"files/settings/{name}"
        (answer,) = yield [filesystem("read_text_file", path=path)]
        read[path] = answer.text
        name = json.loads(answer.text).get("extends", "")
    return inherited(lambda path: read[path])


def inherited_hub(_: World) -> Steps:
    yield [look("read a text file")]
    (answer,) = yield [
        program("""
settings = {}
name = "shop-se.json"
while name:
    level = json.loads(filesystem.read_text_file(path="files/settings/" + name)["content"])
    name = level.pop("extends", None)
    for key, value in level.items():
        settings.setdefault(key, value)
result = {key: settings[key] for key in ["session_minutes", "vat_percent", "currency"]}
""")
    ]
    return answer.text


def weeks() -> Texts:
    chosen = random.Random(13)
    files = {}
    for week in range(1, 20):
        opened, closed, left = chosen.randrange(20, 60), chosen.randrange(20, 60), chosen.randrange(60, 150)
        files[f"files/weekly/support-2026-w{week:02}.md"] = (
            f"# Support, week {week} of 2026\n\n- opened: {opened}\n- closed: {closed}\n- still open: {left}\n\n"
            f"The median first answer took {chosen.randrange(3, 9)} hours. "
            f"{chosen.choice(['Most questions', 'Half of the questions'])} were about "
            f"{chosen.choice(['invoices', 'delivery dates', 'the new catalogue'])}.\n"
        )
    return files | {"files/weekly/README.md": "One report for each week.\n", "files/weekly/template.md": "# Support\n"}


def weekly_solved(world: World) -> str:
    last = max((world.root / "files/weekly").glob("support-*.md"))
    return line_after(last.read_text(), "- still open:")


def weekly_direct(_: World) -> Steps:
    (listing,) = yield [filesystem("list_directory", path="files/weekly")]
    last = max(name for name in names(listing.text) if name.startswith("support-"))
    (report,) = yield [filesystem("read_text_file", path=f"files/weekly/{last}")]
    return line_after(report.text, "- still open:")


def weekly_hub(_: World) -> Steps:
    yield [look("list the files in a folder"), look("read a text file")]
    (answer,) = yield [
        program(r"""
listing = filesystem.list_directory(path="files/weekly")["content"]
last = max(re.findall(r"support-\d{4}-w\d\d\.md", listing))
result = filesystem.read_text_file(path="files/weekly/" + last)["content"]
""")
    ]
    return line_after(answer.text, "- still open:")


def package() -> Texts:
    described = {
        "name": "paper-labels",
        "version": "3.8.2",
        "private": True,
        "scripts": {"build": "tsc -p .", "test": "node --test"},
        "dependencies": {"pdf-lib": "1.17.1", "yargs": "17.7.2"},
        "devDependencies": {"typescript": "5.4.5"},
    }
    install = "# Install\n\n```sh\nnpm install paper-labels@3.8.2\n```\n\nNode 20 or newer is needed.\n"
    changes = "# Changes\n\n## 3.8.2\n\n- Labels of one page are no longer turned.\n\n## 3.8.1\n\n- Smaller files.\n"
    folder = "files/labels"
    return {
        f"{folder}/package.json": json.dumps(described, indent=2) + "\n",
        f"{folder}/INSTALL.md": install,
        f"{folder}/CHANGES.md": changes,
    }


PACKAGE, INSTALL = "files/labels/package.json", "files/labels/INSTALL.md"


def bumped(files: Mapping[str, str]) -> tuple[str, Texts]:
    """The next version, and the two files with it."""
    old = json.loads(files[PACKAGE])["version"]
    major, minor, _ = old.split(".")
    new = f"{major}.{int(minor) + 1}.0"
    return new, {path: files[path].replace(old, new) for path in (PACKAGE, INSTALL)}


def bump_solved(world: World) -> str:
    new, changed = bumped(standing(world))
    for path, text in changed.items():
        world.write(path, text)
    return new


def bump_graded(world: World, answer: str) -> bool:
    new, changed = bumped(package())
    return bare(answer) == new and same_files(world, {**package(), **changed})


def bump_direct(_: World) -> Steps:
    (read,) = yield [filesystem("read_multiple_files", paths=[PACKAGE, INSTALL])]
    old = json.loads(by_path(read.text)[PACKAGE])["version"]
    new, _changed = bumped(by_path(read.text))
    yield [
        filesystem("edit_file", path=path, edits=[{"oldText": old_text, "newText": old_text.replace(old, new)}])
        for path, old_text in ((PACKAGE, f'"version": "{old}"'), (INSTALL, f"paper-labels@{old}"))
    ]
    return new


def bump_hub(_: World) -> Steps:
    yield [look("read a text file"), look("replace text in a file")]
    (answer,) = yield [
        program("""
old = json.loads(filesystem.read_text_file(path="files/labels/package.json")["content"])["version"]
major, minor, patch = old.split(".")
new = f"{major}.{int(minor) + 1}.0"
for path, text in [("package.json", f'"version": "{old}"'), ("INSTALL.md", f"paper-labels@{old}")]:
    filesystem.edit_file(path="files/labels/" + path, edits=[{"oldText": text, "newText": text.replace(old, new)}])
result = new
""")
    ]
    return answer.text


def contracts() -> Texts:
    chosen = random.Random(14)
    held = ("acme", "birch", "corvid", "dunes", "elm-street", "fjord", "gull", "harbour", "iris")
    files = {
        f"files/contracts/{name}.md": f"# {name}\n\nSigned in {chosen.randrange(2012, 2025)}, for three years.\n"
        for name in held
    }
    return files | {"files/contracts/ended.txt": "corvid.md\nelm-street.md\ngull.md\nacme.md\n"}


def archived(files: Mapping[str, str]) -> Texts:
    ended = files["files/contracts/ended.txt"].split()
    moved = {f"files/contracts/{name}": f"files/contracts/archive/2025/{name}" for name in ended}
    return {moved.get(path, path): text for path, text in files.items()}


def archive_solved(world: World) -> str:
    folder = world.root / "files/contracts"
    (folder / "archive/2025").mkdir(parents=True)
    ended = (folder / "ended.txt").read_text().split()
    for name in ended:
        (folder / name).rename(folder / "archive/2025" / name)
    return str(len(ended))


def archive_graded(world: World, answer: str) -> bool:
    ended = contracts()["files/contracts/ended.txt"].split()
    return same_number(answer, len(ended)) and same_files(world, archived(contracts()))


def archive_direct(_: World) -> Steps:
    ended, _folder = yield [
        filesystem("read_text_file", path="files/contracts/ended.txt"),
        filesystem("create_directory", path="files/contracts/archive/2025"),
    ]
    names_ended = ended.text.split()
    yield [
        filesystem("move_file", source=f"files/contracts/{name}", destination=f"files/contracts/archive/2025/{name}")
        for name in names_ended
    ]
    return str(len(names_ended))


def archive_hub(_: World) -> Steps:
    yield [look("read a text file"), look("move files into a new folder")]
    (answer,) = yield [
        program("""
folder = "files/contracts/"
filesystem.create_directory(path=folder + "archive/2025")
names = filesystem.read_text_file(path=folder + "ended.txt")["content"].split()
for name in names:
    filesystem.move_file(source=folder + name, destination=folder + "archive/2025/" + name)
result = len(names)
""")
    ]
    return answer.text


def monorepo() -> Texts:
    chosen = random.Random(15)
    files = {}
    for service in ("catalogue", "checkout", "identity", "mailer", "payments", "search", "stock"):
        for part in ("main.py", "routes.py", "models.py"):
            files[f"files/monorepo/services/{service}/{service}/{part}"] = f'"""{service}: {part[:-3]}."""\n'
        files[f"files/monorepo/services/{service}/deploy/service.yaml"] = f"name: {service}\nreplicas: 3\n"
        person = chosen.choice(("Ines Prado", "Tomasz Wilk", "Ruth Abara", "Kenji Mori"))
        files[f"files/monorepo/docs/runbooks/{service}.md"] = (
            f"# When {service} is down\n\nOn call: {person}, {service}-team\n\n"
            f"1. Look at the error rate.\n2. Roll back the last release.\n3. Tell #{service}.\n"
        )
    files["files/monorepo/services/stock/deploy/canary/rollout.yaml"] = (
        "service: stock\nsteps: [5, 25, 100]\nrunbook: docs/runbooks/checkout.md\n"
    )
    return files


def on_call_solved(world: World) -> str:
    root = world.root / "files/monorepo"
    (found,) = root.rglob("rollout.yaml")
    runbook = root / line_after(found.read_text(), "runbook:")
    return line_after(runbook.read_text(), "On call:").partition(",")[0]


def on_call_direct(_: World) -> Steps:
    (found,) = yield [filesystem("search_files", path="files/monorepo", pattern="**/rollout.yaml")]
    (rollout,) = yield [filesystem("read_text_file", path=relative(found.text)[0])]
    (runbook,) = yield [
        filesystem("read_text_file", path=f"files/monorepo/{line_after(rollout.text, 'runbook:')}"),
    ]
    return line_after(runbook.text, "On call:").partition(",")[0]


def on_call_hub(_: World) -> Steps:
    yield [look("find a file by its name"), look("read a text file")]
    (answer,) = yield [
        program(r"""
found = filesystem.search_files(path="files/monorepo", pattern="**/rollout.yaml")["content"]
path = re.search(r"files/monorepo/\S*rollout\.yaml", found).group()
rollout = filesystem.read_text_file(path=path)["content"]
runbook = re.search(r"runbook:\s*(\S+)", rollout).group(1)
text = filesystem.read_text_file(path="files/monorepo/" + runbook)["content"]
result = [line for line in text.splitlines() if "On call" in line]
""")
    ]
    return str(json.loads(answer.text)[0]).partition("On call:")[2].partition(",")[0].strip()


TASKS = (
    Task(
        name="settings-inherited",
        level=Level.MEDIUM,
        servers=FILESYSTEM,
        request="In files/settings, a JSON file takes over what it doesn't set itself from the file in the same folder "
        "that its key extends names, and so on until a file without that key. What are session_minutes, vat_percent "
        "and currency for shop-se.json? Answer with a JSON object of these three keys.",
        make=made(settings),
        solve=inherited_solved,
        grade=inherited_graded,
        wrong=(
            '{"session_minutes": 45, "vat_percent": 0, "currency": "SEK"}',
            '{"session_minutes": 45, "vat_percent": 25, "currency": "USD"}',
            '{"vat_percent": 25, "currency": "SEK"}',
        ),
        direct=inherited_direct,
        hub=inherited_hub,
    ),
    Task(
        name="latest-weekly-report",
        level=Level.MEDIUM,
        servers=FILESYSTEM,
        request="files/weekly has the support team's reports, named like support-2026-w07.md. How many tickets were "
        "still open in the latest one? Answer with the number only.",
        make=made(weeks),
        solve=weekly_solved,
        grade=lambda _, answer: same_number(
            answer, int(line_after(weeks()["files/weekly/support-2026-w19.md"], "- still open:"))
        ),
        wrong=("19", "0", "There is no report."),
        direct=weekly_direct,
        hub=weekly_hub,
    ),
    Task(
        name="version-bumped",
        level=Level.MEDIUM,
        servers=FILESYSTEM,
        request="Raise the minor version of the package in files/labels (1.4.7 would become 1.5.0): in its "
        "package.json, and in INSTALL.md, which has it as paper-labels@VERSION. Change nothing else. "
        "Answer with the new version only.",
        make=made(package),
        solve=bump_solved,
        grade=bump_graded,
        wrong=("3.8.3", "3.9.2", "3.8.2"),
        direct=bump_direct,
        hub=bump_hub,
    ),
    Task(
        name="contracts-archived",
        level=Level.MEDIUM,
        servers=FILESYSTEM,
        request="files/contracts/ended.txt has one file name per line. Move these files of files/contracts to a new "
        "folder files/contracts/archive/2025; leave everything else where it is. "
        "Answer with the number of files moved.",
        make=made(contracts),
        solve=archive_solved,
        grade=archive_graded,
        wrong=("9", "3", "The folder doesn't exist."),
        direct=archive_direct,
        hub=archive_hub,
    ),
    Task(
        name="runbook-on-call",
        level=Level.MEDIUM,
        servers=FILESYSTEM,
        request="Somewhere below files/monorepo is a file rollout.yaml. Its key runbook names a file by its path below "
        "files/monorepo, and that one has a line 'On call: NAME, TEAM'. Who is on call? Answer with the name only.",
        make=made(monorepo),
        solve=on_call_solved,
        grade=lambda _, answer: same_text(
            answer, line_after(monorepo()["files/monorepo/docs/runbooks/checkout.md"], "On call:").partition(",")[0]
        ),
        wrong=("checkout-team", "docs/runbooks/checkout.md", "stock"),
        direct=on_call_direct,
        hub=on_call_hub,
    ),
)
