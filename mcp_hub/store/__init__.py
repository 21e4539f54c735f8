"""What outlives a process: SQLite for what the hub learns, a small JSON file for what a person trusts.

`database` opens and migrates; each further module owns one table. All of them are synchronous and are called
in a worker thread; several hubs may share one database.
"""
