"""Tweets: what the lines of a stream or a recording say, and how AFINN-111 scores their texts."""
