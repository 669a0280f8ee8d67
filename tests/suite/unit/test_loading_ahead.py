"""Modules that are loaded beside other threads: no other Python runs while the system's loader is locked."""

import subprocess
import sys

CODE = """
import gc, sys
from importlib.machinery import ExtensionFileLoader
from kycgate.cli import load_part

collections, create = [], ExtensionFileLoader.create_module

def create_module(self, spec):
    gc.callbacks.append(note)
    made = create(self, spec)
    gc.callbacks.remove(note)
    return made

def note(phase, info):
    collections.append(phase)

ExtensionFileLoader.create_module = create_module
gc.set_threshold(1)
load_part.load_statistics()
print(len(collections), "matplotlib.ft2font" in sys.modules, gc.isenabled())
"""


def test_no_garbage_is_collected_while_modules_are_loaded_ahead() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "0 True True\n"
