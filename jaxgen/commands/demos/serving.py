"""Serving a page on this machine, for a command and for a notebook."""

import errno
import importlib
import ipaddress
import os
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxgen.commands.demos import markup
from jaxgen.errors import JaxgenError
from jaxgen.settings import flag
from jaxgen.training.task import CanCaption, CanSample

INSTALL = "pip install 'jaxgen[demo]'"
LOOPBACK = "127.0.0.1"
_MOST_UPLOAD = 64 * 2**20  # bytes


def library() -> ModuleType:
    """Gradio, told to send nothing anywhere.

    Raises:
        JaxgenError: it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when it is imported, and later
    try:
        return importlib.import_module("gradio")
    except ImportError as error:
        raise JaxgenError(f"a demo needs gradio ({error}): {INSTALL}") from error


def page_of(player: Any, name: str) -> Any:
    """The page of a player, a `gradio.Blocks`.

    Raises:
        JaxgenError: Gradio is not installed.
    """
    gradio = library()
    from jaxgen.commands.demos.pages import page

    return page(gradio, player, name)


def player_of(model: Any, name: str, weights: Path | None = None) -> Any:
    """What answers a page of the model.

    Args:
        model: what `jaxgen.load` gives; of a run with replicas the first is taken.
        name: what messages call it.
        weights: of the encoder of photographs that a captioner's run records, where no package
            brings them.

    Raises:
        JaxgenError: there is nothing to show of the model.
    """
    from jaxgen.captioning.trained import TrainedCaptioner
    from jaxgen.commands.demos.captions import CaptionPlayer
    from jaxgen.commands.demos.samples import SamplePlayer
    from jaxgen.training.trained_replicas import TrainedReplicas

    if isinstance(model, TrainedReplicas):
        model = model.replica(0)
    if isinstance(model, TrainedCaptioner):
        return CaptionPlayer(model, weights)
    if weights:
        raise JaxgenError(f"{flag('weights')}: {name} holds no captioner")
    if isinstance(model, CanSample):
        return SamplePlayer(model)
    what = "captions in a way of its own" if isinstance(model, CanCaption) else "draws no samples"
    raise JaxgenError(f"{name} holds a kind of model that {what}: there is no page for it")


def launch(
    page: Any, host: str, port: int | None, share: bool, blocking: bool | None = None
) -> str:
    """Serve a page.

    Args:
        page: a `gradio.Blocks`.
        host: the address to listen on.
        port: None for 7860, or the next that is free.
        share: make a public address too, through Gradio's servers.
        blocking: wait until it is closed; None to do so outside of notebooks.

    Returns:
        Its address, the public one where there is one.

    Raises:
        JaxgenError: it cannot be served there.
    """
    refuse_taken(host, port)
    _spare_proxies(host)
    options = {} if blocking is None else {"prevent_thread_lock": not blocking}
    try:
        page.launch(
            server_name=host,
            server_port=port,
            share=share,
            quiet=True,
            ssr_mode=False,
            footer_links=[],
            max_file_size=_MOST_UPLOAD,
            state_session_capacity=200,
            css=markup.STYLE,
            theme=_theme(),
            **options,
        )
    except Exception as error:  # of Gradio, of its server, of its client
        page.close()
        raise JaxgenError(f"the page cannot be served on {host} ({error})") from error
    if share and not page.share_url:
        page.close()
        raise JaxgenError(
            f"{flag('share')}: Gradio could not make a public address, for which it needs its "
            "servers; without it the page is served on this machine alone"
        )
    return page.share_url or page.local_url


def _theme() -> Any:
    """Gradio's own, with small text that is dark enough to be read."""
    grey = {"block_info_text_color": "*neutral_600", "body_text_color_subdued": "*neutral_600"}
    return library().themes.Default().set(**grey)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_taken(host: str, port: int | None) -> None:
    """Refuse a place where nothing more can be served.

    Raises:
        JaxgenError: there is no such address, or something else is served there.
    """
    where = f"{flag('host')} {host}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port or 0, type=socket.SOCK_STREAM
        )[0]
    except OSError as error:
        raise JaxgenError(f"{where}: there is no such address ({error.strerror})") from error
    with socket.socket(family, kind, protocol) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise JaxgenError(
                    f"{flag('port')} {port}: something else is served there; give another, or none "
                    "for the next that is free"
                ) from error
            raise JaxgenError(
                f"{where}: nothing can be served on port {port or 'of ours'} there "
                f"({error.strerror})"
            ) from error


def _spare_proxies(host: str) -> None:
    """Gradio asks its own page whether it is there, which a proxy would not know."""
    for name in ("no_proxy", "NO_PROXY"):
        spared = [part for part in os.environ.get(name, "").split(",") if part]
        more = [part for part in (LOOPBACK, "localhost", host) if part not in spared]
        os.environ[name] = ",".join(spared + more)
