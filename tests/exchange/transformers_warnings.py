"""Collects the warnings of transformers: Python warnings and log messages."""
import contextlib
import logging
import warnings

import transformers


class Collector(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.messages = []

    def emit(self, record):
        self.messages.append(record.getMessage())


@contextlib.contextmanager
def collected():
    """Context manager: its list holds all warnings of the block once the block ends."""
    collector, log = Collector(), logging.getLogger("transformers")
    level, propagates = log.level, log.propagate
    others = list(log.handlers)
    for handler in others:
        log.removeHandler(handler)
    log.addHandler(collector)
    transformers.logging.set_verbosity_warning()
    log.propagate = False
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield collector.messages
        collector.messages.extend(f"{w.category.__name__}: {w.message}" for w in caught)
    finally:
        log.removeHandler(collector)
        for handler in others:
            log.addHandler(handler)
        log.setLevel(level)
        log.propagate = propagates
