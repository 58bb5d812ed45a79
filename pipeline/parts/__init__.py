"""The parts of the stage internals: each asks the room latent about one finished run, and draws what it finds."""
