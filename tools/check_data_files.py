"""Checks that YAML and TOML files can be read: ``python tools/check_data_files.py FILE...``; exits 1 on errors."""

import sys
import tomllib
from pathlib import Path

import yaml


def problem(path: Path) -> str | None:
    """Why a file cannot be read, in one line; None if it can."""
    text = path.read_text()
    try:
        if path.suffix == ".toml":
            tomllib.loads(text)
        else:
            list(yaml.safe_load_all(text))
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as exc:
        return f"{path}: {' '.join(str(exc).split())}"
    return None


if __name__ == "__main__":
    found = [text for name in sys.argv[1:] if (text := problem(Path(name)))]
    print("\n".join(found), end="\n" if found else "")
    sys.exit(bool(found))
