"""The replicated data types: a pure core that knows neither disk, network, clock nor chance."""
