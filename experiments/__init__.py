"""Experiments: a configuration each, trained by `python -m experiments.NAME`."""

import pkgutil
import sys

# A project's own folder `experiments` without an __init__.py goes on working where jaxgen is
# installed: its files are found beside these.
__path__ = pkgutil.extend_path(__path__, __name__)

if sys.argv[:1] == ["-m"]:  # a command, whose libraries are imported next
    from jaxgen.commands import guard

    guard.leave_on_interrupt()
