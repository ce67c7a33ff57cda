"""The first front door: flows, which are classes of layers. Compiles them to what the engine drives."""
