"""`.ci/setup` where Python comes in pieces, and the locks that it installs. Interpreters and uv are stand-ins that note
what they are asked."""

import re
import subprocess
import tomllib

import pytest
from django.conf import settings

# Answers as a Python does that is new enough; which of its parts it has stands beside it in a file.
PYTHON = """#!/bin/sh
echo "$(basename "$0") $*" >>"$NOTES"
has() { grep -q "$1" "$0.has"; }
case "$*" in
    *find_spec*) has ensurepip || has pip ;;
    *'import ensurepip'*) has ensurepip ;;
    *sys.executable*) echo "$0" ;;
    *'--python'*) echo pip >"${4%python}python.has" ;;
    '-m venv --without-pip'*) make_environment "$4" nothing ;;
    '-m venv'*) make_environment "$3" pip ;;
    *'import pip'*) has pip ;;
esac
"""
UV = """#!/bin/sh
echo "uv $*" >>"$NOTES"
make_environment "$6" "$SEEDS"
[ "$SEEDS" = pip ]
"""
MAKE_ENVIRONMENT = """#!/bin/sh
mkdir -p "$1/bin" && cp "$STANDIN" "$1/bin/python" && echo "$2" >"$1/bin/python.has"
"""
TOOLS = ("basename", "cat", "chmod", "cksum", "cp", "dirname", "grep", "mkdir", "rm")


@pytest.fixture
def machine(tmp_path):
    """Sets up a checkout on a machine with these Pythons (name: what each has) and perhaps uv."""
    checkout, path, notes = tmp_path / "checkout", tmp_path / "bin", tmp_path / "notes"
    (checkout / ".ci").mkdir(parents=True)
    path.mkdir()
    (checkout / ".ci" / "setup").write_text((settings.BASE_DIR / ".ci" / "setup").read_text())
    (checkout / "requirements.txt").touch()

    def program(name, text):
        (path / name).write_text(text)
        (path / name).chmod(0o755)

    for tool in TOOLS:
        (path / tool).symlink_to(f"/usr/bin/{tool}")
    program("make_environment", MAKE_ENVIRONMENT)
    program("stand-in", PYTHON)

    def set_up(*, uv="", **pythons):
        for name, parts in pythons.items():
            program(name, PYTHON)
            (path / f"{name}.has").write_text(parts)
        if uv:
            program("uv", UV)
        notes.write_text("")
        environ = {"PATH": str(path), "HOME": str(tmp_path), "NOTES": str(notes), "SEEDS": uv}
        done = subprocess.run(
            ["/bin/sh", str(checkout / ".ci" / "setup")],
            env={**environ, "STANDIN": str(path / "stand-in")},
            capture_output=True,
            text=True,
            check=False,
        )
        return done, [line for line in notes.read_text().splitlines() if "venv" in line or "-m pip" in line]

    return set_up


INSTALL = (
    "python -m pip install --quiet --disable-pip-version-check --no-input --root-user-action=ignore --require-hashes"
)


def test_a_whole_python_makes_the_environment_and_a_second_call_ends_at_once(machine):
    done, asked = machine(python3="ensurepip")
    assert done.returncode == 0, done.stderr
    assert asked == ["python3 -m venv .venv", f"{INSTALL} -r requirements.txt"]
    assert machine(python3="ensurepip")[1] == []


def test_without_ensurepip_the_pip_outside_fills_the_environment(machine):
    done, asked = machine(python3="pip")
    assert done.returncode == 0, done.stderr
    assert asked[0] == "python3 -m venv --without-pip .venv"
    assert asked[1].startswith("python3 -m pip --python .venv/bin/python install")


def test_a_python_without_pip_is_passed_over_for_one_that_has_it(machine):
    done, asked = machine(python3="nothing", **{"python3.13": "ensurepip"})
    assert done.returncode == 0, done.stderr
    assert asked[0] == "python3.13 -m venv .venv"


@pytest.mark.parametrize("pythons", [{}, {"python3": "nothing"}])
def test_uv_makes_the_environment_where_no_python_can(machine, pythons):
    done, asked = machine(uv="pip", **pythons)
    assert done.returncode == 0, done.stderr
    assert asked[0] == "uv venv --quiet --seed --python >=3.12 .venv"


def test_uv_that_reaches_no_index_is_one_sentence_and_the_next_call_begins_anew(machine):
    done, _asked = machine(uv="nothing")
    assert done.returncode == 1
    assert done.stderr == "uv could not install pip into .venv; see above.\n"
    done, asked = machine(uv="pip")
    assert done.returncode == 0, done.stderr
    assert asked[0].startswith("uv venv")


def test_a_python_without_pip_alone_is_one_sentence(machine):
    done, _asked = machine(python3="nothing")
    assert done.returncode == 1
    assert done.stderr.endswith(
        "/python3 has no pip. Install it: python3-venv on Debian and Ubuntu, python3-pip elsewhere.\n"
    )
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("groups", [(), ("dev",)], ids=["requirements.txt", "requirements-dev.txt"])
def test_the_lock_holds_every_dependency_with_its_hashes_and_no_address(groups):
    text = (settings.BASE_DIR / ("requirements-dev.txt" if groups else "requirements.txt")).read_text()
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + [
        line for group in groups for line in project["dependency-groups"][group]
    ]
    names = {re.match(r"[\w-]+", line)[0].lower() for line in wanted}
    pins = re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==[^\n]*\\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    assert names <= set(pins)
    assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
    assert "://" not in text
