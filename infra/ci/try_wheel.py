"""Run by `make wheel` in an environment that has the wheel and its dependencies, and nothing of this tree."""

import importlib
import pkgutil
import sys
from importlib.metadata import version
from pathlib import Path

import ticketing_common

where = Path(str(ticketing_common.__file__)).resolve()
if "site-packages" not in where.parts:
    sys.exit(f"imported from {where}, not from the wheel")
names = [
    module.name
    for module in pkgutil.walk_packages(ticketing_common.__path__, "ticketing_common.", onerror=lambda _: None)
]
for name in names:
    importlib.import_module(name)
if not (where.parent / "py.typed").exists():
    sys.exit("py.typed is not in the wheel")
sys.stdout.write(f"ticketing-common {version('ticketing-common')}: {len(names)} modules import\n")
