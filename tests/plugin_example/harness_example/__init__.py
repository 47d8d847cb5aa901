"""A task, a cell and a figure kind outside the harness: those of docs/extending.md, as an installable package."""
