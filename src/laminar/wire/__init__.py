"""What a running attempt asks of the engine, and what it is answered: once, for both sides and every way between."""
