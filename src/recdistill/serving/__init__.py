"""The served model and the batch scorer."""
