"""The MLflow run: its phases, datasets, artifacts, references to other runs."""
