"""The lake's projection into Milvus. The only package that imports pymilvus, and only when it is used."""
