import os
import subprocess
import sys
from pathlib import Path

import pytest

# The group is a file of the test: some kernels have no such groups, and others show none for a process.
PROGRAM = """
import os
import sys
from pathlib import Path
from ticketing_common.web import worker_app
worker_app.AUTOGROUP = Path(sys.argv[1])
before = os.nice(0)
worker_app.lower_priority(5)
print(os.nice(0) - before)
"""


@pytest.mark.skipif(os.getpriority(os.PRIO_PROCESS, 0) > 14, reason="the tests run at the lowest priority")
@pytest.mark.parametrize(("leads_a_session", "written"), [(True, "5"), (False, "unchanged")])
def test_a_worker_lowers_its_process_and_the_group_of_its_own_session_only(
    leads_a_session: bool, written: str, tmp_path: Path
) -> None:
    group = tmp_path / "autogroup"
    group.write_text("unchanged")
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(group)],
        start_new_session=leads_a_session,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (run.stdout.strip(), group.read_text()) == ("5", written)
