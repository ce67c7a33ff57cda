"""The client of a server: requests, and what is made of them."""
