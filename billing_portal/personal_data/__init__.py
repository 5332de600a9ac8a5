"""What the portal holds about a person: handed out when they ask for it, and erased when nothing forbids it.

`held` is the list of it, and the tests hold that list against the tables: a column that may name somebody and is not
listed fails them. `export` writes it into a file, `erasure` takes it out of the database and keeps the books whole;
both belong to the whole portal, because what a person did lies in every app. The pages of staff are in `admin`, the
person's own page in `views`. docs/personal-data.md says what is held, why, and for how long.
"""
