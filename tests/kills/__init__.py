"""Somebody is killed in the middle of a run, and the next run goes on: what the matrix of kills is made of.

`catalogue` is what is ingested, `moments` says when, `victims` who, `witness` what was under way just then, and
`outcome` what lake and Milvus hold in the end.
"""
