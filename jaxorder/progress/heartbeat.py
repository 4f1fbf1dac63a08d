"""What is done again and again while the main thread is at work."""

import threading
from collections.abc import Callable
from contextvars import copy_context


class Heartbeat:
    """Calls a function at intervals, from a thread of its own.

    Use it in a `with` statement; after it, the function is not called any more.

    Args:
        beat: Function to call.
        seconds: Time between two calls.
    """

    def __init__(self, beat: Callable[[], None], seconds: float) -> None:
        self._beat, self._seconds = beat, seconds
        self._stopped = threading.Event()
        # in a notebook the context says to which cell belongs what is shown
        self._thread = threading.Thread(
            name="heartbeat",
            target=copy_context().run,
            args=(self._go_on,),
            daemon=True,
        )

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stopped.wait(self._seconds):
            self._beat()
