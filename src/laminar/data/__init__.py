"""Values and where they lie: blobs, serialisation, artifacts, archives. Knows nothing of flows or tasks."""
