"""Where the job runs: the only place that imports Ray, and where models, lake and Milvus are wired together."""
