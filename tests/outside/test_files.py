"""What stands around the package: the image, the compose file, the scenarios, the Makefile."""

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from sipguard.config.load import load

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
FLOWS = sorted((ROOT / "scenarios").glob("*.xml"))
STAGES = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))


def copied(line: str) -> list[str]:
    """The paths a COPY line takes from the build context."""
    words = [word for word in line.split()[1:] if not word.startswith("--")]
    return [] if "--from=" in line else words[:-1]


def test_every_path_the_image_copies_exists_and_is_not_ignored() -> None:
    """What ``COPY`` takes from the project is there, and ``.dockerignore`` lets it through."""
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    sources = [path for line in DOCKERFILE.splitlines() if line.startswith("COPY") for path in copied(line)]
    assert sources
    for path in sources:
        assert (ROOT / path).exists(), path
        assert path.split("/")[0] in admitted, path


def test_the_image_is_built_on_a_base_of_ones_choice_and_runs_as_nobody_special() -> None:
    """``ARG BASE`` stands before the first stage; the last stage drops root, has a health check, and is the default."""
    assert DOCKERFILE.index("ARG BASE=debian:bookworm-slim") < DOCKERFILE.index("FROM ${BASE}")
    base = DOCKERFILE[DOCKERFILE.index("AS base") : DOCKERFILE.index("AS demo-build")]
    assert re.search(r"^USER sipguard$", base, re.MULTILINE)
    assert "/healthz" in base
    assert DOCKERFILE.rstrip().splitlines()[-1] == "FROM base AS runtime"
    for name in re.findall(r"(?:FROM |--from=)([a-z-]+)(?: |$)", DOCKERFILE):
        assert name in STAGES, name


def test_the_compose_file_names_stages_and_files_that_exist() -> None:
    """Every service builds a stage of the Dockerfile, waits for services there are, and mounts files there are."""
    for name, service in COMPOSE["services"].items():
        assert (ROOT / service["build"]["dockerfile"]).exists(), name
        assert service["build"]["target"] in STAGES, name
        for other in service.get("depends_on", {}):
            assert other in COMPOSE["services"], name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume
        for word in service.get("command", []):
            if "/" in word and word.split("/")[0] in ("docker", "scenarios"):
                assert (ROOT / word).exists(), word


def test_the_compose_network_and_the_proxy_configuration_agree() -> None:
    """Trunks are recognised by source address: every source and target in the configuration is a service's address."""
    addresses = {
        network["ipv4_address"]
        for service in COMPOSE["services"].values()
        for network in (service.get("networks") or {}).values()
    }
    configuration = load(ROOT / "docker" / "demo" / "sipguard.toml")
    for trunk in configuration.trunk:
        assert set(trunk.sources) <= addresses, trunk.name
        for target in trunk.targets:
            assert target.split(":")[1] in addresses, trunk.name
    assert str(configuration.listener[0].advertised).split(":")[0] in addresses


@pytest.mark.parametrize("flow", FLOWS, ids=lambda path: path.stem)
def test_a_scenario_says_what_it_proves(flow: Path) -> None:
    """Each SIPp file is well-formed XML, is named as its scenario, and says in its header what it proves."""
    scenario = ElementTree.parse(flow).getroot()
    assert scenario.get("name") == flow.stem
    assert flow.read_text().splitlines()[1].startswith("<!-- Proves ")
    assert flow.stem.endswith(("_uac", "_uas"))  # pysipp tells clients from servers by this


def test_the_make_targets_are_there() -> None:
    """``make -n`` accepts every target that the README promises."""
    for target in ("demo", "test", "check", "bench", "certs", "docs"):
        done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_ci_runs_the_three_targets_and_stops_at_the_first_failure() -> None:
    """``.ci/run`` is ``make check``, ``make demo`` and ``make test``, strictly."""
    script = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in script
    for target in ("check", "test", "demo"):
        assert f"make {target}" in script
