"""What is asked: YAML → Study → Plan. Knows no task, cell or figure by name; the catalogue hands the tables in."""
