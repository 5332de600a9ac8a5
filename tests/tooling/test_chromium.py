"""`.ci/chromium` finds a browser that runs, installs one, or says what to do. Programs are stand-ins."""

import subprocess

import pytest
from django.conf import settings

RUNS, STUB = "#!/bin/sh\n", "#!/bin/sh\necho 'needs another package' >&2\nexit 1\n"
APT = """#!/bin/sh
echo "apt-get $*"
[ "$1" = update ] || { cp "$STANDIN" "$(dirname "$0")/chromium"; }
"""
BROKEN_APT = "#!/bin/sh\necho 'E: no such package' >&2\nexit 100\n"


@pytest.fixture
def ask(tmp_path):
    def act(*, uid="0", **programs):
        path = tmp_path / "bin"
        path.mkdir(exist_ok=True)
        for tool in ("cp", "dirname"):
            (path / tool).symlink_to(f"/usr/bin/{tool}")
        programs |= {"id": f"#!/bin/sh\necho {uid}\n", "stand-in": RUNS}
        for name, text in programs.items():
            (path / name).write_text(text)
            (path / name).chmod(0o755)
        return subprocess.run(
            ["/bin/sh", str(settings.BASE_DIR / ".ci" / "chromium")],
            env={"PATH": str(path), "STANDIN": str(path / "stand-in")},
            capture_output=True,
            text=True,
            check=False,
        )

    return act


def test_the_first_that_runs_is_taken_and_a_stub_passed_over(ask, tmp_path):
    done = ask(**{"chromium-browser": STUB, "google-chrome": RUNS})
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/bin/google-chrome\n")


def test_a_missing_one_is_installed_and_only_its_path_is_printed(ask, tmp_path):
    done = ask(**{"apt-get": APT})
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/bin/chromium\n")
    assert done.stderr == "Installing Chromium with apt-get.\n"


def test_an_installation_that_fails_says_why_and_what_to_do(ask):
    done = ask(**{"apt-get": BROKEN_APT})
    assert (done.returncode, done.stdout) == (1, "")
    assert "E: no such package" in done.stderr
    assert "Install the package chromium, or set CHROMIUM=/path/to/chrome." in done.stderr


def test_nothing_is_installed_for_somebody_who_is_not_root(ask):
    done = ask(uid="1000", **{"apt-get": APT})
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
