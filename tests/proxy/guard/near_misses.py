"""Near misses by family: pairs that look alike and ask for different things. One that is served is a wrong answer."""

NEAR_MISSES: dict[str, str] = {
    "extension": """
Explain what src/app.ts does | What does src/app.tsx do?
Run tests/test_api.py | Run tests/test_api.pyc
Convert config.yml to the new format | Convert config.yaml to the new format
Rename a.js to b.js | Rename a.js to b.jsx
Show me the contents of settings.json | Display the contents of settings.jsonc
Delete styles/main.css | Please remove styles/main.scss
Summarise docs/intro.md | Give me a summary of docs/intro.mdx
Open index.html | Open index.htm
Fix the type errors in src/util.c | I'd like you to fix the type errors in src/util.cc
Add a docstring to lib/net.py | Write a docstring for lib/net.pyi
Format src/mesh.h with clang-format | Use clang-format to format src/mesh.hpp
Which files import util.mjs? | List the files that import util.cjs
Export the report as CSV | Export the report as TSV
Convert all .js files to TypeScript | Convert all .jsx files to TypeScript
List all *.log files | List all *.lock files
Review Dockerfile.dev | Review Dockerfile.prod
What does setup.py do? | Explain what setup.cfg does
Save the chart as a png | Save the chart as a jpg
""",
    "identifier": """
Rename user_id to account_id | Could you rename user_ids to account_id?
Where is parseConfig defined? | Find the definition of parse_config
Where is `load` defined? | Find the definition of `Load`
What does getUser do? | Explain what getUsers does
Explain MAX_RETRIES | Explain MAX_RETRY
Delete the class FooBar | Remove the class FooBaz
Find all usages of Session.close | Where is Session.open used?
Add type hints to handle_get | Add type annotations to handle_post
What is the purpose of ctx? | What is cx for?
Why does ValueError get raised? | Why does TypeError get raised?
How does ConnectionPool work? | Explain how ConnectionPools works
Write unit tests for `slugify` | add unit tests covering `slugify_all`
Simplify `evaluate_rule` | Make `evaluate_rules` simpler
What calls Job.cancel? | Find all callers of Job.cancelled
Replace foo_a with foo_b | Use foo_b instead of foo_A
Rename the variable tmp to temp | Rename the variable tmp to tmp2
Who wrote `merge_sort`? | Who is the author of `mergeSort`?
Set `timeout_s` to 5 | Set `timeout_ms` to 5
What does foo::bar do? | What does foo::baz do?
Does self.cache exist? | Does cls.cache exist?
""",
    "quoted": """
Search for "TODO" | Look for "FIXME"
Change the title to "Welcome" | Change the title to "Welcome!"
Commit with the message "fix tests" | Commit with the message "fix test"
Find all occurrences of 'foo' | Find all occurrences of 'Foo'
Log "started" at startup | Log "stopped" at startup
Print "hello world" | Print "hello, world"
Rename the label "Save" to "Submit" | Rename the label "Submit" to "Save"
Why do I get "connection refused"? | Why do I get "connection reset"?
I'm getting "E1". How do I fix it? | I am getting "E2", how can I fix this
Replace "a" with "b" in x.txt | In x.txt, replace "b" with "a"
Set the header to "no-cache" | Set the header to "no-store"
Return "true" | Return `true`
Search for "user id" | Search for "user  id"
Add the text “Beta” to the header | Add the text "Alpha" to the header
Use "utf-8" as the encoding | Use "utf-16" as the encoding
Which file contains "secret"? | What file contains "secrets"?
Delete the line "import os" | Remove the line "import sys"
""",
    "url": """
Fetch https://example.com/a | Fetch https://example.com/b
Fetch http://example.com | Fetch https://example.com
Summarise https://a.io/docs | Give me a summary of https://a.io/doc
Clone git@github.com:a/b.git | Clone git@github.com:a/c.git
Point the client at https://api.x.io/v1 | Point the client at https://api.x.io/v2
What does https://x.io/?q=1 return? | What does https://x.io/?q=2 return?
Replace http://localhost:3000 with http://localhost:4000 | Replace http://localhost:4000 with http://localhost:3000
Download https://x.io/a.zip | Please download https://x.io/a.tar.gz
Set the webhook to https://h.io/x | Set the webhook to https://h.io/X
Open www.foo.com | Open www.foo.org
Check whether https://a.b is up | Check if https://b.a is up
Link to https://a.io#top in the README | Link to https://a.io#end in the README
Redirect /a to https://x.io/a | Redirect /b to https://x.io/a
Curl https://x.io/u/12 | Curl https://x.io/u/21
Add https://a.io to the allow list | Add https://a.io to the deny list
""",
    "code": """
Replace `x == y` with `x is y` | Replace `x == y` with `x = y`
Change `i < n` to `i <= n` | Change `i < n` to `i > n`
Explain `a[0]` | Explain `a[1]`
Why does `foo(1)` fail? | Why does `foo(2)` fail?
What does `git reset --hard` do? | What does `git reset --soft` do?
What does `ls -l` do? | Explain what `ls -a` does
Run `npm test` | Run `npm start`
Run `pytest -k a` | Execute `pytest -k b`
Pass `handler` to the router | Pass `handler()` to the router
Explain `x && y` | Explain `x || y`
Replace `foo(a, b)` with `foo(b, a)` | Replace `foo(b, a)` with `foo(a, b)`
What does `[^a]` match? | What does `[a]` match?
Wrap `await x` in a try block | Wrap `await y` in a try block
Use `const` instead of `let` | Use `let` instead of `const`
Explain `SELECT a FROM t` | Explain `SELECT b FROM t`
Add --verbose to the script | Add --quiet to the script
Fix the loop `for i in range(n)` | Fix the loop `for i in range(n+1)`
Return `null` | Return `undefined`
""",
    "plural": """
Delete the file | Delete the files
Fix the failing test | Fix the failing tests
Add a comment to foo.py | Add comments to foo.py
Write a unit test for `f` | Write unit tests for `f`
Which file imports x.y? | Which files import x.y?
Find the function that calls a.b | Find the functions that call a.b
Rename the variable in a.py | Rename the variables in a.py
Why does the import fail? | Why do the imports fail?
Explain why the login test in a.py fails | Why do the login tests in a.py fail?
Tell me why the config imports fail | Why does the config import fail?
Show the log | Show the logs
Remove the unused import from a.py | Delete the unused imports in a.py
Add a type hint to a.py | Add type annotations to a.py
Restart the server | Restart the servers
What does the helper do? | What do the helpers do?
Update the dependency | Update the dependencies
Summarise the commit | Summarise the commits
Review the pull request | Review the pull requests
Is the job running? | Are the jobs running?
Close the issue | Close the issues
Where is the setting stored? | Where are the settings stored?
Move the config to etc | Move the configs to etc
Which service uses the bucket? | Which services use the bucket?
What is the purpose of the hook? | What are the hooks for?
""",
    "tense": """
Why does the test fail? | Why did the test fail?
What did the script do? | What does the script do?
Which files changed? | Which files will change?
Who uses the API? | Who used the API?
What does the migration change? | What did the migration change?
Did the build pass? | Does the build pass?
Has the cache been cleared? | Is the cache cleared?
Is the server running? | Was the server running?
What happened on line 4? | What happens on line 4?
Why was foo removed? | Why is foo removed?
Where was the token set? | Where is the token set?
Where did we set the token? | Where do we set the token?
How did the parser work? | How does the parser work?
Will the job retry? | Does the job retry?
Are the tests passing? | Were the tests passing?
When was it deployed? | When is it deployed?
Explain what the job did | Explain what the job does
Tell me who used the key | Tell me who uses the key
Which tests failed? | Which tests are failing?
Which tests failed? | Which tests fail?
Does the app support dark mode? | Did the app support dark mode?
Where did we log the error? | Where is the error logged?
""",
    "roles": """
Does A.x call B.y? | Does B.y call A.x?
What calls foo_bar? | What does foo_bar call?
Which files import a.b? | Which files does a.b import?
Which functions call x_y? | Which functions does x_y call?
Which classes inherit from Base.X? | Which classes does Base.X inherit from?
Who does the reviewer notify? | Who notifies the reviewer?
Make the client wait for the server | Make the server wait for the client
Is the cache faster than the database? | Is the database faster than the cache?
Does the parser depend on the lexer? | Does the lexer depend on the parser?
Send the report from the worker to the api | Send the report from the api to the worker
Copy src/a.txt to src/b.txt | Copy src/b.txt to src/a.txt
Let the admin delete the user | Let the user delete the admin
Tell me what imports utils.py | Tell me what utils.py imports
Is cursors supported by the pager? | Is the pager supported by cursors?
Does the exporter support UTF-16? | Is the exporter supported by UTF-16?
Extract the logic in a.py into b.py | Extract the logic in b.py into a.py
What's the difference between a.py and b.py? | How does b.py differ from a.py?
Use a_b instead of c_d | Replace a_b with c_d
Map users to roles | Map roles to users
Swap x_a for x_b | Swap x_b for x_a
Which function writes to audit.log? | Which function does audit.log write to?
Convert `Grid` to a `Cell` | Convert `Cell` to a `Grid`
Move a_x before b_x | Move b_x before a_x
Subtract a_x from b_x | Subtract b_x from a_x
""",
    "condition": """
Delete the file | Delete the file if it's empty
Run the tests | Run the tests if the build passes
Retry the request | Retry the request unless it was cancelled
Log the error | Log the error when debug is on
Restart the worker | Restart the worker only on failure
Fix the lint errors in a.py | Fix the lint errors in a.py except the long lines
Deploy to staging | Deploy to staging once CI is green
Rename foo_a to foo_b in x.py | Rename foo_a to foo_b in x.py if it's unused
Remove the unused imports from a.py | Delete the unused imports in a.py but keep os
Upgrade lodash to 4.17.21 | Update lodash to version 4.17.21 after the release
Add type hints to a.py | Add type annotations to a.py without changing behavior
Commit the changes | Commit the changes if the tests pass
Push to main | If CI is green, push to main
Why does the test fail? | Why does the test fail on Windows?
Where is the token set? | Where is the token set when testing?
Write unit tests for `f` | add unit tests covering `f` if there are none
Format a.py with black | Use black to format a.py only when needed
Does X.y return null? | Does X.y return null when empty?
Raise an error if the list is empty | Raise an error if the list is not empty
Merge the branch | Merge the branch as long as nobody objects
Delete the branch if possible | Delete the branch
Quickly summarise a.md | Summarise a.md
Just run the tests | Run the tests
Summarise a.md in one sentence | Summarise a.md
Explain how x_y works in detail | Explain how x_y works
""",
    "object": """
Delete the cache | Delete the queue
Rename the function foo_x to bar_x | Rename the class foo_x to bar_x
Add a test for the parser | Add a docstring for the parser
Write a unit test for `f` | Write an integration test for `f`
Show the config | Show the log
Drop the `users` table | Drop the `users` column
Explain the login flow | Explain the logout flow
Add logging to a.py | Add caching to a.py
Fix the typo in a.py | Fix the bug in a.py
Create a branch named foo-x | Create a tag named foo-x
Review a.py for security problems | Review a.py for performance problems
Increase the timeout from 5 to 9 | Raise the interval from 5 to 9
Which library do we use for charts? | What library are we using for maps?
Which version of Node do we use? | What version of Python are we using?
Remove the unused imports from a.py | Delete the unused variables in a.py
What's the default value of x_y? | What's the type of x_y?
How many tests are in a.py? | How many classes are in a.py?
Where is the header set? | Where is the cookie set?
Write a commit message for the staged changes | Write a PR description for the staged changes
Run the tests | Run the linter
Update the README | Update the changelog
Extract the coupon logic into its own function | Extract the coupon logic into its own module
Explain the Parser class | Explain the Parser module
Who wrote a.py? | Who reviewed a.py?
Add unit tests for a.py | Add unit tests in a.py
Add tests in tests/x.py | Add tests for tests/x.py
What is the purpose of x_y? | What is the name of x_y?
What does x_y return? | What does x_y raise?
""",
    "scope": """
Run the tests in a/ | Run the tests in a/b/
Find all TODOs in this file | Find all TODOs in the repo
Rename x_a to x_b in this function | Rename x_a to x_b in this module
Fix the lint errors | Fix the lint errors in a.py
Delete the comments in a.py | Delete the comments
Search the repo for secrets | Search the file for secrets
Run all the tests | Run the tests
Replace tabs with spaces in a.py | Replace tabs with spaces everywhere
Replace x_a with x_b | Replace x_a with x_b everywhere
Explain the class Foo | Explain the method Foo.bar
Format the file | Format the project
Count the lines in a.py | Count the lines in src/
Update the docs | Update the API docs
Where is x_y used in a.py? | Where is x_y in a.py used?
Find all usages of x_y in src | Find all usages of x_y in tests
Is x_y used in tests? | Is x_y used anywhere?
Install the dependencies | Install the dev dependencies
Show the last commit on main | Show the last commit
Remove the console logs from the frontend | Remove the console logs from the backend
Add type hints to the public functions in a.py | Add type hints to the functions in a.py
Undo the last commit | Undo the last two commits
Refactor the module | Refactor the whole package
Is the price right here? | Is the price right?
Align the price right | Align the price
List the tests in this package | List the tests in this workspace
Find the bug in this function | Find the bug in the repo
""",
    "antonym": """
Encrypt the token | Decrypt the token
Compress the logs | Decompress the logs
Attach the debugger | Detach the debugger
Mount the volume | Unmount the volume
Lock the table | Unlock the table
Subscribe to the topic | Unsubscribe from the topic
Expand the menu | Collapse the menu
Which tests are slow? | Which tests are fast?
Make the field nullable | Make the field non-nullable
Widen the column | Narrow the column
Push the branch | Pull the branch
Import the data | Export the data
Make the check strict | Make the check lenient
Move it up | Move it down
Scale up the workers | Scale down the workers
Grant access to bob | Revoke access to bob
Use a synchronous client | Use an asynchronous client
Sort newest first | Sort oldest first
Make the sidebar wider | Make the sidebar narrower
Start the server before the tests | Start the server after the tests
Freeze the deps | Unfreeze the deps
Open the connection | Close the connection
Include hidden files | Exclude hidden files
Allow anonymous users | Forbid anonymous users
Publish the post | Unpublish the post
Is the port open? | Is the port closed?
Inline the helper | Extract the helper
Increase the limit | Decrease the limit
Enter the container | Exit the container
Prepend the header | Append the header
Minimise the bundle | Maximise the bundle
Raise the timeout to 30 | Lower the timeout to 30
Turn on the flag | Turn off the flag
Split the module | Merge the module
Downgrade lodash to 4.0.0 | Upgrade lodash to 4.0.0
""",
    "kind": """
How do I run the tests? | Run the tests
How do I delete x_y? | Why do I delete x_y?
Can x_y be null? | Should x_y be null?
Is x_y used? | Where is x_y used?
Why is x_y slow? | Is x_y slow?
Fix a.py | Review a.py
List the tests in a.py | Run the tests in a.py
What is x_y? | Where is x_y?
What is x_y? | Why is x_y?
Explain how to deploy | Deploy
How many tests fail? | Which tests fail?
Who wrote a.py? | When was a.py written?
Does the build pass? | Make the build pass
Should x_y be removed? | x_y should be removed
Can we delete the branch? | Delete the branch
Does x_y exist? | Create x_y
What does x_y do? | How does x_y work?
Find x_y | Delete x_y
Show me x_y | Explain x_y
Tell me if x_y works | Tell me how x_y works
How long does the job run? | How often does the job run?
Can I use x_y? | Must I use x_y?
Delete the file? | Delete the file.
Do we need x_y? | Why do we need x_y?
Summarise a.md | Translate a.md
I removed the file | Remove the file
x_y can be removed | x_y should be removed
""",
    "negation": """
Why does the build fail? | Why doesn't the build fail?
Tell me what x_y does | Tell me what x_y doesn't do
Run the tests | Don't run the tests
Please commit | Please don't commit
Can you delete a.py? | Can you not delete a.py?
Which tests fail? | Which tests don't fail?
Is x_y used? | Isn't x_y used?
Use caching | Never use caching
Include tests | Include no tests
Make it fail | Make it not fail
Is it possible for x_y to be null? | Is it impossible for x_y to be null?
Find files that import a.b | Find files that don't import a.b
Rename x_a to x_b, commit | Rename x_a to x_b, no commit
Would you mind deleting a.py? | Would you mind not deleting a.py?
Write tests with mocks | Write tests without mocks
I'd like you to fix a.py | I wouldn't like you to fix a.py
Why can't x_y be null? | Why can x_y be null?
What prevents the job from running? | What causes the job to run?
Make sure x_y is called | Make sure x_y is not called
""",
    "of paraphrases that are served": """
Make `a_b` return a list | Change `a_b` to a list
Change `a_b` to `c_d` | Set `a_b` to `c_d`
Make `Foo` a class | Make `Foo` call a class
Where do we log errors in a.py? | Where are errors in a.py logged?
Where do we set the token? | Where does the client set the token?
Why did we remove `x_y`? | Why do we remove `x_y`?
Which files did the last commit change? | Which files does the last commit change?
Which functions are called by `main`? | Which functions call `main`?
Which functions does `main` call? | Which functions are calling `main`?
Is `a_b` called by `c_d`? | Does `a_b` call `c_d`?
List the tests that cover `x_y` | List the tests that `x_y` covers
List all files that are imported by a.py | List all files that import a.py
Show me the function that parses dates | Which functions parse dates?
Find a function that parses dates | Find the function that parses dates
Add a test for a.py | Add a test to a.py
Drop the `age` column | Add the `age` column
Drop the `age` column from `users` | Drop the `age` column from `orders`
How many tests are there? | How many tests do we need?
Count the tests in a.py | Count the tests
Show the tests | Run the tests
Show the issues | Close the issues
What is the cause of the crash? | What is the effect of the crash?
What does `core` depend on? | What depends on `core`?
Give me an example of a cache | Give me a cache
What changed since v1.2? | What changed before v1.2?
Use black to format a.py | Use black to check a.py
Write tests for a.py using pytest | Write tests for pytest using a.py
Why is the build red? | Why is the build green?
Write a unit test for `add` that covers zero | Write a unit test for `zero` that covers add
Explain line 3 of a.py | Explain line 3 of b.py
Explain lines 3 of a.py | Explain line 3 of a.py
Rename every occurrence of `a_b` to `c_d` | Rename the first occurrence of `a_b` to `c_d`
Replace all `a_b` with `c_d` | Replace one `a_b` with `c_d`
Replace every println with log.info | Replace println with log.info
Delete every other file | Delete all files
Delete each file | Delete a file
Read every third line | Read all lines
What happens if x_y is null? | What happens unless x_y is null?
Is there a test for x_y? | Is there no test for x_y?
Are there any tests for x_y? | Are there tests for x_y?
Do we have a helper for slugs? | Do we need a helper for slugs?
Is there a way to skip tests? | Is there a need to skip tests?
Can I skip tests? | May I skip tests?
What size is the image? | What type is the image?
Set the value of x_y to 3 | Show the value of x_y
Update x_y so that it logs errors | Update x_y so that it hides errors
Change x_y so it returns 3 | Change x_y so it returned 3
Make x_y return 3 | Make x_y returns 4
In a.py, fix the typo | In a.py, find the typo
There's a typo in a.py, fix it | There's a typo in a.py, ignore it
There's a typo in a.py, fix it | There was a typo in a.py, fix it
a.py has a typo, fix it | a.py has typos, fix them
a.py needs tests, write them | a.py needs comments, write them
x_y should be removed | x_y should be renamed
Tell me whether x_y is used | Tell me where x_y is used
Find out who wrote a.py | Find out who reads a.py
Read a.py and tell me what it does | Read a.py and tell me what it needs
Look at a.py and fix the bug | Look at b.py and fix the bug
Check a.py for typos | Check a.py for tests
Which tests are failing? | Which tests were failing?
Which library do we use for charts? | Which library should we use for charts?
What's the latest version of react? | What's the oldest version of react?
Is x_y already used? | Is x_y still used?
Do we already have a helper for x_y? | Do we currently have a helper for x_y?
Why is x_y needed? | Why is x_y ignored?
How is x_y tested? | How is x_y used?
List the arguments of x_y | List the callers of x_y
What does the error "x" mean? | What causes the error "x"?
Commit with the message "a" | Amend with the message "a"
Create a pull request | Close the pull request
Rebase feature/a onto feature/b | Rebase feature/b onto feature/a
Add lodash as a dependency | Add lodash as a dev dependency
Squash the last 3 commits | Squash the last 3 commits into two
Write a function to parse dates | Write a function to format dates
Write a function that parses dates | Write functions that parse dates
Add a hook to log errors | Add a log to hook errors
Move the validation into a helper | Move the validation out of a helper
Extract x_y into its own file | Extract x_y into its own module
Give x_y a docstring | Give x_y a name
How exactly does x_y work? | How well does x_y work?
Who last changed a.py? | Who first changed a.py?
When was a.py last changed? | When was a.py first changed?
Restart the server on port 3000 | Restart the server at 3000
Show me the first 10 lines of a.py | Show me the last 10 lines of a.py
Summarise a.md for me | Summarise a.md for the team
Explain a.py to me | Explain a.py to a beginner
Set x_y to true | Set x_y to null
Turn on x_y in tests | Turn on x_y in prod
Please don't forget to run the tests | Please run the tests
Run the tests, please don't commit | Run the tests, please commit
Would you mind explaining a.py? | Would you mind deleting a.py?
Should tests be run? | Run tests
If possible, delete a.py | Delete a.py
Delete a.py if you can | Delete a.py
Delete a.py later | Delete a.py
Delete a.py first | Delete a.py
Also delete a.py | Delete a.py
Delete a.py again | Delete a.py
Delete only a.py | Delete a.py
Only delete a.py | Delete a.py
Briefly explain a.py | Explain a.py
Explain a.py in French | Explain a.py
Explain what a.py does and why | Explain what a.py does
What does a.py do and how? | What does a.py do?
Where is x_y defined and used? | Where is x_y defined?
Show me where x_y is defined and delete it | Show me where x_y is defined
Find the definition of x_y and rename it | Find the definition of x_y
Run the tests and lint | Run the tests
Upgrade lodash to 4.17.21 and react to 18 | Upgrade lodash to 4.17.21
Rename x_a to x_b and x_c to x_d | Rename x_a to x_d and x_c to x_b
Rename x_a and x_b to x_c | Rename x_a to x_b and x_c
Delete x_a and keep x_b | Delete x_b and keep x_a
Tests for x_y in a.py: add them | Tests for x_y in b.py: add them
Do not run tests. Commit. | Run tests. Do not commit.
Has a function that returns 3 been added? | Write a function that returns 3
Have the tests passed? | Make the tests pass
Show me the definition of `Foo` | Where is `Foo` defined?
Explain the changes in v2.0 | List the changes in v2.0
""",
}


def pairs_of(table: str) -> list[tuple[str, str]]:
    """The pairs of a table with one pair a line, `one | other`."""
    rows = (row.split(" | ") for row in table.strip().splitlines())
    return [(one.strip(), other.strip()) for one, other in rows]
