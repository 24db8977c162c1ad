"""What Pushback remembers: facts, documents, jobs, deployments and files."""
