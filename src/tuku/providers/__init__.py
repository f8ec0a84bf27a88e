"""Models behind the protocols of `tuku.protocols`: the only place that imports a model's SDK."""
