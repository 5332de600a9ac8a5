"""Processes that belong together: started together, ended together, none left behind."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

# Set for a process that must not outlive the one that started it.
PARENT = "RUN_PORTAL_PID"


def end_with_parent() -> None:
    """Ends this process, as if it had been asked to, soon after its parent is gone, however that came about."""
    parent = os.environ.get(PARENT)
    if not parent:
        return

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class ProcessGroup:
    """Processes by name. A context: what still runs at its end is asked to stop, and after a while made to."""

    def __init__(self, patience: float = 25) -> None:
        self.patience = patience
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "ProcessGroup":
        return self

    def start(self, name: str, command: Sequence[str]) -> None:
        """In a group of its own, so that Ctrl-C at the terminal reaches only us, and we stop it in order."""
        environment = {**os.environ, PARENT: str(os.getpid())}
        self.running[name] = subprocess.Popen(command, env=environment, start_new_session=True)  # noqa: S603  our own commands

    def ended(self) -> str | None:
        return next((name for name, process in self.running.items() if process.poll() is not None), None)

    def __exit__(self, *_error: object) -> None:
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + self.patience
        for process in self.running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
