import os
import subprocess
import sys

import pytest

from ticketing_common.web.worker_app import AUTOGROUP

PROGRAM = """
import os
from ticketing_common.web.worker_app import AUTOGROUP, lower_priority
before = os.getpriority(os.PRIO_PROCESS, 0)
lower_priority(5)
print(os.getpriority(os.PRIO_PROCESS, 0) - before, AUTOGROUP.read_text().split("nice")[-1])
"""


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="this kernel has no scheduling groups of sessions")
@pytest.mark.skipif(os.getpriority(os.PRIO_PROCESS, 0) > 14, reason="the tests run at the lowest priority")
@pytest.mark.parametrize("leads_a_session", [True, False])
def test_a_worker_lowers_its_process_and_the_group_of_its_own_session_only(leads_a_session: bool) -> None:
    group = AUTOGROUP.read_text().split("nice")[-1].strip()
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM], start_new_session=leads_a_session, capture_output=True, text=True, check=True
    )
    process, session = run.stdout.split()
    assert (process, session) == ("5", "5" if leads_a_session else group)
