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
Does `parse` handle empty input? | Is empty input handled by `parse`?
Who wrote src/db.py? | Who is the author of src/db.py?
When was `login` last changed? | When did `login` last change?
Why is the build failing? | What is causing the build to fail?
Why is `test_login` failing? | Tell me why `test_login` fails
Why does the server crash on startup? | What makes the server crash on startup?
Add a docstring to `parse_args` | Write a docstring for `parse_args`
Add logging to src/worker.py | Put logging in src/worker.py
Add a unit test for `slugify` | Write a unit test for `slugify`
Move `format_date` to src/utils.py | `format_date` should be moved to src/utils.py
Replace `moment` with `dayjs` in src/app.js | In src/app.js, use `dayjs` instead of `moment`
Delete src/old.py | Get rid of src/old.py
Create a branch called feature/x | Make a new branch named feature/x
Commit the changes with the message "fix" | Commit the changes, using the message "fix"
Commit my changes | Make a commit with my changes
Open a pull request for this branch | Create a PR for this branch
Squash the last 3 commits | Squash the last 3 commits into one
Add `lodash` to the dependencies | Add `lodash` as a dependency
Refactor src/a.py to use async/await | Rewrite src/a.py so that it uses async/await
Split src/big.py into smaller modules | Break src/big.py up into smaller modules
Fix the bug in src/cart.ts | There is a bug in src/cart.ts, please fix it
The test in tests/test_a.py is failing. Fix it. | Fix the failing test in tests/test_a.py
What arguments does `connect` take? | Which parameters does `connect` accept?
What arguments does `connect` take? | What are the arguments of `connect`?
What type does `load` return? | What is the return type of `load`?
Show me the git log for src/a.py | Show the history of src/a.py
Show the diff between main and dev | Diff main and dev
What changed in the last commit? | Show me what changed in the last commit
Show the last 5 commits | List the 5 most recent commits
Explain this error: "x" | What does this error mean: "x"?
What does the error "x" mean? | Explain the error "x"
How do I set up the dev environment? | What are the steps to set up the dev environment?
How do I install the dependencies? | How can I install the dependencies?
How is `Session` initialised? | How does `Session` get initialised?
Which test covers `parse`? | What test covers `parse`?
Are there tests for `parse`? | Do we have tests for `parse`?
Is there a test for `parse`? | Do we have a test for `parse`?
What is `ctx`? | Tell me what `ctx` is
What Python version does this project use? | Which version of Python does this project use?
Which branch am I on? | What branch am I on?
Which branch am I on? | What's the current branch?
Translate the comments in a.py to English | Translate the comments in a.py into English
Document the `Cache` class | Write documentation for the `Cache` class
Clean up the imports in a.py | Tidy up the imports in a.py
Bump the version to 2.1.0 | Update the version to 2.1.0
Bump the version in package.json to 2.1.0 | In package.json, bump the version to 2.1.0
Change the port from 3000 to 8080 in server.js | In server.js, change the port from 3000 to 8080
Change the timeout to 30 | Set the timeout to 30
Lower the log level to warning | Reduce the log level to warning
Disable the cache in tests | Turn off the cache in tests
Enable strict mode in tsconfig.json | Turn on strict mode in tsconfig.json
Make `name` optional in `User` | In `User`, make `name` optional
Add a `--dry-run` flag to deploy.sh | Add a flag `--dry-run` to deploy.sh
Add an option called `--quiet` to cli.py | Add a `--quiet` option to cli.py
Write a function that reverses a string | Implement a function that reverses a string
Write a function that reverses a string | I need a function that reverses a string
Write a script to back up the database | Write a script that backs up the database
Compare a.py and b.py | Compare a.py with b.py
What are the differences between a.py and b.py? | How do a.py and b.py differ?
Review the changes in this PR | Could you review the changes in this pull request?
Are there any unused functions in src/? | Does src/ have any unused functions?
List the classes in src/a.py | What classes are in src/a.py?
Which endpoints require authentication? | List the endpoints that require authentication
Which tests are skipped? | Show me the tests that are skipped
What environment variables does the app need? | Which env vars does the app need?
Which environment variables does the app need? | List the environment variables the app needs
What does the CI pipeline do? | Describe what the CI pipeline does
Walk me through the login flow | Explain the login flow
Can you walk me through how payments work? | Explain how payments work
Start the server | Please start the server for me
Build the project | Could you build the project?
Deploy to staging | Please deploy to staging
Stop the dev server | Shut down the dev server
How big is the database? | What's the size of the database?
How long does `npm test` take? | How much time does `npm test` take?
Extract the validation into a helper function | Move the validation into a helper function
Rename `a_b` to `c_d` everywhere | Rename all occurrences of `a_b` to `c_d`
Remove all console.log statements from src/ | Delete every console.log statement in src/
Remove the `debug` flag | Delete the `debug` flag
Add type annotations to `merge` | Annotate `merge` with types
Convert `User` to a dataclass | Make `User` a dataclass
Convert callbacks to promises in api.js | In api.js, convert the callbacks to promises
Convert the tests from unittest to pytest | Migrate the tests from unittest to pytest
Write a migration that adds an `email` column to `users` | Create a migration adding an `email` column to `users`
Add an index on `users.email` | Create an index on `users.email`
Explain line 42 of a.py | What does line 42 of a.py do?
What does line 42 of a.py do? | Explain what line 42 of a.py does
Why is `lock` needed? | Why do we need `lock`?
Can `x_y` be null? | Is it possible that `x_y` is null?
Where do errors get logged? | Where are errors logged?
Find the code that sends emails | Where do we send emails?
Where is the code that sends emails? | Find the code that sends emails
Find the test for `slugify` | Where is the test for `slugify`?
Where are the tests for `slugify`? | Find the tests for `slugify`
Locate the config file | Where is the config file?
Search for "TODO" in src/ | Search src/ for "TODO"
Open src/a.py and explain it | Explain src/a.py
Read src/a.py and tell me what it does | What does src/a.py do?
Look at src/a.py and fix the bug | Fix the bug in src/a.py
Make sure all tests pass | Ensure that all the tests pass
Check if the tests pass | Do the tests pass?
Is a.json valid? | Can you check if a.json is valid?
Resolve the merge conflict in a.py | Fix the merge conflict in a.py
Rebase this branch on main | Rebase this branch onto main
What's the name of the main class in app.py? | What is the main class in app.py called?
Add a comment explaining the regex | Add a comment that explains the regex
Write a test that reproduces the bug in issue #12 | Write a test reproducing the bug in issue #12
Implement the function `sum_all` in a.py | In a.py, implement `sum_all`
Raise a ValueError if the list is empty | If the list is empty, raise a ValueError
Return early when `x_y` is None in `handle` | In `handle`, return early when `x_y` is None
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
We need to upgrade react to 18.2.0 | Upgrade react to 18.2.0
Go ahead and merge the branch | Merge the branch
Why does `load_user` return None? | How come `load_user` returns None?
Why do we use Redis? | What's the reason we use Redis?
Where do we handle webhooks? | Where are webhooks handled?
Which module handles webhooks? | What module handles webhooks?
Which environment variables does api/main.py read? | List the environment variables read by api/main.py
Add `dist/` to .gitignore | Make git ignore `dist/`
How many lines does a.py have? | Count the lines in a.py
Explain the purpose of `nonce` | What is `nonce` for?
Give me an example of how to use `Cache` | Show me an example of how to use `Cache`
Check out the branch feature/x | Switch to the feature/x branch
What does HTTP 429 mean? | What's the meaning of HTTP 429?
The README has a typo, fix it | Fix the typo in the README
There's a typo in docs/a.md, fix it | Fix the typo in docs/a.md
`slugify` should lowercase its input, make it so | Make `slugify` lowercase its input
please can you run the linter | Run the linter
can u fix the failing test in tests/test_a.py | Fix the failing test in tests/test_a.py
Which commit introduced `x_y`? | What commit introduced `x_y`?
When was `x_y` added? | When did we add `x_y`?
Who added `x_y`? | By whom was `x_y` added?
Show me every file that imports `x.y` | Which files import `x.y`?
Find all the functions that call `x.y` | Which functions call `x.y`?
Which functions are called by `main`? | Which functions does `main` call?
Explain why `x_y` is slow | What makes `x_y` slow?
Update `handler` so that it logs errors | Change `handler` so that it logs errors
Downgrade react to 17.0.2 | Go back to version 17.0.2 of react
Set the version to 1.2.3 in setup.py | In setup.py, set the version to 1.2.3
Show the first 10 lines of a.csv | Print the first 10 lines of a.csv
Show the first 10 lines of a.csv | Show me the first 10 lines of a.csv
Write the release notes for 2.1.0 | Draft the release notes for 2.1.0
Write a regex that matches an email address | I need a regex that matches an email address
Regenerate the lock file | Re-generate the lockfile
Is there a memory leak in worker.js? | Does worker.js have a memory leak?
Are there race conditions in pool.go? | Does pool.go have race conditions?
What are the dependencies of `core`? | What does `core` depend on?
List the open issues | Show me the open issues
How does the cache get invalidated? | How is the cache invalidated?
Can you explain the algorithm in sort.c to me? | Explain the algorithm in sort.c
Delete the branch feature/old | Remove the feature/old branch
Use `logging` instead of print in a.py | Replace print with `logging` in a.py
Merge dev into main | Please merge dev into main.
Rebase feature/x onto main | Rebase feature/x on top of main
I'm on Windows. How do I install make? | I am on Windows, how can I install make?
I get a 500 from /api/login. Why? | Why do I get a 500 from /api/login?
`npm run build` fails. Why? | Why does `npm run build` fail?
The test `test_x` is flaky. Why? | Why is the test `test_x` flaky?
Why isn't `hook` called? | Why is `hook` not called?
What keeps the worker from starting? | Why doesn't the worker start?
Tell me how many tests failed | How many tests failed?
Tell me whether `x_y` is thread-safe | Is `x_y` thread-safe?
Is `x_y` thread safe? | Find out if `x_y` is thread safe
Could you check whether a.py is covered by tests? | Is a.py covered by tests?
Show me what changed in a.py | What changed in a.py?
What has changed since v1.2.0? | What changed since v1.2.0?
Give me the definition of `Foo` | Show me the definition of `Foo`
In which file is `Foo` defined? | Which file defines `Foo`?
Which file defines `Foo`? | Where is `Foo` defined?
Where's the `Foo` class defined? | Where is the class `Foo` defined?
What is the latest version of react? | What's the newest version of react?
Reduce the batch size from 64 to 32 | Lower the batch size from 64 to 32
Make tests/test_a.py pass | Get tests/test_a.py to pass
Sort `users` by name | Order `users` by name
Sort the imports in a.py with isort | Use isort to sort the imports in a.py
Generate API docs with sphinx | Use sphinx to generate API docs
Test `parse` with hypothesis | Use hypothesis to test `parse`
Write tests for `parse` using pytest | Use pytest to write tests for `parse`
Find the cause of the crash in main.c | What causes the crash in main.c?
What is causing the timeout in a.py? | What causes the timeout in a.py?
What's the cause of the memory leak? | What causes the memory leak?
Add a CHANGELOG entry for this change | Write a CHANGELOG entry for this change
Implement pagination in /users | Add pagination to /users
Add a new endpoint /health | Create an endpoint /health
Add an endpoint that returns the version | Create an endpoint returning the version
Explain the caching strategy in src/cache.py | Describe the caching strategy in src/cache.py
Why was `foo_bar` removed? | Why did we remove `foo_bar`?
What is the fastest way to run the tests? | What's the quickest way to run the tests?
Turn off debug logging in settings.py | Disable debug logging in settings.py
Is `x_y` deprecated? | Tell me whether `x_y` is deprecated
Which team owns payments/? | What team owns payments/?
Show me all the routes | List all the routes
What routes does the app have? | List the routes of the app
What does the `--force` flag do? | Explain what the `--force` flag does
Is there any documentation for the API? | Do we have any docs for the API?
Write a unit test for `add` that covers negative numbers | Add a unit test for `add` covering negative numbers
Generate unit tests for `add` | Create unit tests for `add`
Please write me a unit test for `add` | Write a unit test for `add`
I'd like a unit test for `add` | Write a unit test for `add`
Could you give me a quick summary of docs/a.md? | Give me a quick summary of docs/a.md
Rename the file a.py to b.py | Rename a.py to b.py
Change `a_b` to return a list | Make `a_b` return a list
Make `a_b` return a list instead of a tuple | `a_b` should return a list instead of a tuple, make it so
Make `a_b` accept a string | Change `a_b` so that it accepts a string
Set up CI for this repo | Set up CI for the repo
Add a GitHub workflow that runs the tests | Create a GitHub workflow that runs the tests
Fix the lint errors in a.py | Fix lint errors in a.py
Fix the lint errors | Resolve the lint errors
Fix all the lint errors in src/ | Fix all lint errors in src/
Remove dead code from a.py | Delete the dead code in a.py
Remove trailing whitespace in a.py | Strip trailing whitespace from a.py
Drop support for Python 3.8 | Remove support for Python 3.8
Drop the `age` column from `users` | Remove the `age` column from `users`
Add a `created_at` field to `Order` | Add a field called `created_at` to `Order`
Give `Order` a `created_at` field | Add a `created_at` field to `Order`
What are the open TODOs in src/? | List the open TODOs in src/
What tests are failing? | Which tests fail?
Show me the failing tests | List the failing tests
Which line throws the error? | What line throws the error?
What happens when the queue is full? | Tell me what happens when the queue is full
How many endpoints are there? | Count the endpoints
How many endpoints do we have? | How many endpoints are there?
When does the cache expire? | Tell me when the cache expires
When do sessions expire? | Explain when sessions expire
Who is responsible for core/? | Who's responsible for core/?
Could you tell me who owns core/? | Who owns core/?
In a.ts, replace `var` with `const` | Replace `var` with `const` in a.ts
Use `const` instead of `var` in a.ts | Replace `var` with `const` in a.ts
Increase the memory limit to 2GB | Raise the memory limit to 2GB
Log every request | Log all requests
Log all requests to the API | Log every request to the API
Delete all merged branches | Remove every merged branch
Push to origin/dev | Please push to origin/dev
Commit this with the message "wip" | Commit this, message "wip"
Amend the last commit | Please amend the last commit
Show the last commit | Show me the last commit
Show the diff of the last commit | Show me the diff of the last commit
Which files did the last commit change? | Which files were changed by the last commit?
Does this project have a license? | Is there a license in this project?
What license does this project use? | Which license does the project use?
Do we use TypeScript? | Is TypeScript used?
Are we using Redux anywhere? | Do we use Redux anywhere?
What scripts are in package.json? | List the scripts in package.json
Explain what happens in `main` | What happens in `main`?
What is `main` doing? | What does `main` do?
what does `main` do exactly | What exactly does `main` do?
How exactly does `main` work? | How does `main` work?
Rerun the failed job | Re-run the failed job
Restart the dev server | Please restart the dev server
Can you make the tests in a_test.go pass? | Make the tests in a_test.go pass
Can you have a look at why `ci` is failing? | Why is `ci` failing?
Take a look at why `ci` fails | Why does `ci` fail?
I am trying to figure out where `x_y` is set | Where is `x_y` set?
Run `make lint` | please run `make lint` for me
Kill the dev server | could you kill the dev server?
Explain the error handling in api/errors.go | Can you explain the error handling in api/errors.go to me?
What does `debounce` do? | Describe what `debounce` does
How does `Scheduler.tick` work? | Walk me through how `Scheduler.tick` works
Show me all the callers of `render_page` | Find all callers of `render_page`
Where in the code do we validate the JWT? | Where do we validate the JWT?
Which file contains the `OrderStatus` enum? | What file is the `OrderStatus` enum in?
List every route that requires admin rights | Which routes require admin rights?
List the TODOs in lib/sync | Show me the TODOs in lib/sync
How many open issues are there? | What's the number of open issues?
Is there a test for `merge_intervals`? | Does `merge_intervals` have a test?
Are there any tests for the billing module? | Does the billing module have any tests?
Is `feature_x` enabled in production? | Check if `feature_x` is enabled in production
Change the button colour to blue in Button.tsx | In Button.tsx, change the button color to blue
Set the retry count to 5 | Change the retry count to 5
Raise the timeout from 10s to 30s | Increase the timeout from 10s to 30s
The default page size should be 50, change it | Change the default page size to 50
Use `pathlib` instead of `os.path` in tools/scan.py | Replace `os.path` with `pathlib` in tools/scan.py
Move `parse_date` from utils.py to dates.py | Move `parse_date` out of utils.py into dates.py
Extract the SQL in report.py into a constant | Pull the SQL in report.py out into a constant
Inline `get_name` in views.py | In views.py, inline `get_name`
Delete the unused function `foo_old` | Remove the unused function `foo_old`
Remove `lodash` from package.json | Delete `lodash` from package.json
Add a `--json` flag to the CLI | Give the CLI a `--json` flag
Add a test that checks that `add` rejects strings | Write a test that checks that `add` rejects strings
Write an integration test for POST /orders | Add an integration test for POST /orders
Create a Dockerfile for the worker | Write a Dockerfile for the worker
Create a file named notes.md | Make a file called notes.md
Generate a migration for the new column | Create a migration for the new column
Handle the case where `user` is null in greet.js | In greet.js, handle the case where `user` is null
Throw a TypeError when `n` is negative | When `n` is negative, throw a TypeError
Fix the flaky test in spec/cart_spec.rb | The test in spec/cart_spec.rb is flaky, fix it
Fix the memory leak in the image loader | There is a memory leak in the image loader. Fix it.
The build is broken, fix it | Fix the build
Why is CI failing on main? | Why does CI fail on main?
What's causing the deadlock in pool.rs? | What causes the deadlock in pool.rs?
Why did the deploy fail? | What made the deploy fail?
What does exit code 137 mean? | What is the meaning of exit code 137?
What's wrong with my regex? | What is wrong with my regex?
Create a new branch called fix/login from main | From main, create a new branch called fix/login
Check out the branch release/1.4 | Check out release/1.4
Show the commits since v2.0.0 | List the commits since v2.0.0
Show me the diff for src/app.ts | What's the diff for src/app.ts?
When was `Cache` introduced? | When did we introduce `Cache`?
Install the dependencies with pnpm | Use pnpm to install the dependencies
Install `ruff` as a dev dependency | Add `ruff` as a dev dependency
Upgrade all dependencies | Update all dependencies
What version of node does this need? | Which node version does this need?
Have a look at src/a.rs | Take a look at src/a.rs
Sum up the discussion in #88 | Summarise the discussion in #88
Translate README.md into German | Translate README.md to German
Make `save` atomic | `save` should be atomic, make it so
Speed up the test suite | Make the test suite faster
Clean up tmp/ | Tidy up tmp/
Log the request id in middleware.py | In middleware.py, log the request id
Mock the S3 client in tests/test_up.py | In tests/test_up.py, mock out the S3 client
Skip the test `test_net` on Windows | On Windows, skip the test `test_net`
Rename the `data` variable to `payload` | Rename the variable `data` to `payload`
Rename the class `Foo` to `Bar` and update the imports | Rename class `Foo` to `Bar` and update the imports
Sort `items` by price | Order `items` by price
I'd like to know what `x_y` does | What does `x_y` do?
I was wondering why `x_y` is slow | Why is `x_y` slow?
Please could you tell me where the logs are stored? | Where are the logs stored?
What are the steps to release a new version? | How do I release a new version?
How do I run a single test? | What's the command for running a single test?
How can we make the build faster? | How could we make the build faster?
How would I add a new locale? | How do I add a new locale?
What is the easiest way to mock time? | What's the easiest way to mock time?
What happens when a job times out? | Explain what happens when a job times out
Tell me which tests cover `x_y` | Which tests cover `x_y`?
"""
