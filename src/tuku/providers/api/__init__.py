"""What the providers of all paid services share: how pictures go out, answers and failures are read."""
