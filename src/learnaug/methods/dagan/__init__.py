"""A generator learns from pairs of a class to make new pictures of classes it has not seen."""
