"""Search spaces, studies, workers, and their mirror in MLflow."""
