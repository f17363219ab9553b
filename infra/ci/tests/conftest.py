"""Test modules are imported by path (--import-mode=importlib); the one that another shares is found here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
