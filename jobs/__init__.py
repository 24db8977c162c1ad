"""What runs beside the API: each module is one job, started as `python -m jobs.NAME --help` says."""
