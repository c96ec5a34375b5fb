"""The command line. Each command is a file with ``add_arguments`` and ``run``."""
