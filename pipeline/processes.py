"""Which process did something, in a name that never means another one."""
import os
import socket

import psutil

CLOCK_SECONDS = 60.0


def me() -> str:
    """This process: host, number and start, as host:number:seconds."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def gone(name: str) -> bool:
    """Whether the process `name` was one of this machine and has ended; of other machines nothing is known."""
    try:
        host, number, start = name.rsplit(":", 2)
        if host != socket.gethostname():
            return False
        process = psutil.Process(int(number))
        moved = abs(process.create_time() - float(start))  # a little, when the clock is set
        return moved > CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE
    except (ValueError, psutil.NoSuchProcess):  # no such name either: nobody alive has it
        return True
