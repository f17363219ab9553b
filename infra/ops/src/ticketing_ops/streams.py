"""`ticketing streams`: declare the streams of the event bus where services have no permission to do it."""

from typing import Annotated, Final

import nats.errors
import nats.js.errors
import typer
from nats.aio.client import Client

from ticketing_common.messaging import ConfigurationDriftError, ensure_stream, stream_config, stream_drift
from ticketing_common.topology import SAFETY_NETS, STREAM_SUBJECTS

from .bus import DataDirOption, on_bus
from .console import console, fail

STREAMS: Final = (*STREAM_SUBJECTS, *SAFETY_NETS)

streams_app = typer.Typer(no_args_is_help=True, help="The streams of the event bus.")

ReplicasOption = Annotated[
    int, typer.Option(help="Copies of each stream: 1 or 3", envvar="NATS_REPLICAS", min=1, max=5)
]


@streams_app.command()
def apply(replicas: ReplicasOption = 1, data_dir: DataDirOption = None) -> None:
    """Create missing streams and correct those that differ; exit 1 when the server refuses a change.

    The command is idempotent and may run concurrently. It loses no event: it reports fields that the server cannot
    change without loss (storage, retention, `sealed`) and leaves them.
    """

    async def command(client: Client) -> None:
        refused = []
        for name in STREAMS:
            try:
                await ensure_stream(client.jetstream(), stream_config(name, replicas=replicas))
            except (ConfigurationDriftError, nats.js.errors.APIError) as error:
                refused.append(f"{name}: {error}")
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
                fail(f"{name}: NATS does not answer: {type(error).__name__}.")
        if refused:
            fail("; ".join(refused))
        console.print(f"{len(STREAMS)} streams are as declared.")

    on_bus(data_dir, command)


@streams_app.command()
def check(replicas: ReplicasOption = 1, data_dir: DataDirOption = None) -> None:
    """Report every field that differs from its declaration; exit 1 when there is one. Changes nothing."""

    async def command(client: Client) -> None:
        found = []
        for name in STREAMS:
            try:
                drift = await stream_drift(client.jetstream(), stream_config(name, replicas=replicas))
            except nats.js.errors.NotFoundError:
                found.append(f"{name} does not exist")
            except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
                fail(f"{name}: NATS does not answer: {type(error).__name__}.")
            else:
                found += [f"{name}.{key}: declared {a!r}, is {b!r}" for key, (a, b) in drift.items()]
        if found:
            fail("; ".join(found))
        console.print(f"{len(STREAMS)} streams are as declared.")

    on_bus(data_dir, command)
