"""What is loaded, and how: no other Python runs while the system's loader is locked; nothing that no command uses."""

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
print(len(collections), "numpy._core._multiarray_umath" in sys.modules, gc.isenabled())
"""


def test_no_garbage_is_collected_while_modules_are_loaded_ahead() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "0 True True\n"


def test_the_command_line_of_httpx_is_not_loaded() -> None:
    """By the command and by a load's own process; httpx itself works on."""
    for begins in (
        "import kycgate.load.worker",
        "import kycgate.__main__ as m; sys.argv = ['kycgate', 'clauses']; m.main()",
    ):
        code = f"""
import atexit, sys
def look():
    import httpx
    print(sys.modules["httpx._main"], httpx.Client().trust_env, flush=True)
atexit.register(look)
{begins}
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.endswith("None True\n"), done.stdout
