"""Provider ``openai``: captions, rankings and vectors from any endpoint that speaks OpenAI's protocol, such as vLLM."""
