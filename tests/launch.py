#!/usr/bin/env python3
"""usage: launch.py block|ignore SIGNAL[,SIGNAL]... COMMAND [ARGUMENT]...

Runs the command with these signals blocked or ignored, as a careless launcher
does. ALL: every signal that can be.
"""
import os
import signal
import sys

how, names, command = sys.argv[1], sys.argv[2], sys.argv[3:]
fixed = {signal.SIGKILL, signal.SIGSTOP}
if names == "ALL":
    signals = signal.valid_signals() - fixed
else:
    signals = {signal.Signals["SIG" + name] for name in names.split(",")}

# python3 ignores these for itself
for number in signal.SIGPIPE, signal.SIGXFSZ:
    signal.signal(number, signal.SIG_DFL)
if how == "block":
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
else:
    for number in signals:
        signal.signal(number, signal.SIG_IGN)
os.execvp(command[0], command)
