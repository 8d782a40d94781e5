"""The library LiteLLM, imported and made quiet: it stays offline and where it is sent."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache
from typing import Any

_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the prices of its package, none from the network
    "LITELLM_MODE": "PRODUCTION",  # else it reads a .env file from the working directory
}
_OPENAI_CLIENT = "_get_async_http_client"
"""What makes the connections of LiteLLM's OpenAI clients."""


def imported() -> Any:
    """LiteLLM, silent and offline. It is imported in a thread: it takes seconds."""
    os.environ.update(_ENVIRONMENT)
    for name in _LOGGERS:
        logging.getLogger(name).disabled = True
    import litellm

    litellm.suppress_debug_info = True
    litellm.telemetry = False
    litellm.drop_params = False
    litellm.turn_off_message_logging = True
    litellm.disable_hf_tokenizer_download = True
    _follow_no_redirect()
    return litellm


@cache
def _follow_no_redirect() -> None:
    """A redirect could send the prompt, and a key that is not in Authorization, to anybody."""
    from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler
    from litellm.llms.openai.common_utils import BaseOpenAILLM

    def staying(make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **named: Any) -> Any:
            client = make(*args, **named)
            if client is not None:
                client.follow_redirects = False
            return client

        return made

    for owner, name in ((AsyncHTTPHandler, "create_client"), (BaseOpenAILLM, _OPENAI_CLIENT)):
        made = staying(getattr(owner, name))
        setattr(owner, name, staticmethod(made) if owner is BaseOpenAILLM else made)
