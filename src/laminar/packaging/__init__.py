"""What travels: images, and bundles of code."""
