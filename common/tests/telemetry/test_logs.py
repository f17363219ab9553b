"""The content of log lines: fields that are always present, and data that never is."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from pymongo.errors import DuplicateKeyError

from ticketing_common.settings import EventServiceSettings
from ticketing_common.telemetry import configure_logging, get_logger, trace_scope

pytestmark = pytest.mark.unit

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhbm4ifQ.c2ln-bmF_dHVyZQ"


@pytest.fixture
def configured() -> Iterator[Callable[[], None]]:
    """Call it in the test itself: a test and its fixtures have different standard outputs."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield lambda: configure_logging(service="things", level="info")
    root.handlers[:], root.level = before


def only_line(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, str] = json.loads(line)
    return found


def test_a_line_names_the_service_and_the_trace(
    capsys: pytest.CaptureFixture[str], configured: Callable[[], None]
) -> None:
    configured()
    with trace_scope(f"00-{TRACE_ID}-b7ad6b7169203331-01"):
        get_logger("here").info("order held", order_id="1")
    line = only_line(capsys)
    assert {
        "event": "order held",
        "order_id": "1",
        "service": "things",
        "trace_id": TRACE_ID,
        "level": "info",
    }.items() <= (line.items())


@pytest.mark.parametrize("how", ["as a field", "as the name of a field", "a library's"])
def test_a_line_stays_one_line_whatever_is_in_it(
    capsys: pytest.CaptureFixture[str], configured: Callable[[], None], how: str
) -> None:
    configured()
    forged = 'x\r\n{"event": "order paid"}\u2028\x1b[2J'
    if how == "as a field":
        get_logger("here").info("refused", path=forged)
    elif how == "as the name of a field":
        get_logger("here").info("refused", **{forged: 1})
    else:
        logging.getLogger("uvicorn.error").warning("refused: %s", forged)
    (printed,) = capsys.readouterr().out.splitlines()
    line = json.loads(printed)
    assert line["event"].startswith("refused")
    assert "\x1b" not in printed
    assert datetime.fromisoformat(line["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "secret", ["ann@example.com", TOKEN, "pi_3Nabc_secret_xyz", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", "whsec_abc123"]
)
@pytest.mark.parametrize("how", ["our own error", "a library's", "as a field"])
def test_personal_data_in_an_error_text_is_masked(
    capsys: pytest.CaptureFixture[str], configured: Callable[[], None], how: str, secret: str
) -> None:
    configured()
    try:
        raise DuplicateKeyError(f'E11000 duplicate key error: {{ email: "{secret}" }}')
    except DuplicateKeyError as error:
        if how == "our own error":
            get_logger("here").exception("unexpected error", request_id="7")
        elif how == "a library's":
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application: %s", secret)
        else:
            get_logger("here").warning("away", error=repr(error))
    line = only_line(capsys)
    assert secret not in json.dumps(line)
    assert "E11000" in json.dumps(line), "the rest of it is there"


def test_invalid_settings_are_named_and_not_quoted() -> None:
    """The process prints this to standard error when it ends, and log collectors store it."""
    program = "from ticketing_common.settings import EventServiceSettings; EventServiceSettings()"
    environment = {
        "MONGO_URL": "mongodb://user:hunter2@db",
        "SERVICE_NAME": "things",
        "NATS_URL": "nats://n:hunter2@bus",
    }
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "jwt_public_keys" in ended.stderr
    assert "hunter2" not in ended.stderr
    assert EventServiceSettings.model_config["hide_input_in_errors"]
