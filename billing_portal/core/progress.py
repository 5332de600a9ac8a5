"""How far a long command has come: on a terminal one line that is written over, silence in a log."""

import time

from django.core.management.base import OutputWrapper


class Bar:
    """``what`` names the things that are counted, ``whole`` is how many there are; zero when nobody knows."""

    def __init__(self, out: OutputWrapper, what: str, whole: int) -> None:
        self.out, self.what, self.whole, self.started = out, what, whole, time.monotonic()
        self.is_shown = out.isatty()

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.started

    def show(self, done: int) -> None:
        if self.is_shown:
            pace, bar = done / max(self.seconds, 0.001), ""
            if self.whole:
                share = min(100, 100 * done // self.whole)
                filled = share * 30 // 100
                bar = f"[{'#' * filled}{'.' * (30 - filled)}] {share:3d}%  "
            self.out.write(f"\r{bar}{done:,} {self.what}  {pace:,.0f} a second ", str, ending="")
            self.out.flush()

    def end(self) -> None:
        if self.is_shown:
            self.out.write("", str)
