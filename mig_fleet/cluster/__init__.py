"""Reach the Kubernetes API server: bounded requests, credentials, retries, errors. Knows nothing of MIG."""
