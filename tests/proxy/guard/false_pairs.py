"""Pairs that ask for different things, by what makes them look alike. One that is served is a wrong answer."""

FALSE_PAIRS: dict[str, str] = {
    "a sentence that is lost": r"""
Delete src/a.py. Thanks. Fix it. | Delete src/b.py. Thanks. Fix it.
Open src/a.py. OK. Run it. | Open src/b.py. OK. Run it.
Delete the users table. Please. Test it. | Create the users table. Please. Test it.
""",
    "a place that belongs to something else": r"""
Refactor FooBar to use the helper in utils.py. | Refactor FooBar in utils.py to use the helper.
Replace foo_bar with the constant in config.py. | Replace foo_bar in config.py with the constant.
Set max_size to the value in config.py. | Set max_size in config.py to the value.
Rename foo_bar to the name in spec.md. | Rename foo_bar in spec.md to the name.
Change parse_date to use the regex in patterns.py. | Change parse_date in patterns.py to use the regex.
Make the app use the logger in log.py. | Make the app in log.py use the logger.
Convert the output to the format in spec.md. | Convert the output in spec.md to the format.
Remove the import in a.py from b.py. | Remove the import from b.py in a.py.
Extract the parser into the module in utils.py. | Extract the parser in utils.py into the module.
What does parse_date do in main.py? | What does parse_date in main.py do?
Change the client so that it uses the settings in prod.py. | Change the client in prod.py so that it uses the settings.
Find the callers of the functions in a.py. | In a.py, find the callers of the functions.
Split the class into the modules in layout.md. | Split the class in layout.md into the modules.
Replace all prints with the logger in log.py. | Replace all prints in log.py with the logger.
Review the schema for the problems in notes.md. | Review the schema in notes.md for the problems.
""",
    "a place in front": r"""
In README.md, explain how to run the tests. | How do I run the tests in README.md?
In CONTRIBUTING.md, explain why we use black. | Why do we use black in CONTRIBUTING.md?
Describe how to run the tests in README.md. | How do I run the tests in README.md?
In the docs, describe how the cache works. | How does the cache work in the docs?
In a comment, explain what parse_date does. | What does parse_date do in a comment?
In tests, move the fixtures to conftest.py. | Move the fixtures to conftest.py in tests.
In src/a.py, import the helper. | Import the helper in src/a.py.
""",
    "verbs with two meanings": r"""
Extract archive.zip into build/. | Move archive.zip into build/.
Extract data.tar.gz to /tmp/x. | Move data.tar.gz into /tmp/x.
Extract backup.zip to data/. | Factor backup.zip into data/.
Rewrite the helper in src/util.py. | Port the helper to src/util.py.
Rewrite parse_date in src/util.py. | Convert parse_date to src/util.py.
Reimplement parse_date in src/util.py. | Port parse_date to src/util.py.
Refactor utils.py using sed. | Refactor utils.py to use sed.
Rewrite history with git-filter-repo. | Make history use git-filter-repo.
Refactor the parser using the IDE. | Make the parser use the IDE.
Rewrite the query with care. | Switch the query to care.
Check out src/a.py. | git checkout src/a.py
Check out src/a.py. | Switch to the src/a.py branch.
""",
    "a tool or a part": r"""
Delete the tests using unittest. | Use unittest to delete the tests.
Update the services using redis. | Use redis to update the services.
Fix the modules using eval. | Use eval to fix the modules.
Refactor the classes using threading. | Use threading to refactor the classes.
Review the endpoints using sessions. | Use sessions to review the endpoints.
Deploy the frontend with the backend. | Use the backend to deploy the frontend.
Generate the client with docstrings. | Use docstrings to generate the client.
Build the image with the tests. | Let the tests build the image.
Compile the app with debug symbols. | Have debug symbols compile the app.
Install the server with the client. | Use the client to install the server.
Run the app with debug logging. | Have debug logging run the app.
Validate the form with errors. | Use errors to validate the form.
Test the parser with the lexer. | Let the lexer test the parser.
Run the tests with coverage. | Let coverage run the tests.
Mock the clock with the database. | Have the database mock the clock.
""",
    "new or brought in": r"""
Add a library for date parsing. | Write a library for date parsing.
Add a library for date parsing. | Create a library for date parsing.
Add a package that parses dates. | Write a package that parses dates.
I need a library that parses YAML. | Implement a library that parses YAML.
Add an ORM. | Create an ORM.
Add an HTTP client. | Create an HTTP client.
Add a plugin. | Create a plugin.
Add a framework for testing. | Implement a framework for testing.
Introduce a linter. | Create a linter.
Add a template engine. | Create a template engine.
Add a user to the admin group. | Create a user to the admin group.
Compose foo_bar and baz_qux. | Write foo_bar and baz_qux.
Compose the functions. | Write the functions.
Resolve the symlink in deploy.sh. | Fix the symlink in deploy.sh.
Resolve the path in a.py. | Repair the path in a.py.
Resolve the dependencies. | Fix the dependencies.
Resolve the promise. | Fix the promise.
Divide the columns by 100. | Split the columns by 100.
Lower the name in a.py. | Reduce the name in a.py.
Lower the strings. | Reduce the strings.
Eliminate the errors in src/a.py. | Delete the errors in src/a.py.
Get rid of the warnings. | Delete the warnings.
Name the volumes in docker-compose.yml. | List the volumes in docker-compose.yml.
Name all threads. | List all threads.
Name the constraints. | List the constraints.
Name all the steps in ci.yml. | Print all the steps in ci.yml.
See src/a.py. | Show src/a.py.
Feel free to delete the tests. | Delete the tests.
""",
    "a question of what one can or thinks": r"""
Would you split this module? | Split this module.
Would you use Redis here? | Use Redis here.
Can you use async functions in Django? | Use async functions in Django.
Can you mock a property in pytest? | Mock a property in pytest.
Can you nest routes in Vue? | Nest routes in Vue.
Can you import a class from a YAML file? | Import a class from a YAML file.
Could you rebase without losing commits? | Rebase without losing commits.
Would you delete the column? | Delete the column.
Delete foo.py, right? | Delete foo.py.
The cache is enabled, right? | The cache is enabled.
So, the tests pass? | The tests pass.
The build is green. Right? | The build is green.
So, we delete the table? | We delete the table.
The migration ran, ok? | The migration ran.
Is it possible that the cache is disabled? | Can the cache be disabled?
Is it possible that foo_bar is called twice? | Can foo_bar be called twice?
Is it possible that the config is overridden? | Can the config be overridden?
Can I delete foo.py? | Is there a way to delete foo.py?
How do we send emails? | How do I send emails?
How do we sanitize input? | How do I sanitize input?
How do we name branches? | What command do I run to name branches?
How do you store sessions? | What do I type to store sessions?
Show the implementation of parse_date. | Which file contains the implementation of parse_date?
Show me the definition of FooBar. | Which file is FooBar defined in?
Give me the implementation of parse_date. | Where is parse_date implemented?
Why does the login fail for me? | Why does the login fail?
Does it work for me? | Does it work?
Is the page slow for me? | Is the page slow?
""",
    "a question or a thing to build": r"""
Check if the token is null in parse_date. | Is the token null in parse_date?
Check if the user exists in save_user. | Does the user exist in save_user?
Check if the file exists before the upload. | Does the file exist before the upload?
Show if the user is online. | Is the user online?
Show how many items are in the cart. | How many items are in the cart?
Show who wrote the comment in the sidebar. | Who wrote the comment in the sidebar?
Show why the login failed. | Why did the login fail?
Show when the job last ran. | When did the job last run?
Display all users that are active. | Which users are active?
""",
    "names that are words": r"""
Rename dir to out_dir. | Rename folder to out_dir.
Rename db to conn_x. | Rename database to conn_x.
Rename foo_bar to config. | Rename foo_bar to configuration.
Rename foo_bar to colour. | Rename foo_bar to color.
Rename foo_bar to cancelled. | Rename foo_bar to canceled.
Rename colour to color. | Rename color to colour.
Rename grey to gray everywhere. | Rename gray to grey everywhere.
Replace colour with color in a.py. | Replace color with colour in a.py.
Create a branch named docs. | Create a branch named documentation.
Delete the docs folder. | Delete the documentation folder.
Rename the app folder to application. | Rename the application folder to app.
Rename func to function in a.go. | Rename function to func in a.go.
Replace var with let in src/a.js. | Replace variable with let in src/a.js.
Rename regex to regexp. | Rename regexp to regex.
Replace TODO with FIXME. | Replace todo with FIXME.
Replace JS with JavaScript in README.md. | Replace JavaScript with JS in README.md.
Rename I to count_items. | Rename i to count_items.
What does dir do? | What does folder do?
What does var do? | What does variable do?
Move a.py to app. | Move a.py to application.
Replace dont with do not in a.md. | Replace do not with dont in a.md.
Replace "don't" with dont. | Replace "don't" with do not.
Replace folder with directory in the docs. | Replace directory with folder in the docs.
Replace licence with license. | Replace license with licence.
Use behaviour instead of behavior. | Use behavior instead of behaviour.
Rename repo to repository. | Rename repository to repo.
Rename param to parameter. | Rename parameter to param.
Rename db to database. | Rename database to db.
Replace "env var" with environment variable. | Replace "env var" with env var.
Is asynchronous the same as async? | Is async the same as asynchronous?
Is a race condition a data race? | Is a data race a race condition?
Is dead code unreachable code? | Is unreachable code dead code?
Find dead code in src/a.py. | Find unreachable code in src/a.py.
Find race conditions in pool.go. | Find data races in pool.go.
Fix the race condition in pool.go. | Fix the data race in pool.go.
""",
    "whose, and which": r"""
Show my commits. | Show the commits.
List my branches. | List the branches.
List my pull requests. | List the pull requests.
Show my last 5 commits. | Show the last 5 commits.
List my issues. | List our issues.
What is the port? | What is port?
Explain the regex. | Explain regex.
What is the index? | What is index?
What is the container? | What is container?
""",
    "marks that are meant": r"""
Split the line on ; | Split the line on .
Split the string on ! | Split the string on .
Terminate each line with ; | Terminate each line with .
Move build/out.txt to .. | Move build/out.txt to .
Copy src/a.py to .. | Copy src/a.py to .
List the files in .. | List the files in .
Run git add . | Run git add
Show git log origin/main.. | Show git log origin/main
Explain User.save! | Explain User.save
Remove User.save! | Remove User.save
Please explain User.valid? | Please explain User.valid
Replace ... with foo_bar | Replace . with foo_bar
Replace ; with foo_bar | Replace . with foo_bar
Replace "foo" with 'foo' | Replace 'foo' with "foo"
Add a tag to release v1.2 | Create a tag that releases v1.2
Add a step to build 42 | Add a step building 42
Compute 5! | Compute 5
Session is slow, make it faster. | session is slow, make it faster.
User should be deleted. | user should be deleted.
Delete x; y | Delete x. y
Sort by a, then b | Sort by a then b
Get data.json to server1 | Make data.json server1
Assign the issue to alice | Set alice to the issue
""",
    "of the report's frames and lists": r"""
Write a test that calls the helper in utils.py | Write a test in utils.py that calls the helper
Write a function that reads the settings in config.py | Write a function in config.py that reads the settings
Make the app use the logger in log.py | Make the app in log.py use the logger
Add the values in totals.csv | Insert the values into totals.csv
List the callers of parse_date | List the callers in parse_date
List the tests of utils.py | List the tests in utils.py
How many callers does parse_date have? | How many callers are in parse_date?
Does utils.py have any tests? | Are there any tests in utils.py?
Does utils.py have any callers? | Are there any callers in utils.py?
Does utils.py have a benchmark? | Is there a benchmark in utils.py?
Show the tests for a.py | List the tests for a.py
Show the scripts in package.json | List the scripts in package.json
Drop users from the database | Delete users in the database
Remove alice from the team | Delete alice in the team
Remove config.py from staging | Delete config.py in staging
Remove config.py from staging | Delete config.py from staging
Remove the label from the issue | Delete the label in the issue
Update the tests for alice | Update alice for the tests
Create a commit for the release | Commit the release
What if I delete foo.py? | Delete foo.py
Why not delete foo.py? | Delete foo.py
Move a.py into src/ | Extract a.py into src/
Let us use Redis | Use Redis
I have to go | Go
We need to delete the users table | Delete the users table
I want to run the tests | Run the tests
Fix a test | Fix the test
Can I use Redis? | Is it possible to use Redis?
Rename u to user_id | Rename you to user_id
Switch to the dev database | Check out the dev database
Use tabs instead of spaces | Replace spaces with tabs
Delete everything but a.py | Delete a.py
Describe how to run the tests in README.md | In README.md, explain how to run the tests
Get rid of the warnings | Delete the warnings
What do the docs say? | What does the documentation say?
How do we name branches? | What command do I run to name branches?
""",
    "of the same kinds, found beside them": r"""
Can you add comments to package.json? | Add comments to package.json
Can you mock `datetime.now` in pytest? | Mock `datetime.now` in pytest
Can you run the tests in parallel? | Run the tests in parallel
Tell me when the job finishes | When does the job finish?
Let me know if the build fails | Does the build fail?
Explain how DNS works for beginners | How does DNS work for beginners?
Explain how DNS works in French | How does DNS work in French?
Explain how the cache works with a diagram | How does the cache work with a diagram?
What does don't mean? | What does do not mean?
Explain isn't | Explain is not
Explain parse_date in README.md | What does parse_date do in README.md?
When the job finishes, write a test that fails | Write a test that fails when the job finishes
Zip each file | Zip all files
Add a `jsonb` column | Add a column named `jsonb`
Add a UUID column | Add a column named UUID
Explain the `async` function | Explain the function `async`
What is the server doing? | What does the server do?
Which clients are calling the API? | Which clients call the API?
Show me the toolbar in fullscreen | Show the toolbar in fullscreen
Create an account for me | Create an account
Sum up the totals | Summarize the totals
Describe the users table | Explain the users table
Change the branch | Modify the branch
Enable the toggle | Turn on the toggle
Launch the feature | Start the feature
Roll back the migration | Revert the migration
Tidy up tmp/ | Clean up tmp/
Explain println! | Explain println
Delete `src/a.py` | Delete "src/a.py"
Replace `foo_bar` with foo_bar | Replace foo_bar with `foo_bar`
Change don't to do not in a.md | Change do not to don't in a.md
Upgrade to 4.2! | Upgrade to 4.2
Write a summary of the release in CHANGELOG.md | Summarize the release in CHANGELOG.md
List the users that are active | Which users are active?
Add a folder to the sidebar | Add a directory to the sidebar
Tell me if the user is online | Is the user online?
Install numpy on the server | Install numpy in the server
Explain how to run the tests in README.md | How do I run the tests in README.md?
Raise x_y to 3 | Increase x_y to 3
Clean up the print statements in a.py | Delete the print statements in a.py
`x_y` should be deleted | Delete `x_y`
Rename the `async` function to foo_x | Rename the function `async` to foo_x
Make `UserForm` a test | Convert `UserForm` to a test
Move the metadata from setup.py to pyproject.toml | Convert the metadata from setup.py to pyproject.toml
Check if `x_y` is null | Is `x_y` null?
How do we run the migrations? | How do I run the migrations?
Display the contents of config.yaml | Show the contents of config.yaml
Explain what foo_bar does to a beginner | What does foo_bar do to a beginner?
What does foo do? | Explain what foo does in the docs
List the files that import x_y in README.md | Which files import x_y in README.md?
Remove numpy from the environment | Delete numpy from the environment
Please, delete a.py? | Please delete a.py
What a mess! | What a mess?
Why does it fail! | Why does it fail?
Rename It's to Its in a.md | Rename It is to Its in a.md
Run a.py .. | Run a.py .
Split on , | Split on ;
Add ; to x_y | Add : to x_y
Test is slow | test is slow
Log fails | log fails
Use x_y instead of the z_w in a.py | Replace the z_w in a.py with x_y
Replace a_b with c_d in x.py and y.py | In x.py and y.py, replace c_d with a_b
In a.py, set x_y to z_w in b.py | Set x_y to z_w in a.py in b.py
Set x_y in a.py to z_w in b.py | Set x_y in b.py to z_w in a.py
Change x_y from 1 to 2 in a.py | In a.py, change x_y from 2 to 1
Move a_b from x.py to y.py | Move a_b out of y.py into x.py
In a.py, simplify x_y | Simplify a.py in x_y
Update requests to 2.0 | Upgrade requests to 2.1
Turn foo_bar on | Turn on foo_bar
What changed in a.py? | What changed since a.py?
Make the tests in a.py faster | Speed up the tests in b.py
Why does x_y call foo_z? | What makes foo_z call x_y?
Which service calls a_b? | By which service is a_c called?
Write tests for x_y using pytest | Write pytest for x_y using tests
Format a.py with black | Use a.py to format black
Port a.py to Go | Rewrite Go in a.py
Convert x.py from Flask to Django | Migrate x.py from Django to Flask
Can we drop Python 3.8? | Is there a way to drop Python 3.8?
How do we migrate the database? | How do I migrate the database?
Switch the branch to main | Make the branch use main
Switch to main_x | Check out main_x
""",
}

LAYOUTS = [
    (
        "What does this print?\nfor i in a:\n    x += 1\n    print(x)",
        "What does this print?\nfor i in a:\n    x += 1\nprint(x)",
    ),
    ("Is this valid?\na:\n  b: 1\n  c: 2", "Is this valid?\na:\n  b: 1\nc: 2"),
    ("Set flag_x to:\nTrue", "Set flag_x to:\ntrue"),
    ("Explain this output:\nNone", "Explain this output:\nnone"),
    ("Replace tabs: a\tb with x_y", "Replace tabs: a b with x_y"),
    ("Replace a  b with x_y", "Replace a b with x_y"),
    ("Fix this: ```\nx\n```", "Please fix this: ```\nx\n```"),
    ("Replace every \u2013 with -", "Replace every - with \u2013"),
    ("Replace \u2014 with - in a.md", "Replace - with \u2014 in a.md"),
    ("Run a.py. Then stop.", "Please run a.py. Then stop."),
    ("Explain a.py\n", "Please explain a.py\nand b.py"),
]
"""Pairs whose layout, or whose number of sentences, says that only the same text asks the same."""
