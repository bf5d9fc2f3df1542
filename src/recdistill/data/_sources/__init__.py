"""Where data sets come from: a pinned wheel, a pinned URL, the data root, the user's path."""
