"""A stylised riverside of Shanghai: data, station and the generator that makes them."""
