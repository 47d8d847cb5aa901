"""What is asked: YAML → Study → Plan. Knows no task, cell or figure by name; the registry hands the tables in."""
