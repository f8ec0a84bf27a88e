"""A DashScope of one's own: the HTTP API as documented, its limits enforced, its bad days by seed.

By hand: ``PYTHONPATH=tests python -m fakes.dashscope --port 8099 --rpm 1200 --latency 1.5,8``. In tests:
``with DashScopeServer(Settings(...)) as server``. The way of a request is in `service`; what each endpoint
expects and answers in the modules `read_…` and `answer_…`. Under the root for OpenAI's protocol it serves what a
vLLM of one's own does, too: vectors of conversations (`read_pooled`).
"""

from fakes.dashscope.server import DashScopeServer
from fakes.dashscope.settings import Fatal, Faults, Latency, Limits, Outage, Settings

__all__ = ["DashScopeServer", "Fatal", "Faults", "Latency", "Limits", "Outage", "Settings"]
