"""One module reads the environment."""

from __future__ import annotations

import ast

READS = {"environ", "environb", "getenv", "getenvb", "putenv", "unsetenv", "expandvars"}
CLICK_READS = {"envvar", "auto_envvar_prefix", "show_envvar"}


def test_only_the_settings_read_the_environment(trees):
    """No other module touches os.environ or lets click read a variable."""
    assert {path for path, tree in trees.items() if _reads_environment(tree)} == {"settings.py"}


def test_no_module_uses_relative_imports(trees):
    """A module's place can be read from each import, and the layers above are all there is."""
    relative = {
        path
        for path, tree in trees.items()
        if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
    }
    assert relative == set()


def _reads_environment(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in READS:
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "os" and READS & {alias.name for alias in node.names}:
            return True
        if isinstance(node, ast.keyword) and node.arg in CLICK_READS:
            return True
    return False
