"""What every remedy must be able to do on a host, tried step by step on a lab host with the commands a user types."""
