"""What is installed: the lock, the tested versions and the requirements agree."""
import configparser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def requirements(text: str) -> list[Requirement]:
    return [Requirement(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


@pytest.fixture(scope="module")
def locked() -> dict[str, tuple[Requirement, int]]:
    """Each package of the lock, and how many digests it has."""
    found = {}
    for entry in (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines():
        if entry and not entry.startswith(("#", " ")):
            words, *digests = entry.split(" --hash=sha256:")
            one = Requirement(words)
            found[canonicalize_name(one.name) + str(one.marker or "")] = one, len(digests)
    return found


def test_the_lock_has_what_is_required_in_the_tested_versions_with_digests(
        setup: configparser.ConfigParser, locked: dict[str, tuple[Requirement, int]]) -> None:
    assert len(locked) > 100 and all(count > 0 for _, count in locked.values())
    versions = {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one, _ in locked.values()}
    for one in requirements(setup["options"]["install_requires"]):
        assert one.specifier.contains(versions[canonicalize_name(one.name)]), one
    tested = requirements((ROOT / "constraints.txt").read_text())
    shared = [one for one in tested if canonicalize_name(one.name) in versions]
    assert len(shared) > 20
    assert {one.name for one in shared if not one.specifier.contains(versions[canonicalize_name(one.name)])} == set()


def test_the_main_job_needs_no_tests_linters_or_peers(
        setup: configparser.ConfigParser, locked: dict[str, tuple[Requirement, int]]) -> None:
    extras = setup["options.extras_require"]
    needed = {canonicalize_name(one.name) for one in requirements(setup["options"]["install_requires"])}
    for extra in ("test", "lint", "bench"):
        own = {canonicalize_name(one.name) for one in requirements(extras[extra])} - {"scipy", "dcgan-laboratory"}
        assert own and not own & needed
    assert not {"tensorflow-cpu", "pytest", "flake8", "torchmetrics"} & set(locked)


def test_the_tests_need_no_tensorflow(setup: configparser.ConfigParser) -> None:
    assert "tensorflow" not in setup["options.extras_require"]["test"]
