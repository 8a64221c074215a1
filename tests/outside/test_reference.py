"""The generated pages of docs/reference: they can be made, and hold what the code has."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The pages, made anew, by name."""
    directory = tmp_path_factory.mktemp("reference")
    words = [sys.executable, str(ROOT / "docs" / "generate.py"), str(directory)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return {path.stem: path.read_text() for path in directory.glob("*.md")}


def test_the_pages_are_there(pages: dict[str, str]) -> None:
    """``make docs`` was run at least once: each page stands in docs/reference."""
    assert {path.stem for path in (ROOT / "docs" / "reference").glob("*.md")} >= set(pages)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("commands", "## sipguard passport verify"),
        ("commands", "`--anchors` FILE"),
        ("configuration", "## [[trunk]]"),
        ("configuration", "| `fetch_timeout` | number, above 0, at most 30 | `2.0` | seconds a call waits"),
        ("records", "| `verstat` | `TN-Validation-Passed`"),
        ("verdicts", "| `stale` | 403 Stale Date |"),
        ("metrics", "| `sipguard_calls_total` | counter | direction, verdict, rule, code |"),
        ("logs", "| `signing.outage` | error |"),
    ],
)
def test_what_the_pages_hold(pages: dict[str, str], page: str, text: str) -> None:
    """Commands, keys, members, reasons, metrics and events, each with its meaning."""
    assert text in pages[page]
