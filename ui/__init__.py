"""The app: it shows what the API knows, and speaks HTTP to the API and to nothing else."""
