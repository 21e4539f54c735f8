"""Pairs that ask the same in other words, and have to be served: one pair a line, `one | other`."""

PARAPHRASES = """
Run the tests in tests/api | Execute the tests in tests/api
Run the test suite | Can you run the test suite?
What does src/auth.py do? | Explain what src/auth.py does
What does `foo_bar` do? | Can you tell me what `foo_bar` does?
Explain how the retry logic works | How does the retry logic work?
Show me the contents of config.yaml | Print the contents of config.yaml
Show me where `TOKEN_TTL` is set | Where is `TOKEN_TTL` set?
Find all usages of `get_user` | Where is `get_user` used?
Find all the places where `get_user` is called | Where is `get_user` called?
List all TODO comments in src/ | Find all TODO comments in src/
How many tests are there in tests/unit? | Count the tests in tests/unit
Is `legacy_mode` used anywhere? | Check whether `legacy_mode` is used anywhere
Who wrote src/db.py? | Who is the author of src/db.py?
When was `login` last changed? | When did `login` last change?
Why is the build failing? | What is causing the build to fail?
Why is `test_login` failing? | Tell me why `test_login` fails
Why does the server crash on startup? | What makes the server crash on startup?
Add a docstring to `parse_args` | Write a docstring for `parse_args`
Add logging to src/worker.py | Put logging in src/worker.py
Add a unit test for `slugify` | Write a unit test for `slugify`
Replace `moment` with `dayjs` in src/app.js | In src/app.js, use `dayjs` instead of `moment`
Delete src/old.py | Get rid of src/old.py
Create a branch called feature/x | Make a new branch named feature/x
Commit the changes with the message "fix" | Commit the changes, using the message "fix"
Open a pull request for this branch | Create a PR for this branch
Add `lodash` to the dependencies | Add `lodash` as a dependency
Refactor src/a.py to use async/await | Rewrite src/a.py so that it uses async/await
Split src/big.py into smaller modules | Break src/big.py up into smaller modules
Fix the bug in src/cart.ts | There is a bug in src/cart.ts, please fix it
What arguments does `connect` take? | What are the arguments of `connect`?
What type does `load` return? | What is the return type of `load`?
What changed in the last commit? | Show me what changed in the last commit
Show the last 5 commits | List the 5 most recent commits
Explain this error: "x" | What does this error mean: "x"?
What does the error "x" mean? | Explain the error "x"
How do I set up the dev environment? | What are the steps to set up the dev environment?
How do I install the dependencies? | How can I install the dependencies?
Which test covers `parse`? | What test covers `parse`?
Are there tests for `parse`? | Do we have tests for `parse`?
Is there a test for `parse`? | Do we have a test for `parse`?
What is `ctx`? | Tell me what `ctx` is
What Python version does this project use? | Which version of Python does this project use?
Which branch am I on? | What branch am I on?
Which branch am I on? | What's the current branch?
Clean up the imports in a.py | Tidy up the imports in a.py
Bump the version to 2.1.0 | Update the version to 2.1.0
Bump the version in package.json to 2.1.0 | In package.json, bump the version to 2.1.0
Change the port from 3000 to 8080 in server.js | In server.js, change the port from 3000 to 8080
Change the timeout to 30 | Set the timeout to 30
Enable strict mode in tsconfig.json | Turn on strict mode in tsconfig.json
Add a `--dry-run` flag to deploy.sh | Add a flag `--dry-run` to deploy.sh
Add an option called `--quiet` to cli.py | Add a `--quiet` option to cli.py
Write a function that reverses a string | Implement a function that reverses a string
Write a function that reverses a string | I need a function that reverses a string
Compare a.py and b.py | Compare a.py with b.py
What are the differences between a.py and b.py? | How do a.py and b.py differ?
List the classes in src/a.py | What classes are in src/a.py?
Which endpoints require authentication? | List the endpoints that require authentication
Which tests are skipped? | Show me the tests that are skipped
What environment variables does the app need? | Which env vars does the app need?
Walk me through the login flow | Explain the login flow
Can you walk me through how payments work? | Explain how payments work
Start the server | Please start the server for me
Build the project | Could you build the project?
Deploy to staging | Please deploy to staging
Stop the dev server | Shut down the dev server
How long does `npm test` take? | How much time does `npm test` take?
Rename `a_b` to `c_d` everywhere | Rename all occurrences of `a_b` to `c_d`
Remove the `debug` flag | Delete the `debug` flag
Add type annotations to `merge` | Annotate `merge` with types
Convert the tests from unittest to pytest | Migrate the tests from unittest to pytest
What does line 42 of a.py do? | Explain what line 42 of a.py does
Why is `lock` needed? | Why do we need `lock`?
Where do errors get logged? | Where are errors logged?
Find the test for `slugify` | Where is the test for `slugify`?
Where are the tests for `slugify`? | Find the tests for `slugify`
Make sure all tests pass | Ensure that all the tests pass
Resolve the merge conflict in a.py | Fix the merge conflict in a.py
Raise a ValueError if the list is empty | If the list is empty, raise a ValueError
Use Postgres instead of SQLite | Replace SQLite with Postgres
Switch the build from webpack to vite | Migrate the build from webpack to vite
Close issue #42 | Please close issue #42
Hey, what does `x_y` mean? | What is the meaning of `x_y`?
I want to know how `auth` works | How does `auth` work?
I'd like to know which files import `auth.core` | Which files import `auth.core`?
Could you please explain to me how the scheduler works? | How does the scheduler work?
Do you know where `x_y` is defined? | Where is `x_y` defined?
I need you to delete a.py | Delete a.py
Could you have a look at a.py? | Take a look at a.py
Let's rename `a_b` to `c_d` | Rename `a_b` to `c_d`
Go ahead and merge the branch | Merge the branch
Why does `load_user` return None? | How come `load_user` returns None?
Why do we use Redis? | What's the reason we use Redis?
Which module handles webhooks? | What module handles webhooks?
How many lines does a.py have? | Count the lines in a.py
Explain the purpose of `nonce` | What is `nonce` for?
Give me an example of how to use `Cache` | Show me an example of how to use `Cache`
What does HTTP 429 mean? | What's the meaning of HTTP 429?
There's a typo in docs/a.md, fix it | Fix the typo in docs/a.md
please can you run the linter | Run the linter
can u fix the failing test in tests/test_a.py | Fix the failing test in tests/test_a.py
Which commit introduced `x_y`? | What commit introduced `x_y`?
When was `x_y` added? | When did we add `x_y`?
Who added `x_y`? | By whom was `x_y` added?
Find all the functions that call `x.y` | Which functions call `x.y`?
Which functions are called by `main`? | Which functions does `main` call?
Explain why `x_y` is slow | What makes `x_y` slow?
Update `handler` so that it logs errors | Change `handler` so that it logs errors
Downgrade react to 17.0.2 | Go back to version 17.0.2 of react
Set the version to 1.2.3 in setup.py | In setup.py, set the version to 1.2.3
Show the first 10 lines of a.csv | Print the first 10 lines of a.csv
Show the first 10 lines of a.csv | Show me the first 10 lines of a.csv
Is there a memory leak in worker.js? | Does worker.js have a memory leak?
Are there race conditions in pool.go? | Does pool.go have race conditions?
What are the dependencies of `core`? | What does `core` depend on?
How does the cache get invalidated? | How is the cache invalidated?
Can you explain the algorithm in sort.c to me? | Explain the algorithm in sort.c
Merge dev into main | Please merge dev into main.
Why isn't `hook` called? | Why is `hook` not called?
What keeps the worker from starting? | Why doesn't the worker start?
Tell me how many tests failed | How many tests failed?
Tell me whether `x_y` is thread-safe | Is `x_y` thread-safe?
Is `x_y` thread safe? | Find out if `x_y` is thread safe
Show me what changed in a.py | What changed in a.py?
What has changed since v1.2.0? | What changed since v1.2.0?
Give me the definition of `Foo` | Show me the definition of `Foo`
In which file is `Foo` defined? | Which file defines `Foo`?
Reduce the batch size from 64 to 32 | Lower the batch size from 64 to 32
Make tests/test_a.py pass | Get tests/test_a.py to pass
Sort the imports in a.py with isort | Use isort to sort the imports in a.py
Write tests for `parse` using pytest | Use pytest to write tests for `parse`
Find the cause of the crash in main.c | What causes the crash in main.c?
What is causing the timeout in a.py? | What causes the timeout in a.py?
What's the cause of the memory leak? | What causes the memory leak?
Why was `foo_bar` removed? | Why did we remove `foo_bar`?
Turn off debug logging in settings.py | Disable debug logging in settings.py
Is `x_y` deprecated? | Tell me whether `x_y` is deprecated
Which team owns payments/? | What team owns payments/?
What does the `--force` flag do? | Explain what the `--force` flag does
Write a unit test for `add` that covers negative numbers | Add a unit test for `add` covering negative numbers
Generate unit tests for `add` | Create unit tests for `add`
Please write me a unit test for `add` | Write a unit test for `add`
I'd like a unit test for `add` | Write a unit test for `add`
Could you give me a quick summary of docs/a.md? | Give me a quick summary of docs/a.md
Rename the file a.py to b.py | Rename a.py to b.py
Make `a_b` return a list instead of a tuple | `a_b` should return a list instead of a tuple, make it so
Fix the lint errors | Resolve the lint errors
Remove dead code from a.py | Delete the dead code in a.py
Remove trailing whitespace in a.py | Strip trailing whitespace from a.py
Drop support for Python 3.8 | Remove support for Python 3.8
Add a `created_at` field to `Order` | Add a field called `created_at` to `Order`
What tests are failing? | Which tests fail?
Which line throws the error? | What line throws the error?
What happens when the queue is full? | Tell me what happens when the queue is full
How many endpoints are there? | Count the endpoints
How many endpoints do we have? | How many endpoints are there?
Who is responsible for core/? | Who's responsible for core/?
Could you tell me who owns core/? | Who owns core/?
In a.ts, replace `var` with `const` | Replace `var` with `const` in a.ts
Use `const` instead of `var` in a.ts | Replace `var` with `const` in a.ts
Push to origin/dev | Please push to origin/dev
Amend the last commit | Please amend the last commit
Show the last commit | Show me the last commit
Show the diff of the last commit | Show me the diff of the last commit
Which files did the last commit change? | Which files were changed by the last commit?
What license does this project use? | Which license does the project use?
Are we using Redux anywhere? | Do we use Redux anywhere?
What scripts are in package.json? | List the scripts in package.json
Explain what happens in `main` | What happens in `main`?
what does `main` do exactly | What exactly does `main` do?
How exactly does `main` work? | How does `main` work?
Rerun the failed job | Re-run the failed job
Restart the dev server | Please restart the dev server
Can you make the tests in a_test.go pass? | Make the tests in a_test.go pass
I am trying to figure out where `x_y` is set | Where is `x_y` set?
Run `make lint` | please run `make lint` for me
Kill the dev server | could you kill the dev server?
Explain the error handling in api/errors.go | Can you explain the error handling in api/errors.go to me?
What does `debounce` do? | Describe what `debounce` does
How does `Scheduler.tick` work? | Walk me through how `Scheduler.tick` works
Show me all the callers of `render_page` | Find all callers of `render_page`
List the TODOs in lib/sync | Show me the TODOs in lib/sync
Is there a test for `merge_intervals`? | Does `merge_intervals` have a test?
Set the retry count to 5 | Change the retry count to 5
Raise the timeout from 10s to 30s | Increase the timeout from 10s to 30s
Use `pathlib` instead of `os.path` in tools/scan.py | Replace `os.path` with `pathlib` in tools/scan.py
Move `parse_date` from utils.py to dates.py | Move `parse_date` out of utils.py into dates.py
Inline `get_name` in views.py | In views.py, inline `get_name`
Delete the unused function `foo_old` | Remove the unused function `foo_old`
Remove `lodash` from package.json | Delete `lodash` from package.json
Write an integration test for POST /orders | Add an integration test for POST /orders
Create a file named notes.md | Make a file called notes.md
Throw a TypeError when `n` is negative | When `n` is negative, throw a TypeError
Why is CI failing on main? | Why does CI fail on main?
What's causing the deadlock in pool.rs? | What causes the deadlock in pool.rs?
Why did the deploy fail? | What made the deploy fail?
What does exit code 137 mean? | What is the meaning of exit code 137?
What's wrong with my regex? | What is wrong with my regex?
When was `Cache` introduced? | When did we introduce `Cache`?
Install the dependencies with pnpm | Use pnpm to install the dependencies
What version of node does this need? | Which node version does this need?
Have a look at src/a.rs | Take a look at src/a.rs
Sum up the discussion in #88 | Summarise the discussion in #88
Translate README.md into German | Translate README.md to German
Make `save` atomic | `save` should be atomic, make it so
Speed up the test suite | Make the test suite faster
I'd like to know what `x_y` does | What does `x_y` do?
I was wondering why `x_y` is slow | Why is `x_y` slow?
Please could you tell me where the logs are stored? | Where are the logs stored?
What are the steps to release a new version? | How do I release a new version?
How do I run a single test? | What's the command for running a single test?
How would I add a new locale? | How do I add a new locale?
What is the easiest way to mock time? | What's the easiest way to mock time?
What happens when a job times out? | Explain what happens when a job times out
Tell me which tests cover `x_y` | Which tests cover `x_y`?
"""
