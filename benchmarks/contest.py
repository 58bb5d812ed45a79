"""Contestants in processes of their own that take turns: one works while the others wait.

A contestant is a Python expression for a function of no arguments, evaluated in its process; `race` has each of them
call it `calls` times in a row, round after round, so that what disturbs the machine disturbs all alike.
"""
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

SERVANT = """
import sys, time
import benchmarks.contestants as c
call = eval(sys.argv[1])
calls = int(sys.argv[2])
for _ in range(2):
    call()
print("ready", flush=True)
for _ in sys.stdin:
    begin = time.perf_counter()
    for _ in range(calls):
        call()
    print((time.perf_counter() - begin) / calls, flush=True)
"""


def race(contestants: list[str], calls: int, rounds: int) -> list[list[float]]:
    """Seconds of a call for each contestant, one number for each round."""
    with ExitStack() as stack:
        running = [stack.enter_context(_started(contestant, calls)) for contestant in contestants]
        seconds: list[list[float]] = [[] for _ in contestants]
        for _ in range(rounds):
            for (orders, answers), seen in zip(running, seconds):
                orders.write("go\n")
                orders.flush()
                seen.append(float(answers.readline()))
        return seconds


@contextmanager
def _started(contestant: str, calls: int) -> Iterator[tuple[IO[str], IO[str]]]:
    with subprocess.Popen([sys.executable, "-c", SERVANT, contestant, str(calls)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin and process.stdout
        while (line := process.stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit(f"{contestant} has died, see above")
        yield process.stdin, process.stdout
