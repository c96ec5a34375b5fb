"""One training run: its configuration, rows, folder, checkpoints and what it yields."""
