"""Qwen's vision-language models on one's own machines: captions, and vectors from the last hidden layer."""
