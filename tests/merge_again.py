#!/usr/bin/env python3
"""usage: merge_again.py TCPCLIENT RESULT.json...

Puts extreme values into random places of results, merges them, and merges what came
out: that must be taken, and have the same numbers. What is refused must leave the
output as it was."""

import copy
import json
import os
import random
import subprocess
import sys

ROUNDS = 60  # at least, and until so many have been taken
TAKEN = 6
EXTREMES = [0, 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**62, 2**63 - 1, -1, 0.0, 1e-9,
            0.5, 1e9, 9.9e17, 1e18, 1.1e18, 1e300, None]
# what a sum may hold and the totals need not agree with
PLACES = ["config", "times_unix_ns", "runs", "end", "kernel", "series"]


def numbers(node, path=()):
    """The paths of all numbers and nulls below the node."""
    items = (node.items() if isinstance(node, dict)
             else enumerate(node) if isinstance(node, list) else ())
    for key, value in items:
        if isinstance(value, (dict, list)):
            yield from numbers(value, path + (key,))
        elif not isinstance(value, (str, bool)):
            yield path + (key,)


def put(node, path, value):
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def merge(program, files, out):
    with open(out, "w") as f:
        f.write("old")
    done = subprocess.run([program, "--merge", "--json=" + out] + files,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    with open(out) as f:
        text = f.read()
    if done.returncode in (0, 3, 4):
        return json.loads(text)
    assert done.returncode == 2, (done.returncode, done.stderr)
    assert text == "old", "the output was touched: " + done.stderr
    return None


def same(a, b, path=""):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            same(a[key], b[key], path + "." + key)
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{path}[{i}]")
    elif isinstance(a, float) or isinstance(b, float):
        assert abs(a - b) <= 1e-9 * max(abs(a), 1), (path, a, b)
    else:
        assert a == b, (path, a, b)


def main():
    program, files = sys.argv[1], sys.argv[2:]
    whole = [json.load(open(name)) for name in files]
    chance = random.Random(20261126)
    taken = rounds = 0
    while rounds < ROUNDS or taken < TAKEN:
        rounds += 1
        names = []
        for i, result in enumerate(whole):
            result = copy.deepcopy(result)
            for _ in range(chance.randrange(1, 3)):
                part = chance.choice(PLACES)
                path = (part,) + chance.choice(list(numbers(result[part])))
                put(result, path, chance.choice(EXTREMES))
            names.append(f"edited{i}.json")
            with open(names[-1], "w") as f:
                json.dump(result, f)
        once = merge(program, names, "once.json")
        if once is None:
            continue
        taken += 1
        again = merge(program, ["once.json"], "again.json")
        assert again is not None, "refuses what it has written: " + str(names)
        for result in once, again:
            del result["command"], result["verdict"]
        same(once, again)
    for name in "once.json", "again.json":
        os.unlink(name)


main()
