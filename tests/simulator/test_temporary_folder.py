"""The temporary folders of a fleet: deleted at its end, and after a kill by the next fleet."""

import subprocess
import sys
import tempfile
from pathlib import Path

from mig_fleet.simulator.temporary_folder import delete_left_behind, temporary_folder

PROCESS = """
import sys, tempfile
from pathlib import Path
from mig_fleet.simulator.temporary_folder import temporary_folder
with temporary_folder(Path(sys.argv[1])) as folder:
    tempfile.mkdtemp()
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_temporary_folders_are_in_one_folder_that_is_deleted_at_the_end(tmp_path: Path) -> None:
    before = tempfile.gettempdir()
    with temporary_folder(tmp_path) as folder:
        assert Path(tempfile.mkdtemp()).parent == folder
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []
    assert tempfile.gettempdir() == before


def test_the_folder_of_a_killed_process_is_deleted_and_that_of_a_running_one_is_not(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        delete_left_behind(tmp_path)
        assert len(list(folder.iterdir())) == 1, "its process runs"
        process.kill()
        process.wait()
        assert folder.exists()
    with temporary_folder(tmp_path) as other:
        assert list(tmp_path.iterdir()) == [other]


def test_links_and_other_names_are_left_alone(tmp_path: Path) -> None:
    of_others = tmp_path / "of-others"
    of_others.mkdir()
    (tmp_path / "mig-simulator-link").symlink_to(of_others)
    (tmp_path / "mig-simulator-file").touch()
    delete_left_behind(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {"of-others", "mig-simulator-link", "mig-simulator-file"}
