"""Start one command, wait for it, and write what the operating system says it used.

    python -I -S launcher.py LIMIT_SECONDS REPORT STDOUT STDERR COMMAND...

A small process of its own on purpose: on Linux a child's peak memory starts at that of the
process that started it, so a judge with its libraries loaded would be counted on every peer.
Standard library only.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time


def main(argv: list[str]) -> None:
    """Run the command of the arguments; the report has the exit status, seconds and memory."""
    limit, report, stdout, stderr, *command = argv
    with open(stdout, "wb") as out, open(stderr, "wb") as err:  # noqa: PTH123
        start = time.perf_counter()
        child = subprocess.Popen(  # a session of its own: a time-out ends its children too
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        timed_out = False

        def stop(*_: object) -> None:
            nonlocal timed_out
            timed_out = True
            os.killpg(child.pid, signal.SIGKILL)

        def leave(*_: object) -> None:
            os.killpg(child.pid, signal.SIGKILL)
            os._exit(1)

        signal.signal(signal.SIGTERM, leave)
        signal.signal(signal.SIGINT, leave)
        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, float(limit))
        _, status, usage = os.wait4(child.pid, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        wall = time.perf_counter() - start
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # workers that outlived it
    data = {
        "returncode": os.waitstatus_to_exitcode(status),
        "timed_out": timed_out,
        "wall_seconds": wall,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mb": usage.ru_maxrss / 1024.0,  # kilobytes on Linux
    }
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(data, file)


if __name__ == "__main__":
    main(sys.argv[1:])
