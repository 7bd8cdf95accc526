#!/usr/bin/env python3
"""The JSON Schema of the configuration is one by JSON Schema's own rules, and every configs/*.yaml keeps to it.

usage: tests/launch/config/schema.py build/nystrom      (skipped, with a sentence, without the packages jsonschema and PyYAML)

schema_test.cpp compares the schema with the program's reader; this one reads it as an editor does.
"""
import json
import pathlib
import subprocess
import sys

try:
    import jsonschema
    import yaml
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(0)


def main():
    text = subprocess.run([sys.argv[1], "--help-schema"], capture_output=True, text=True, check=True).stdout
    schema = json.loads(text)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    files = sorted(pathlib.Path("configs").rglob("*.yaml"))
    problems = [f"{file}: {error.json_path}: {error.message}" for file in files
                for error in validator.iter_errors(yaml.safe_load(file.read_text()))]
    if not files or validator.is_valid({"model": {"layer": 2}}):
        problems.append("nothing was compared")
    print("\n".join(problems) or f"{len(files)} configurations keep to the schema")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
