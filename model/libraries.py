"""Keeps third-party libraries from writing what an operator can do nothing about."""

import logging
import warnings


def quiet_libraries() -> None:
    """Silence known harmless notices; call it before torch, transformers or peft are imported."""
    # bitsandbytes looks for an optional kernel on import and warns where it is absent; NF4 works without it.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # peft asks transformers for a property by its former name.
    warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
