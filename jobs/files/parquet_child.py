"""Reads a Parquet file that nobody vouches for, in a process of its own: `python -m jobs.files.parquet_child < FILE`.

A small file can decode to any size, and a damaged one can crash a decoder. So this process has a bound on its memory
and its time, and hands on plain columns in small batches (parquet_checks.py). Why it refuses a file is on stderr, with
status 3; any other status than 0 means that decoding broke down.
"""

import contextlib
import importlib
import os
import resource
import sys

REFUSED = 3
MEMORY_BYTES = 1024**3  # of addresses, of which Python and Arrow take 0.4 GiB before the file
PROCESSOR_SECONDS = 600


def main() -> int:
    """Reads stdin, which is a file, and writes stdout. Returns the exit status."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve addresses by the gigabyte
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    with contextlib.suppress(ValueError, OSError):  # macOS bounds no addresses
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    checks = importlib.import_module("jobs.files.parquet_checks")  # inside of the bounds
    try:
        checks.hand_on(sys.stdin.buffer, sys.stdout.buffer)
    except checks.FileRefusedError as error:
        print(error, file=sys.stderr)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
