"""Small file systems in memory, where they may be mounted."""

import os
import shutil
import subprocess
from pathlib import Path


def mount(place: Path, kilobytes: int) -> bool:
    """Mount one over an existing folder; False where that is not allowed."""
    if os.geteuid() or not shutil.which("mount"):
        return False
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", place]
    return subprocess.run(command, capture_output=True).returncode == 0


def remount(place: Path, option: str) -> None:
    """Change an option of it, such as `ro` or `size=100m`; a busy one refuses some."""
    command = ["mount", "-o", f"remount,{option}", "tmpfs", place]
    subprocess.run(command, capture_output=True, check=False)


def unmount(place: Path) -> None:
    """Let it go, with all that is in it."""
    subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)
