"""The search page and its JSON API: `tuku serve`.

`server` listens and ends; `app` puts the parts together; `guards` and `token` decide who may ask; `asking` makes a
query of a request, `routes_*` answer, `problems` say what went wrong; `executor` bounds how much is done at once.
What is searched is a `catalogue.Catalogue`. The page itself is static/: no build step, nothing from elsewhere.
"""
