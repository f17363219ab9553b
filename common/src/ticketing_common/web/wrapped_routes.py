"""What routes declare: wrappers of their handlers, for example `@idempotent`, and the parts of the service they call.

A dependency cannot wrap a handler: FastAPI gives it neither the response nor a way to respond instead of the endpoint.
Middleware can, but it compares paths, and the route does not show it. A route class is FastAPI's own way to replace the
handler (https://fastapi.tiangolo.com/how-to/custom-request-and-route/).
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

Handler: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]
"""Reads and validates the input, resolves the dependencies, calls the endpoint. Raises the refusals of all of them.

`Request` keeps the body and its JSON, so what a wrapper reads is not read or parsed again inside."""

E = TypeVar("E", bound=Callable[..., Any])
_WRAPPERS: Final = "route_wrappers"


def wrapped_by(wrapper: Callable[[Handler], Handler]) -> Callable[[E], E]:
    """Decorate an endpoint of a `ServiceRouter`, below `@router.post`; of several wrappers the topmost is outermost."""

    def mark(endpoint: E) -> E:
        endpoint.__dict__.setdefault(_WRAPPERS, []).append(wrapper)
        return endpoint

    return mark


class _WrappedRoute(APIRoute):
    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        for wrapper in self.endpoint.__dict__.get(_WRAPPERS, ()):
            handler = wrapper(handler)
        return handler


class ServiceRouter(APIRouter):
    """The router of a service's public routes; one that is no `ServiceRouter` would ignore what its endpoints name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(route_class=_WrappedRoute, **options)


def part_of_app(name: str) -> Any:
    """The default of a dependency that is the one object of this process in `app.state`, where `assemble` put it.

    Use it as `OrderServiceDep: TypeAlias = Annotated[OrderService, part_of_app("service")]`.
    """

    async def part(request: Request) -> Any:
        return getattr(request.app.state, name)

    return Depends(part)
