"""Provider ``dashscope``: Alibaba Cloud's captioners, multimodal embedders and reranker, through its own SDK."""
