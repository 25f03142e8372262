"""Experiments: a configuration each, trained by `python -m experiments.NAME`."""

import sys

if sys.argv[:1] == ["-m"]:  # a command, whose libraries are imported next
    from jaxgen.commands import guard

    guard.leave_on_interrupt()
