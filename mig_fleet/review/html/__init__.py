"""Reviews as one HTML page without scripts and without anything from elsewhere: an artifact of a CI run."""

from mig_fleet.review.html.page import to_html

__all__ = ["to_html"]
