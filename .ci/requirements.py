"""Print the requirements of dependency groups of pyproject.toml, since pip before 25.1 does not know groups."""

import sys
import tomllib


def requirements(groups: dict[str, list[str | dict[str, str]]], name: str) -> list[str]:
    """List the requirements of a group, with those of the groups that it includes."""
    found: list[str] = []
    for item in groups[name]:
        found += [item] if isinstance(item, str) else requirements(groups, item["include-group"])
    return found


with open("pyproject.toml", "rb") as file:
    known = tomllib.load(file)["dependency-groups"]
for group in sys.argv[1:]:
    print(*requirements(known, group), sep="\n")
