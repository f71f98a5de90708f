"""Where the project is. Not in the settings: those take half a second to import."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
