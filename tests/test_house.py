"""The house itself: its names, its directions of import, and that what README says is true."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import pytest

import craqbench
from craqbench.cli import COMMANDS
from craqbench.cli.parsing import Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("craqbench", "generators", "baselines", "leaderboard")
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

FORBIDDEN = {
    "generators": {"craqbench", "baselines", "leaderboard", "torch", "pandas", "PIL", "pyarrow", "datasets"},
    "baselines": {"craqbench", "leaderboard"},
    "craqbench": {"leaderboard", "torch", "craqbench.cli"},
    "craqbench/cli": {"torch"},
    "leaderboard": {"torch", "craqbench.cli"},
}
"""Room -> what no line in it may import."""


def sources(package: str) -> list[Path]:
    """Return a room's files; the commands, and what starts them, are a room of their own."""
    files = sorted((ROOT / package).rglob("*.py"))
    return (
        files
        if package == "craqbench/cli"
        else [f for f in files if "cli" not in f.relative_to(ROOT).parts and f.name != "__main__.py"]
    )


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, at any depth of its code."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file} imports relatively"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", FORBIDDEN)
def test_imports_go_one_way(room: str) -> None:
    """No room imports what the design keeps from it."""
    for file in sources(room):
        for name in imports(file):
            wrong = {f for f in FORBIDDEN[room] if name == f or name.startswith(f"{f}.")}
            assert not wrong, f"{file.relative_to(ROOT)} imports {name}"


def test_generators_know_numpy_and_opencv_only() -> None:
    """Beyond the standard library, generators import NumPy, OpenCV and each other."""
    for file in sources("generators"):
        roots = {name.split(".")[0] for name in imports(file)}
        assert roots <= set(sys.stdlib_module_names) | {"numpy", "cv2", "generators"}, file.name
        assert not roots & {"pathlib", "os", "io", "tempfile"}, f"{file.name} knows files"


def test_the_rule_would_notice() -> None:
    """The reader of imports sees plain, dotted, deep and type-only imports."""
    file = ROOT / "craqbench" / "cli" / "__init__.py"
    assert {"sys", "craqbench.errors", "craqbench.errors.CraqbenchError", "collections.abc"} <= set(
        imports(file)
    )


def test_import_names_are_ours() -> None:
    """The four import names resolve to this distribution and not to a namesake."""
    homes = {Path(str(import_module(name).__file__)).resolve().parents[1] for name in PACKAGES}
    assert len(homes) == 1
    assert homes == {_installed_at() or ROOT}


def _installed_at() -> Path | None:
    """Return where the distribution lies: a site-packages, the repository if editable, None if nowhere."""
    try:
        distribution = importlib.metadata.distribution("craqbench")
    except importlib.metadata.PackageNotFoundError:
        return None
    direct = json.loads(distribution.read_text("direct_url.json") or "{}")
    if direct.get("dir_info", {}).get("editable"):
        return Path(unquote(urlparse(direct["url"]).path)).resolve()
    return Path(str(distribution.locate_file(""))).resolve()


IMPORT_ALL = """
import importlib, pkgutil, sys

OPTIONAL = {"torch", "torchvision", "transformers", "peft", "gradio", "ray", "datatrove", "bezier"}
PAGE = {"fastapi", "starlette", "uvicorn", "gradio"}
OPTIONAL |= PAGE
asked = set()

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in OPTIONAL:
            asked.add(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
count = 0
for package in sys.argv[1:]:
    module = importlib.import_module(package)
    for found in pkgutil.walk_packages(module.__path__, package + "."):
        try:
            importlib.import_module(found.name)
        except ModuleNotFoundError as error:
            # Networks are made of torch, the page of a leaderboard of gradio: who asks for one is told so.
            learned = error.name == "torch" and found.name.startswith(("baselines.", "craqbench.training"))
            page = error.name in PAGE and found.name.startswith(("leaderboard.app_", "leaderboard.space"))
            if not learned and not page:
                raise
        else:
            count += 1
print(count, sorted(name for name in asked if name.split(".")[0] == "bezier"))
"""


def test_all_modules_import_without_extras() -> None:
    """Without the extras all modules import but networks, training, and the page; none asks for bezier."""
    result = python("-W", "error", "-c", IMPORT_ALL, *PACKAGES)
    assert result.returncode == 0, result.stderr
    count, asked = result.stdout.split(maxsplit=1)
    assert int(count) > 150
    assert asked.strip() == "[]"


def test_the_command_line_imports_lazily() -> None:
    """The table of commands loads no library, nor even argparse, before a command is chosen."""
    result = python("-c", "import sys, craqbench.cli; print(*{m.split('.')[0] for m in sys.modules})")
    loaded = set(result.stdout.split())
    assert "craqbench" in loaded
    assert not loaded & {"argparse", "rich", "numpy", "cv2", "PIL", "pyarrow", "typing", "dataclasses"}


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run this Python on the packages under test."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )


def test_versions_agree() -> None:
    """The version is the same in the metadata, in the package and at the top of the changelog."""
    top = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert top
    assert PROJECT["version"] == craqbench.__version__ == top[1]


def test_packages_are_typed() -> None:
    """Each package carries the marker that lets type checkers trust it."""
    assert all((ROOT / package / "py.typed").is_file() for package in PACKAGES)


def test_licence_is_verbatim() -> None:
    """LICENSE is the text of the Apache License 2.0 as its authors publish it."""
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_first_screen_of_the_readme_has_the_two_commands() -> None:
    """The first code in README, on the first screen, is the demo and then the tests, each in one line."""
    first_screen = "\n".join(README.splitlines()[:25])
    lines = re.findall(r"```sh\n(.*?)\n```", first_screen)
    assert len(lines) == 2
    assert lines[0].endswith(".venv/bin/craqbench demo")
    assert lines[1].endswith(".venv/bin/pytest")
    assert all(line.startswith("python3 -m venv .venv && .venv/bin/pip install ") for line in lines)


def test_ci_runs_the_command_of_the_readme() -> None:
    """The check of a change takes its install and test line from README: there is exactly one such line."""
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep -E '(.+?)' README.md", script)
    assert pattern
    assert len(re.findall(pattern[1], README, re.MULTILINE)) == 1
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def command_lines(text: str) -> list[list[str]]:
    """Return the words after each ``craqbench`` in code blocks and in `code`."""
    code = [*re.findall(r"```sh\n(.*?)```", text, re.DOTALL), *re.findall(r"`([^`\n]+)`", text)]
    found = re.findall(r"(?:^|[/ ])craqbench ([a-z].*)$", "\n".join(code), re.MULTILINE)
    return [line.split() for line in found]


def test_commands_in_the_readme_exist() -> None:
    """Each command in README is a command of the program, and has the options that README gives it."""
    lines = command_lines(README)
    assert {line[0] for line in lines} >= {"demo", "generate", "verify", "stats", "preview", "recipes"}
    for name, *rest in lines:
        module = import_module(COMMANDS[name][0])
        parser = Parser(name, "")
        module.add_arguments(parser)
        known = parser.format_help()
        assert all(re.search(rf"{word}\b", known) for word in rest if word.startswith("--")), (name, rest)


def test_files_in_the_readme_exist() -> None:
    """Each file that README links to is there, but for the picture that is drawn at the end."""
    targets = re.findall(r"\]\((?!https?:)([^)]+)\)", README)
    missing = [t for t in targets if not (ROOT / t).exists()]
    assert set(missing) <= {"docs/contact-sheet.jpg"}
