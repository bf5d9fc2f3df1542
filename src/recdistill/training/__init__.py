"""Lightning glue: batches, losses, loops, callbacks, resume."""
