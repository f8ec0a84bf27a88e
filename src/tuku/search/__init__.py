"""Search: encode the query, retrieve, fuse, rerank, show."""
