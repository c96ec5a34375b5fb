"""Results as the field writes them, with made-up figures."""


def result(peer, table, seed, *, status="ok", train=70, **figures):
    """Return a result; figures are values by name, each beside real 0.45 and independent 0.95."""
    record = {"peer": peer, "table": table, "seed": seed, "hash": "h-o", "status": status}
    if status != "ok":
        return {**record, "reason": "it broke", "rows": {"train": train, "test": 30}}
    return {
        **record,
        "reason": "",
        "rows": {"train": train, "test": 30},
        "figures": {
            name: {"value": value, "real": 0.45, "independent": 0.95}
            for name, value in figures.items()
        },
        "cpu_seconds": 2.0,
        "wall_seconds": 3.0,
        "peak_mb": 100,
        "judge": {"seconds": 1.0},
    }
