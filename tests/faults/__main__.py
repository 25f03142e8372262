"""`python -m tests.faults [NAME ...]`: try faults by the thousand, and print what came of them.

Every trial follows from the seed and its number, and its result is kept in a file, so that a
campaign that was stopped goes on, and a failure can be had again by `NAME --only NUMBER`.
"""

import argparse
import shutil
import sys
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tests.faults import (
    command_lines,
    damage,
    full_disk,
    jobs,
    kills,
    parsers,
    places,
    soak,
)
from tests.faults.campaign import Campaign, CannotRun, Failed, Result, Results, chance_of, table

CAMPAIGNS: Sequence[Campaign] = (
    kills.Kills(),
    jobs.Jobs(),
    full_disk.AimedKills(),
    full_disk.FullDisk(),
    damage.Damage(),
    places.Places(),
    parsers.Parsers(),
    command_lines.CommandLines(),
    soak.Soak(),
)


def attempt(campaign: Campaign, seed: int, number: int, folder: Path) -> Result:
    """One trial, whatever comes of it."""
    place = folder / f"trial-{campaign.name}-{number}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    began, faults, failure = time.monotonic(), 1, ""
    try:
        tried = campaign.trial(number, chance_of(campaign.name, seed, number), place)
        faults = 1 if tried is None else tried
    except Failed as error:
        failure = str(error)
    except Exception:  # the suite's own fault is a failure too
        failure = traceback.format_exc()[-1000:]
    if not failure:
        shutil.rmtree(place, ignore_errors=True)
    seconds = round(time.monotonic() - began, 2)
    return Result(campaign.name, seed, number, failure, seconds, faults)


def main() -> int:
    """Run what the command line asks for; exit code 1 if a trial failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *(c.name for c in CAMPAIGNS)])
    parser.add_argument("--short", action="store_true", help="the form of two minutes")
    parser.add_argument("--trials", type=int, help="of each campaign; its own number by default")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the trials")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="trials at a time")
    parser.add_argument("--folder", type=Path, default=Path("runs/faults"))
    parser.add_argument("--retry", action="store_true", help="what failed before, once more")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    results = Results(folder / "results.jsonl")
    campaigns = [c for c in CAMPAIGNS if not chosen.names or c.name in chosen.names]
    for campaign in campaigns:
        known = {
            one.trial
            for one in results.read()
            if one[:2] == (campaign.name, chosen.seed) and not (chosen.retry and one.failure)
        }
        count = chosen.trials or (campaign.short if chosen.short else campaign.trials)
        numbers = chosen.only or [number for number in range(count) if number not in known]
        if not numbers:
            continue
        shared = folder / campaign.name
        shared.mkdir(parents=True, exist_ok=True)
        try:
            campaign.prepare(shared)
        except CannotRun as error:
            print(f"{campaign.name}: cannot be tried here: {error}")
            continue
        began = time.monotonic()
        with ThreadPoolExecutor(chosen.workers) as pool:
            waiting = [
                pool.submit(attempt, campaign, chosen.seed, number, folder) for number in numbers
            ]
            try:
                for done, future in enumerate(as_completed(waiting), 1):
                    result = future.result()
                    results.add(result)
                    if result.failure:
                        print(f"{campaign.name} {result.trial}: {result.failure}", flush=True)
                    if done % 100 == 0 or done == len(numbers):
                        seconds = time.monotonic() - began
                        print(
                            f"{campaign.name}: {done} of {len(numbers)}, {seconds:.0f} s",
                            flush=True,
                        )
            except KeyboardInterrupt:
                pool.shutdown(cancel_futures=True)
                print("stopped; the same command goes on", file=sys.stderr)
                return 130
    found = [one for one in results.read() if one.seed == chosen.seed]
    print(table(found, campaigns))
    return int(any(one.failure for one in found if one.campaign in {c.name for c in campaigns}))


if __name__ == "__main__":
    sys.exit(main())
