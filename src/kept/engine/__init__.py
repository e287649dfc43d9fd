"""The use cases: ingest, retrieve, maintain. The doors call `engine.service` and nothing else."""
