"""How far training has got: a bar in a terminal and in a notebook, plain lines in a log file."""

import sys
import time
from typing import Any

_SECONDS_IN_LOG = 10.0


def bar(*args: Any, **options: Any) -> Any:
    """A bar of tqdm, which takes the arguments; in a log file it moves only every ten seconds."""
    from tqdm.auto import tqdm

    return tqdm(*args, mininterval=0.1 if _interactive() else _SECONDS_IN_LOG, **options)


class Progress:
    """Steps, metrics and speed on standard error."""

    def __init__(self, total: int, start: int = 0) -> None:
        self._total, self._step = total, start
        self._clock = time.monotonic()
        self._bar = None
        if _interactive():
            self._bar = bar(
                total=total, initial=start, unit="step", dynamic_ncols=True, smoothing=0.1
            )

    def update(self, step: int, metrics: dict[str, float]) -> None:
        """Show that `step` steps are done; `metrics` are the newest."""
        words = " ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        if self._bar is not None:
            self._bar.set_postfix_str(words, refresh=False)
            self._bar.update(step - self._step)
        else:
            now = time.monotonic()
            speed = (step - self._step) / max(now - self._clock, 1e-9)
            self.say(f"step {step}/{self._total}  {words}  {speed:.1f} steps/s")
            self._clock = now
        self._step = step

    def say(self, sentence: str) -> None:
        """Print a line without tearing the bar."""
        if self._bar is not None:
            self._bar.write(sentence, file=sys.stderr)
        else:
            print(sentence, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def _interactive() -> bool:
    """Whether standard error can redraw a line: a terminal, or a notebook's cell."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules
