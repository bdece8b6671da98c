"""A request becomes a response: the wire to LiteLLM, models in this process, baselines, replays and mocks."""
