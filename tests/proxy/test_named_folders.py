"""Which folders a request names: what the client says counts, what its user says doesn't."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_hub.proxy.named_folders import folders_named

CLAUDE_CODE = """
# Environment
You have been invoked in the following environment:
 - Primary working directory: /home/u/proj
  - Is a git repository: true
 - Additional working directories:
  - /home/u/lib
  - /srv/two words
 - Platform: linux
"""
EARLIER_CLAUDE_CODE = """Here is useful information about the environment you are running in:
<env>
Working directory: /home/u/proj
Is directory a git repo: Yes
Additional working directories: /home/u/lib, /srv/two words
Platform: linux
</env>
"""


def named(system: object) -> tuple[str, ...]:
    return folders_named({"system": system})


def named_by_user(*contents: object) -> tuple[str, ...]:
    return folders_named({"messages": [{"role": "user", "content": content} for content in contents]})


@pytest.mark.parametrize("system", [CLAUDE_CODE, EARLIER_CLAUDE_CODE])
def test_claude_codes_folders_are_found_in_order(system: str) -> None:
    expected = ("/home/u/proj", "/home/u/lib", "/srv/two words")
    assert named(system) == expected
    assert named([{"type": "text", "text": "x-header: 1"}, {"type": "text", "text": system}]) == expected
    assert folders_named({"messages": [{"role": "user", "content": ""}, {"role": "system", "content": system}]}) == (
        expected
    )


@pytest.mark.parametrize(
    ("text", "folders"),
    [
        ("Working directory: /a b ", ("/a b",)),
        ("Working directory: /a\r\nPlatform: x", ("/a",)),
        ("  Current working directory: /a", ("/a",)),
        ("Your current working directory is /a", ("/a",)),
        ("- **Working directory**: `/a`", ("/a",)),
        ('{"cwd": "/a", "x": "/b"}', ("/a",)),
        ("cwd: /a", ("/a",)),
        ("cwd=/a", ("/a",)),
        ("Current Workspace Directory: /a", ("/a",)),
        ("Workspace root folder: x\nProject root: /a", ("/a",)),
        ("<environment_context>\n  <cwd>/a</cwd>\n  <shell>zsh</shell>", ("/a",)),
        ("Working directory: C:\\Users\\u", ("C:\\Users\\u",)),
        ("Working directory: ~/proj", ("~/proj",)),
        ("Working directories:\n/a\n/b\n\n/c", ("/a", "/b")),
        ("Working directories:\n  * /a\n  \u2022 `/b`\nNext: /c", ("/a", "/b")),
        ("Working directory: /a, /b,c, d", ("/a", "/b,c, d")),
        ("cwd: none, cwd: /a", ("/a",)),
        ("cwd: /b\n<cwd>/a</cwd>\ncwd: /b", ("/b", "/a")),
        ("<cwd>/a</cwd> cwd: /b", ("/a", "/b")),
        ("Working directory: /a cwd: /b", ("/a cwd: /b",)),
    ],
)
def test_other_forms_are_found(text: str, folders: tuple[str, ...]) -> None:
    assert named(text) == folders


@pytest.mark.parametrize(
    "text",
    [
        "The working directory persists between commands.",
        "Pass the working directory: an absolute path.",
        "Working directory: <path>",
        "Working directory:",
        "Look at /etc/passwd.",
        "<cwd></cwd>",
        "nocwd: /a",
    ],
)
def test_text_that_names_no_folder_names_none(text: str) -> None:
    assert named(text) == ()


def test_the_clients_blocks_before_the_users_words_count() -> None:
    reminder = "<system-reminder>\ncwd: /a\n</system-reminder>\n"
    assert named_by_user(f"{reminder}<env>cwd: /b\n</env>cwd: /no") == ("/a", "/b")
    blocks = [{"type": "text", "text": reminder}, {"type": "text", "text": "hello"}, {"type": "text", "text": reminder}]
    assert named_by_user(blocks) == ("/a",)
    assert named_by_user("hello", reminder) == ("/a",)


def test_a_block_that_quotes_its_own_end_goes_on() -> None:
    assert named_by_user("<env>see </env>\ncwd: /a\n</env>hello") == ("/a",)
    assert named_by_user("<env>\ncwd: /a\n") == ("/a",)


def test_a_user_who_mentions_a_folder_names_none() -> None:
    assert named_by_user("cwd: /a", "Working directory: /b", [{"type": "text", "text": "<cwd>/c</cwd>"}]) == ()
    assert named_by_user("hello <env>cwd: /a</env>") == ()


def test_what_comes_after_the_first_answer_doesnt_count() -> None:
    reminder = "<env>cwd: /a\n</env>"
    messages = [{"role": "user", "content": ""}, {"role": "assistant", "content": reminder}]
    assert folders_named({"messages": [*messages, {"role": "user", "content": reminder}]}) == ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["user", "system", "<env>cwd: /a"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["role", "content", "text", "type"]), inner),
    max_leaves=10,
)


@settings(max_examples=30)
@given(system=JSON, messages=JSON | st.lists(JSON))
def test_any_json_is_taken(system: Any, messages: Any) -> None:
    assert all(isinstance(folder, str) for folder in folders_named({"system": system, "messages": messages}))


@pytest.mark.parametrize("before", ["", "cwd:"])
@pytest.mark.parametrize("piece", ["cwd:", "cwd:/", "cwd:\n/", "\n/", " ", "working ", "<cwd>", "<env>", ", /", "'/"])
def test_hostile_text_is_read_before_the_tests_time_is_up(before: str, piece: str) -> None:
    text = before + piece * (300_000 // len(piece))
    folders_named({"system": text, "messages": [{"role": "user", "content": f"<env>{text}"}]})


def test_of_too_many_folders_enough_are_found_that_no_proof_takes_them() -> None:
    assert len(named("".join(f"cwd: /{number}\n" for number in range(5_000)))) == 1_000


@pytest.mark.parametrize(
    ("system", "folder"),
    [
        ("# Current Working Directory (/home/u/p) Files", "/home/u/p) Files"),
        ("Working directory (cwd): /home/u/p", "/home/u/p"),
        ("The working directory for this session is /home/u/p", "/home/u/p"),
        ("You are working in /home/u/p", "/home/u/p"),
        ("Working directory\n/home/u/p", "/home/u/p"),
        ("Current working directory path: /p", "/p"),
        ("Project root folder: /p", "/p"),
        ("I am working in a workspace with the following folders:\n- /p", "/p"),
        ("<workspace_path>/p</workspace_path>", "/p"),
        ("Repository: /p", "/p"),
        ("PWD=/p", "/p"),
        ("Workspace root: file:///p", "file:///p"),
        ("Working directory: ./p", "./p"),
        ("Working directory: $HOME/p", "$HOME/p"),
    ],
)
def test_a_folder_in_any_wording_is_found_though_it_may_not_be_one_that_can_be_proven(system: str, folder: str) -> None:
    assert folders_named({"system": system}) == (folder,)


@pytest.mark.parametrize(
    "system",
    [
        "See the repository https://github.com/a/b",
        "In the current project, run /help",
        " - Is directory a git repo: Yes\n - Platform: linux",
    ],
)
def test_what_only_stands_near_such_words_is_none(system: str) -> None:
    assert folders_named({"system": system}) == ()


def test_a_text_with_too_many_such_words_names_what_nobody_can_prove() -> None:
    assert folders_named({"system": "a repo, " * 1_000 + "\nWorking directory: /a"}) == ("",)
    assert folders_named({"system": "a repo, " * 900 + "\nWorking directory: /a"}) == ("/a",)


@pytest.mark.parametrize(
    "name", ["repository", "repo", "workspace", "workspaces", "cwd", "my-repo", "repo.git", "current-dir"]
)
def test_such_a_word_in_a_path_is_none(name: str) -> None:
    system = f"""\
 - Primary working directory: /home/ada/{name}
You have a memory at `/home/ada/.claude/projects/-home-ada-{name}/memory/`. It exists already.
Contents of /home/ada/{name}/CLAUDE.md (project instructions): /{name} is /the/root of ~/{name}/src
"""
    assert folders_named({"system": system}) == (f"/home/ada/{name}",)
