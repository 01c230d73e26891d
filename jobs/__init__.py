"""The desk's jobs, a script each: `python -m jobs.NAME`. `python -m jobs` has the desk's own commands."""
