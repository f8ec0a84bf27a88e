"""Provider ``openai``: captions from any endpoint that speaks OpenAI's chat protocol, such as vLLM."""
